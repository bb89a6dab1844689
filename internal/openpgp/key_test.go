// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"crypto/elliptic"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// number encodes a multiprecision integer with the given number of bits.
func number(bits int) []byte {
	value := bytes.Repeat([]byte{0xff}, (bits+7)/8)
	value[0] >>= uint(len(value)*8 - bits)
	return append([]byte{byte(bits >> 8), byte(bits)}, value...)
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParsePublicKey(t *testing.T) {
	type result struct{ Name, Weakness, Err string }
	exponent := []byte{0, 17, 1, 0, 1}
	rsa := func(algorithm byte, bits int) *pgp.Key {
		return pgp.Public(4, algorithm, testKeyTime, join(number(bits), exponent))
	}
	p256 := pgp.ECDSA(4, testKeyTime, elliptic.P256(), "p256")
	offCurve := *p256
	offCurve.Numbers = bytes.Clone(p256.Numbers)
	offCurve.Numbers[len(offCurve.Numbers)-1] ^= 1
	ecdh := pgp.Public(4, 18, testKeyTime, join(p256.Numbers, []byte{3, 1, 8, 7}))
	shortEdDSA := *pgp.EdDSA(testKeyTime, "eddsa")
	shortEdDSA.Numbers = join(shortEdDSA.Numbers[:10], []byte{0, 15, 0x40, 1})
	legacyV6 := *pgp.EdDSA(testKeyTime, "eddsa")
	legacyV6.Version = 6
	v6 := pgp.Ed25519(6, testKeyTime, "v6").Body()
	v6Length := bytes.Clone(v6)
	v6Length[9]++
	tests := map[string]struct {
		body []byte
		want result
	}{
		"RSA sign only":    {rsa(3, 3072).Body(), result{Name: "RSA-3072"}},
		"RSA encrypt only": {rsa(2, 3072).Body(), result{"RSA-3072", "the RSA key is for encryption only", ""}},
		"RSA 2047":         {rsa(1, 2047).Body(), result{"RSA-2047", "RSA keys of less than 2048 bits are not accepted", ""}},
		"RSA 16384":        {rsa(1, 16384).Body(), result{Name: "RSA-16384"}},
		"RSA 16392":        {rsa(1, 16392).Body(), result{"RSA-16392", "RSA keys of more than 16384 bits are not accepted", ""}},
		"DSA": {pgp.Public(4, 17, 0, join(number(2048), number(256), number(2048), number(2048))).Body(),
			result{"DSA", "DSA keys are not accepted: use RSA, ECDSA or EdDSA", ""}},
		"ElGamal": {pgp.Public(4, 16, 0, join(number(2048), number(3), number(2048))).Body(),
			result{"ElGamal", "ElGamal keys are not accepted: use RSA, ECDSA or EdDSA", ""}},
		"ECDH": {ecdh.Body(), result{"ECDH", "ECDH keys are not accepted: use RSA, ECDSA or EdDSA", ""}},
		"X25519": {pgp.Public(4, 25, 0, make([]byte, 32)).Body(),
			result{"ECDH", "ECDH keys are not accepted: use RSA, ECDSA or EdDSA", ""}},
		"ML-DSA-65":            {pgp.MLDSA65(0, "a").Body(), result{Name: "ML-DSA-65+Ed25519"}},
		"ML-DSA-87":            {pgp.MLDSA87(0, "a").Body(), result{Name: "ML-DSA-87+Ed448"}},
		"ML-DSA in version 4":  {pgp.Public(4, 30, 0, make([]byte, 32+1952)).Body(), result{Err: "its algorithm or form is not supported"}},
		"ML-DSA, cut":          {pgp.Public(6, 30, 0, make([]byte, 32+1951)).Body(), result{Err: "its algorithm or form is not supported"}},
		"ML-DSA, too long":     {pgp.Public(6, 30, 0, make([]byte, 32+1953)).Body(), result{Err: "its packet is damaged"}},
		"SLH-DSA":              {pgp.Public(6, 32, 0, make([]byte, 32)).Body(), result{"SLH-DSA", "SLH-DSA keys are not supported by this version: use RSA, ECDSA or EdDSA", ""}},
		"ML-KEM":               {pgp.Public(6, 35, 0, make([]byte, 32+1184)).Body(), result{"algorithm 35", "algorithm 35 keys are not supported by this version: use RSA, ECDSA or EdDSA", ""}},
		"not on the curve":     {offCurve.Body(), result{Err: "its algorithm or form is not supported"}},
		"unknown curve":        {pgp.Public(4, 19, 0, join([]byte{2, 1, 2}, number(256))).Body(), result{Err: "its algorithm or form is not supported"}},
		"short legacy Ed25519": {shortEdDSA.Body(), result{Err: "its algorithm or form is not supported"}},
		"legacy in version 6":  {legacyV6.Body(), result{Err: "its algorithm or form is not supported"}},
		"version 6":            {v6, result{Name: "Ed25519"}},
		"version 6, length":    {v6Length, result{Err: "its packet is damaged"}},
		"version 5": {append([]byte{5}, v6[1:]...), result{Err: "it is of version 5, which LibrePGP defines; only 4 and 6 are accepted: " +
			"make one with gpg --quick-generate-key NAME ed25519"}},
		"brainpoolP256r1": {pgp.Public(4, 19, 0, unhex(t, "092b2403030208010107"+
			"0203048bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997")).Body(),
			result{Name: "ECDSA-brainpoolP256r1"}},
		"secp256k1": {pgp.Public(4, 19, 0, unhex(t, "052b8104000a"+
			"02030479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")).Body(),
			result{Name: "ECDSA-secp256k1"}},
	}
	for name, test := range tests {
		k, err := parsePublicKey(test.body)
		var got result
		if err != nil {
			got.Err = err.Error()
		} else {
			got.Name, got.Weakness = k.name, k.weakness
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestFingerprint compares fingerprints with those that openpgptest computes independently.
func TestFingerprint(t *testing.T) {
	for name, k := range map[string]*pgp.Key{
		"version 4": testAlice,
		"version 6": pgp.Ed25519(6, testKeyTime, "v6"),
		"RSA":       pgp.RSA(testKeyTime, 2048, "rsa2048"),
		"EdDSA":     pgp.EdDSA(testKeyTime, "eddsa"),
	} {
		parsed, err := parsePublicKey(k.Body())
		if err != nil || !bytes.Equal(parsed.fingerprint, k.Fingerprint()) || !bytes.Equal(parsed.hashed, k.Hashed()) {
			t.Errorf("%s: another fingerprint, or %v", name, err)
		}
	}
}

// TestCheckCompatible: a signature that a key cannot have made is refused before any cryptography.
func TestCheckCompatible(t *testing.T) {
	ed, err := parsePublicKey(testAlice.Body())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		s    signature
		want *Error
	}{
		"fit":       {signature{version: 4, algorithm: algoEd25519, digest: digestByID(10)}, nil},
		"algorithm": {signature{version: 4, algorithm: algoRSA, digest: digestByID(10)}, refuse(BadSignature, "the signature and its key are of different algorithms")},
		"version":   {signature{version: 6, algorithm: algoEd25519, digest: digestByID(10)}, refuse(BadSignature, "the signature and its key are of different versions")},
		"MD5":       {signature{version: 4, algorithm: algoEd25519, digest: digestByID(1)}, refuse(WeakAlgorithm, "the digest of the signature is not accepted")},
		"SHA-224":   {signature{version: 4, algorithm: algoEd25519, digest: digestByID(11)}, refuse(WeakAlgorithm, "the digest of the signature is too short for the key's curve")},
		"SHA3-256":  {signature{version: 4, algorithm: algoEd25519, digest: digestByID(12)}, nil},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, ed.checkCompatible(&test.s)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if new(publicKey).verifyDigest(&signature{}, nil) {
		t.Error("a zero key verifies a signature")
	}
}

func TestPadTo(t *testing.T) {
	for text, want := range map[string]string{"": "\x00\x00\x00", "ab": "\x00ab", "abc": "abc", "abcd": "abcd"} {
		if got := string(padTo([]byte(text), 3)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestSameKeyID: a fingerprint that shares only its key ID, or only the other half, with a trusted
// key does not name it.
func TestSameKeyID(t *testing.T) {
	s := testAlice.Standard(pgp.TypeBinary, testKeyTime)
	fingerprint := testAlice.Fingerprint()
	fingerprint[0] ^= 1
	s.Hashed = join(pgp.Sub32(pgp.SubCreated, testKeyTime), pgp.Sub(pgp.SubIssuerFingerprint, append([]byte{4}, fingerprint...)...))
	ring := NewKeyring(readKeysFrom(t, testAlice.Simple("alice")))
	_, err := verify(ring, testAlice.Message(s, nil), Options{Now: testNow})
	if asError(t, err).Code != UnknownKey {
		t.Errorf("got %v", err)
	}
}

// TestLegacyEd25519Integers: a signature whose r and s are longer than the curve's numbers is
// refused.
func TestLegacyEd25519Integers(t *testing.T) {
	k := pgp.EdDSA(testKeyTime, "eddsa")
	ring := NewKeyring(readKeysFrom(t, k.Simple("eddsa")))
	s := k.Standard(pgp.TypeBinary, testKeyTime)
	body := k.Sign(s, nil)
	body = join(body[:len(body)-2*34], number(264), number(256))
	message := join(pgp.Packet(pgp.TagOnePass, k.OnePass(s)), pgp.Packet(pgp.TagLiteral, pgp.Literal(nil)),
		pgp.Packet(pgp.TagSignature, body))
	_, err := verify(ring, message, Options{Now: testNow})
	if asError(t, err).Code != BadSignature {
		t.Errorf("got %v", err)
	}
}
