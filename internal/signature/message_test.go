// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package signature_test

import (
	"crypto"
	"crypto/elliptic"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/signature"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/verify"
)

// over is a bundle with a signature over the image's manifest, of which it states a digest. The digest of
// the image is by SHA-256.
func over(t *testing.T, signed []byte, algorithm string, digest []byte) verify.Signature {
	t.Helper()
	return verify.Signature{Type: "sigstore", Content: st.JSON(t, st.Object{
		"mediaType": st.Bundle03, "verificationMaterial": st.Object{"publicKey": st.Object{"hint": ""}},
		"messageSignature": st.Object{
			"messageDigest": st.Object{"algorithm": algorithm, "digest": st.Base64(digest)}, "signature": st.Base64(signed),
		},
	})}
}

// TestMessageThatCannotBeChecked has signatures for which the digest that their bundle states is not enough. They
// are not refused, and the message says what to do; a statement that the same key has signed is verified.
func TestMessageThatCannotBeChecked(t *testing.T) {
	ed, p256, p384, rsa := st.NewEd25519(t), st.NewKey(t, elliptic.P256()), st.NewKey(t, elliptic.P384()), st.NewRSA(t, 2048)
	acceptUnnamed := func(p *verify.Policy) { p.AcceptUnnamed = true }
	manifest := []byte("{}")
	by256, by384, by512 := st.Digest(crypto.SHA256, manifest), st.Digest(crypto.SHA384, manifest), st.Digest(crypto.SHA512, manifest)
	tests := map[string]struct {
		key       crypto.Signer
		signature verify.Signature
	}{
		"Ed25519":                        {ed, over(t, st.Sign(t, ed, manifest), "SHA2_256", by256)},
		"Ed25519, SHA-512 stated":        {ed, over(t, st.Sign(t, ed, manifest), "SHA2_512", by512)},
		"Ed25519ph":                      {ed, over(t, st.SignHash(t, ed, crypto.SHA512, manifest), "SHA2_512", by512)},
		"P-384":                          {p384, over(t, st.Sign(t, p384, manifest), "SHA2_384", by384)},
		"P-384, SHA-256 stated":          {p384, over(t, st.Sign(t, p384, manifest), "SHA2_256", by256)},
		"P-256, SHA-512 stated":          {p256, over(t, st.Sign(t, p256, manifest), "SHA2_512", by512)},
		"RSA, SHA-512 signed and stated": {rsa, over(t, st.SignHash(t, rsa, crypto.SHA512, manifest), "SHA2_512", by512)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file, err := signature.ParseKeyFile(formats(), st.PublicPEM(t, tt.key))
			if err != nil {
				t.Fatal(err)
			}
			trusted := []verify.NamedKeyFile{{Entry: "key", File: file}}
			v := checkWith(t, trusted, acceptUnnamed, tt.signature)
			if v.Outcome != verify.CouldNotCheck || v.Reason != "UnsupportedAlgorithm" || !strings.Contains(v.Message, "with cosign sign, which") {
				t.Errorf("%s: %s: %s", v.Outcome, v.Reason, v.Message)
			}
			statement := st.Statement(t, st.PredicateSign, imageDigest.Encoded())
			envelope := st.Envelope(st.Bundle03, statement, st.Sign(t, tt.key, st.PAE(statement)), st.Object{"publicKey": st.Object{"hint": ""}})
			v = checkWith(t, trusted, acceptUnnamed, tt.signature, verify.Signature{Type: "sigstore", Content: st.JSON(t, envelope)})
			if v.Outcome != verify.Verified {
				t.Errorf("with a statement beside it: %s: %s: %s", v.Outcome, v.Reason, v.Message)
			}
		})
	}
}
