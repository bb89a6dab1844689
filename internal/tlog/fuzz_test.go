// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"testing"

	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/tlog"
)

// FuzzParseEntry expects an entry or an error, and no entry but the log's own to be verified.
func FuzzParseEntry(f *testing.F) {
	x := newFixture(f)
	for _, entry := range []st.Object{x.v1.Entry(f, x.body1), x.v2.Entry(f, x.body2)} {
		f.Add(st.JSON(f, entry))
	}
	logs := []*tlog.Log{trusted(f, x.v1), trusted(f, x.v2)}
	signed := &tlog.Signed{Digest: digestOf(x.message), Signature: x.sig, Key: x.key}
	f.Fuzz(func(t *testing.T, document []byte) {
		e, err := parseEntry(document)
		if err != nil {
			return // after an entry there may be what makes the document malformed
		}
		log := tlog.Find(logs, e.LogID, e.Origin())
		if log == nil {
			return
		}
		if _, err := e.Verify(log); err != nil {
			return
		}
		if err := e.Body.Match(signed); err != nil {
			t.Errorf("an entry that the log never had is verified: %v", err)
		}
	})
}

// FuzzParsePromise expects an entry or an error, and no promise but the log's own to be verified.
func FuzzParsePromise(f *testing.F) {
	x := newFixture(f)
	f.Add(st.JSON(f, x.v1.CosignBundle(f, x.body1)))
	log := trusted(f, x.v1)
	f.Fuzz(func(t *testing.T, annotation []byte) {
		e, err := tlog.ParsePromise(annotation)
		if (e == nil) != (err != nil) {
			t.Fatalf("%v and %v", e, err)
		}
		if e == nil {
			return
		}
		if at, err := e.Verify(log); err == nil && (!at.Equal(st.Time) || e.Index != x.v1.Index) {
			t.Errorf("verified at %v with index %d", at, e.Index)
		}
	})
}

// FuzzParseCheckpoint expects a checkpoint or an error.
func FuzzParseCheckpoint(f *testing.F) {
	x := newFixture(f)
	for _, log := range []*st.Log{x.v1, x.v2} {
		f.Add(log.Proof(f, x.body1, 0, 1)["checkpoint"].(st.Object)["envelope"].(string))
	}
	f.Fuzz(func(t *testing.T, note string) {
		c, err := tlog.ParseCheckpoint(note)
		if (c == nil) != (err != nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if c != nil && (c.Origin == "" || c.Size < 0) {
			t.Errorf("%+v", c)
		}
	})
}

// FuzzParseBody expects an entry or an error.
func FuzzParseBody(f *testing.F) {
	x := newFixture(f)
	pem := st.CertificatePEM([]byte("x"))
	for _, body := range [][]byte{
		x.body1, x.body2, st.DSSE1(f, x.message, x.sig, pem), st.InToto2(f, x.message, x.sig, pem),
		st.DSSE2(f, x.message, x.sig, "x509Certificate", []byte("x")),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := tlog.ParseBody(bytes.Clone(raw))
		if (b == nil) != (err != nil) {
			t.Fatalf("%v and %v", b, err)
		}
	})
}
