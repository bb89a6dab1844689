// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"encoding/asn1"
	"math/big"
	"testing"
)

// TestDERSignature compares the encoding with that of encoding/asn1, for integers of every length
// that occurs on a curve, with and without the highest bit.
func TestDERSignature(t *testing.T) {
	const size = 66 // P-521, whose signatures need the long form of a length.
	for length := 1; length <= size; length++ {
		for _, first := range []byte{0x01, 0x7f, 0x80, 0xff} {
			integer := append([]byte{first}, bytes.Repeat([]byte{0xa5}, length-1)...)
			got, ok := derSignature(append([]byte{0, 0}, integer...), []byte{first}, size)
			if !ok {
				t.Fatalf("an integer of %d octets is refused", length)
			}
			want, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(integer), new(big.Int).SetBytes([]byte{first})})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d octets beginning with %#x: got %x, want %x", length, first, got, want)
			}
		}
	}
	for name, c := range map[string][2][]byte{
		"no r": {nil, {1}}, "no s": {{1}, nil}, "r is zero": {{0, 0}, {1}}, "s is zero": {{1}, {0}},
		"r is too long": {bytes.Repeat([]byte{1}, size+1), {1}}, "s is too long": {{1}, bytes.Repeat([]byte{1}, 2048)},
	} {
		if _, ok := derSignature(c[0], c[1], size); ok {
			t.Errorf("%s: not refused", name)
		}
	}
}

// TestNISTCurves verifies signatures of the standard library, encoded as OpenPGP integers.
func TestNISTCurves(t *testing.T) {
	sum := sha512.Sum512([]byte("payload"))
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		secret, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key := &publicKey{verifier: &secret.PublicKey}
		for range 50 { // Leading zeros occur in one of 256.
			r, s, err := ecdsa.Sign(rand.Reader, secret, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			signed := &signature{material: [maxMaterialParts][]byte{r.Bytes(), s.Bytes()}}
			if !key.verifyDigest(signed, sum[:]) {
				t.Fatalf("%s: a good signature is refused", curve.Params().Name)
			}
			signed.material[1] = new(big.Int).Xor(s, big.NewInt(1)).Bytes()
			if key.verifyDigest(signed, sum[:]) {
				t.Fatalf("%s: a bad signature is accepted", curve.Params().Name)
			}
		}
	}
}
