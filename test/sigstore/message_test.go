// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto"
	"crypto/elliptic"
	"testing"
	"time"

	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// TestMessagesByDigest has signatures over content of which no more than a SHA-256 digest is known, as of an image.
// Where that is not enough, sigstore-go ends with an error, and Assay leaves the signature unchecked, if the bundle
// states that digest at all.
func TestMessagesByDigest(t *testing.T) {
	instance := st.New(t)
	ed, p384 := newSigned(t, instance, st.NewEd25519(t)), newSigned(t, instance, st.NewKey(t, elliptic.P384()))
	over := func(s *signed, algorithm string, hash crypto.Hash) st.Object {
		bundle := st.Message(st.Bundle03, content, st.Sign(t, s.key, content), s.bare())
		put(bundle["messageSignature"], "messageDigest", st.Object{"algorithm": algorithm, "digest": st.Base64(st.Digest(hash, content))})
		return bundle
	}
	tests := map[string]struct {
		signer    *signed
		bundle    st.Object
		unchecked bool
	}{
		"Ed25519":               {ed, over(ed, "SHA2_256", crypto.SHA256), true},
		"Ed25519, SHA-512":      {ed, over(ed, "SHA2_512", crypto.SHA512), true},
		"P-384, SHA-256 stated": {p384, over(p384, "SHA2_256", crypto.SHA256), true},
		"P-384":                 {p384, over(p384, "SHA2_384", crypto.SHA384), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := tt.signer.seed(name, tt.bundle, crypto.SHA256, byPublicKey(t, tt.signer.pem, nil, false))
			if err := s.sigstoreGo(s.bundle); err == nil {
				t.Error("sigstore-go accepts it")
			}
			if err := s.assay(s.bundle, time.Now()); err == nil || err.Code.Unchecked() != tt.unchecked {
				t.Errorf("Assay: %v, want unchecked: %t", err, tt.unchecked)
			}
		})
	}
}
