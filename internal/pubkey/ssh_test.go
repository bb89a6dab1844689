// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package pubkey_test

import (
	"crypto"
	"crypto/elliptic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/assay-project/assay/internal/pubkey"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// TestSSHFingerprint compares fingerprints with those of another implementation.
func TestSSHFingerprint(t *testing.T) {
	for _, signer := range []crypto.Signer{
		st.NewKey(t, elliptic.P256()), st.NewKey(t, elliptic.P384()), st.NewKey(t, elliptic.P521()),
		st.NewRSA(t, 2048), st.NewRSA(t, 2049), st.NewEd25519(t),
	} {
		key, err := pubkey.New(signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		other, err := ssh.NewPublicKey(signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := key.SSHFingerprint(), ssh.FingerprintSHA256(other); got != want {
			t.Errorf("%s: %s, want %s", key.Algorithm(), got, want)
		}
	}
}

// TestSSHFingerprintOfKnownKey has the key that npm publishes, and the ID by which its signatures name it.
func TestSSHFingerprintOfKnownKey(t *testing.T) {
	keys, err := pubkey.ParsePEM([]byte(`-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i
6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg==
-----END PUBLIC KEY-----
`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA"
	if got := keys[0].SSHFingerprint(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
