// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// BenchmarkAuthenticate measures what one signature costs, from its content to what it says.
func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b)
	key := w.sign(w.payload)
	key.cert = nil
	roots, private := byFulcio(w.roots()), byFulcio(w.rekorRoots())
	for name, bench := range map[string]struct {
		content   any
		authority *sigstore.Authority
	}{
		"ecdsa-p256-key":  {key.blob(nil), w.byKey(nil)},
		"fulcio-rekor-v1": {w.sign(w.payload).blob(nil), private},
		"bundle-v0.3":     {w.envelope(w.statement).v1(), roots},
		"bundle-rekor-v2": {w.envelope(w.statement).v2(), roots},
	} {
		content := content(b, bench.content)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := authenticate(content, sigstore.Input{}, bench.authority); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLargest measures content of the largest size that is read, of kinds that cost most.
func BenchmarkLargest(b *testing.B) {
	w := newWorld(b)
	roots, private := byFulcio(w.roots()), byFulcio(w.rekorRoots())
	digests := strings.Repeat(`{"digest":{"sha512":"`+strings.Repeat("0", 128)+`"}},`, 1000)
	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://sigstore.dev/cosign/sign/v1","subject":[` +
		strings.TrimSuffix(digests, ",") + `]}`)
	large := content(b, w.envelope(statement).v1())
	for name, content := range map[string][]byte{
		"chain":    circle(w),
		"arrays":   append([]byte("\x00sigstore-json\n"), bytes.Repeat([]byte("["), sigstore.MaxContent-20)...),
		"members":  append([]byte("\x00sigstore-json\n{"), bytes.Repeat([]byte(`"":1,`), sigstore.MaxContent/5-10)...),
		"escapes":  append([]byte(`{"mediaType":"`), bytes.Repeat([]byte(`\u0000`), sigstore.MaxContent/6-10)...),
		"subjects": large,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				_, _ = authenticate(content, sigstore.Input{}, roots, private)
			}
		})
	}
}

// circle is a signature with a chain of CAs of one name that issue each other, on the slowest curve.
func circle(w *world) []byte {
	cas := make([]*st.CA, 3)
	for i := range cas {
		cas[i] = &st.CA{Certificate: &x509.Certificate{Subject: w.Root.Certificate.Subject}, Key: st.NewKey(w.t, elliptic.P521())}
	}
	var chain []byte
	for i, ca := range cas {
		der := cas[(i+1)%len(cas)].Issue(w.t, ca.Key, &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: w.Root.Certificate.Subject, NotBefore: st.Time.AddDate(-1, 0, 0), NotAfter: st.Time.AddDate(1, 0, 0),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		})
		chain = append(chain, st.CertificatePEM(der)...)
	}
	s := w.sign(w.payload)
	s.cert = cas[0].Issue(w.t, w.key, st.Leaf())
	return s.blob(map[string]string{annChain: string(chain)})
}
