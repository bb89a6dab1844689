// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package rfc3161_test

import (
	"testing"

	"github.com/assay-project/assay/internal/rfc3161"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// FuzzParse expects a timestamp or an error, and nothing but the authority's own statement, that it
// saw the message at the time, to be verified.
func FuzzParse(f *testing.F) {
	tsa := st.NewTSA(f)
	f.Add(tsa.Stamp(f, message))
	f.Add(tsa.Stamp(f, message, embedded(tsa.Certificate, tsa.CA.Certificate)))
	f.Add(toBER(f, tsa.Stamp(f, message)))
	known, brought := authority(f, tsa, true), authority(f, tsa, false)
	f.Fuzz(func(t *testing.T, response []byte) {
		token, err := rfc3161.Parse(response)
		if (token == nil) != (err != nil) {
			t.Fatalf("%v and %v", token, err)
		}
		if token == nil {
			return
		}
		for _, a := range []*rfc3161.Authority{known, brought} {
			if at, err := a.Verify(token); err == nil && (!at.Equal(st.Time) || !token.Covers(message)) {
				t.Errorf("verified at %v", at)
			}
		}
	})
}

// TestFlippedBit expects no bit of a timestamp to be changed without notice, but for what the
// authority does not sign and nothing depends on.
func TestFlippedBit(t *testing.T) {
	tsa := st.NewTSA(t)
	stamp, a := tsa.Stamp(t, message), authority(t, tsa, true)
	for i := range stamp {
		for bit := range 8 {
			stamp[i] ^= 1 << bit
			if token, err := rfc3161.Parse(stamp); err == nil {
				if at, err := a.Verify(token); err == nil && (!at.Equal(st.Time) || !token.Covers(message)) {
					t.Errorf("bit %d of byte %d: verified at %v", bit, i, at)
				}
			}
			stamp[i] ^= 1 << bit
		}
	}
}
