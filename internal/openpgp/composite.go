// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"crypto/ed25519"

	"github.com/ProtonMail/go-crypto/openpgp/ed448"
	"github.com/ProtonMail/go-crypto/openpgp/mldsa_eddsa"
	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
)

// compositeKey is a pair of an EdDSA and an ML-DSA key (RFC 9980), both of which make each
// signature. The ML-DSA key is kept as it is written and expanded for each verification: expanded
// it takes up to 60 KiB, and a key file has room for 500.
type compositeKey struct {
	point  []byte // Of EdDSA.
	packed []byte // The key of ML-DSA.
	scheme sign.Scheme
	eddsa  func(point, message, signature []byte) bool
}

// useComposite sets what a pair of keys has. RFC 9980 asks for a digest of 256 bits for both pairs,
// and for version 6, which the parser enforces.
func (k *publicKey) useComposite(key *mldsa_eddsa.PublicKey) {
	pair := &compositeKey{point: key.PublicPoint}
	switch k.algorithm {
	case algoMLDSA65Ed25519:
		k.name, k.cost = "ML-DSA-65+Ed25519", costMLDSA65
		pair.scheme, pair.eddsa = mldsa65.Scheme(), verifyEd25519
	default:
		k.name, k.cost = "ML-DSA-87+Ed448", costMLDSA87
		pair.scheme, pair.eddsa = mldsa87.Scheme(), verifyEd448
	}
	k.minDigest, k.verifier = 32, pair
	var err error
	if pair.packed, err = key.PublicMldsa.MarshalBinary(); err != nil {
		k.weakness = "the ML-DSA key is damaged"
	}
}

// verify reports whether both keys have signed a digest.
func (k *compositeKey) verify(s *signature, sum []byte) bool {
	if !k.eddsa(k.point, sum, s.material[0]) {
		return false
	}
	public, err := k.scheme.UnmarshalBinaryPublicKey(k.packed)
	return err == nil && k.scheme.Verify(public, sum, s.material[1], nil)
}

// verifyEd25519 is ed25519.Verify, which panics on keys of another size.
func verifyEd25519(point, message, signature []byte) bool {
	return len(point) == ed25519.PublicKeySize && ed25519.Verify(point, message, signature)
}

func verifyEd448(point, message, signature []byte) bool {
	return ed448.Verify(&ed448.PublicKey{Point: point}, message, signature)
}
