// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package pubkey_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/pubkey"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

var message = []byte("message")

func TestVerify(t *testing.T) {
	p256, p384, p521 := st.NewKey(t, elliptic.P256()), st.NewKey(t, elliptic.P384()), st.NewKey(t, elliptic.P521())
	ed, rsaKey := st.NewEd25519(t), st.NewRSA(t, 2048)
	all := []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	tests := map[string]struct {
		key    crypto.Signer
		hashes []crypto.Hash // that signatures may use
		ph     bool          // of digests alone
	}{
		"P-256":   {p256, []crypto.Hash{crypto.SHA256}, false},
		"P-384":   {p384, []crypto.Hash{crypto.SHA384, crypto.SHA256}, false},
		"P-521":   {p521, []crypto.Hash{crypto.SHA512, crypto.SHA256}, false},
		"RSA":     {rsaKey, []crypto.Hash{crypto.SHA256}, false},
		"Ed25519": {ed, []crypto.Hash{crypto.SHA512}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			key, err := pubkey.New(test.key.Public())
			if err != nil {
				t.Fatal(err)
			}
			sig := st.Sign(t, test.key, message)
			if !key.Verify(message, sig) || key.Verify([]byte("other"), sig) || key.Verify(message, nil) {
				t.Error("Verify tells signatures of the key's own kind wrongly")
			}
			if test.ph != (key.Ed25519() != nil) {
				t.Error("the key is taken for another kind")
			}
			for _, hash := range all {
				if test.ph && hash != crypto.SHA512 {
					if key.VerifyDigest(hash, st.Digest(hash, message), sig) {
						t.Errorf("%v is accepted", hash)
					}
					continue
				}
				sig := st.SignHash(t, test.key, hash, message)
				allowed := slices.Contains(test.hashes, hash)
				if got := key.VerifyDigest(hash, st.Digest(hash, message), sig); got != allowed {
					t.Errorf("a signature over the digest by %v: %t, want %t", hash, got, allowed)
				}
				if got := key.Verify(message, sig); got != (allowed && !test.ph) {
					t.Errorf("a signature with %v: %t", hash, got)
				}
				if got := key.VerifyHash(hash, message, sig); got != !test.ph {
					t.Errorf("a signature with %v, prescribed: %t", hash, got)
				}
				if key.VerifyDigest(hash, st.Digest(hash, message)[:20], sig) {
					t.Errorf("a short digest by %v is accepted", hash)
				}
			}
			if test.ph && !key.VerifyHash(crypto.SHA256, message, sig) {
				t.Error("a signature by Ed25519 depends on the hash function")
			}
			if !test.ph && key.VerifyHash(crypto.SHA1, message, sig) {
				t.Error("SHA-1 is accepted")
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	key := st.NewKey(t, elliptic.P256())
	spki := st.SPKI(t, key)
	k, err := pubkey.Parse(spki)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pubkey.New(st.NewKey(t, elliptic.P256()).Public())
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(spki)
	if !bytes.Equal(k.SPKI(), spki) || k.ID() != id || k.Fingerprint() != "0x"+hex.EncodeToString(id[:]) {
		t.Error("the key is not identified by its SubjectPublicKeyInfo")
	}
	if !k.Equal(k) || k.Equal(other) {
		t.Error("keys are compared wrongly")
	}
}

func TestRefuse(t *testing.T) {
	weak := st.NewRSA(t, 1024)
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.PublicKey{
		"P-224": st.NewKey(t, elliptic.P224()).Public(), "RSA 1024": weak.Public(), "RSA 8193": huge,
		"short Ed25519": ed25519.PublicKey("short"), "X25519": x25519.PublicKey(), "nothing": nil,
	} {
		if k, err := pubkey.New(key); k != nil || !errors.Is(err, pubkey.ErrWeak) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if k, err := pubkey.Parse(make([]byte, 5000)); k != nil || err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("large: %v", err)
	}
	if k, err := pubkey.Parse([]byte("x")); k != nil || err == nil {
		t.Errorf("garbage: %v", err)
	}
	if k, err := pubkey.ParsePKCS1(make([]byte, 5000)); k != nil || err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("large: %v", err)
	}
	if k, err := pubkey.ParsePKCS1([]byte("x")); k != nil || err == nil {
		t.Errorf("garbage: %v", err)
	}
	if k, err := pubkey.ParsePKCS1(x509.MarshalPKCS1PublicKey(&st.NewRSA(t, 2048).PublicKey)); k == nil || err != nil {
		t.Errorf("PKCS #1: %v", err)
	}
	if pubkey.Sum(crypto.SHA1, message) != nil {
		t.Error("SHA-1 has a digest")
	}
}

func TestParsePEM(t *testing.T) {
	one, two := st.PublicPEM(t, st.NewEd25519(t)), st.PublicPEM(t, st.NewKey(t, elliptic.P384()))
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})
	weak := st.PublicPEM(t, st.NewRSA(t, 1024))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	tests := map[string]struct {
		text []byte
		keys int
		want string
	}{
		"one":       {one, 1, ""},
		"two":       {join([]byte("# first\n"), one, []byte("# second\n"), two, []byte("# end\n")), 2, ""},
		"glued":     {join(bytes.TrimSpace(one), []byte("\n"), two), 2, ""},
		"none":      {[]byte("# nothing\n"), 0, "no PEM block"},
		"private":   {join(one, private), 0, "is no PUBLIC KEY"},
		"cut":       {join(one, two[:40]), 0, "malformed"},
		"weak":      {join(one, weak), 0, "public key 2: keys are ECDSA"},
		"too many":  {bytes.Repeat(one, 65), 0, "more than 64"},
		"too large": {make([]byte, pubkey.MaxPEM+1), 0, "larger than"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			keys, err := pubkey.ParsePEM(test.text)
			if len(keys) != test.keys || (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d keys, %v, want %d, %q", len(keys), err, test.keys, test.want)
			}
		})
	}
}

// FuzzParsePEM expects keys and errors to exclude each other, and what is read to be readable again.
func FuzzParsePEM(f *testing.F) {
	f.Add(st.PublicPEM(f, st.NewEd25519(f)))
	f.Add(st.PublicPEM(f, st.NewKey(f, elliptic.P256())))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := pubkey.ParsePEM(text)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys and %v", len(keys), err)
		}
		for _, key := range keys {
			again, err := pubkey.Parse(key.SPKI())
			if err != nil || !again.Equal(key) {
				t.Errorf("a key cannot be read again: %v", err)
			}
		}
	})
}
