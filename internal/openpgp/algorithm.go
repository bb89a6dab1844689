// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"crypto"
	_ "crypto/sha1" //nolint:gosec // Self-signatures of old keys, see the package comment.
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
)

// Public-key algorithms, RFC 9580 section 9.1 and RFC 9980.
const (
	algoRSA            = 1
	algoRSAEncryptOnly = 2
	algoRSASignOnly    = 3
	algoElGamal        = 16
	algoDSA            = 17
	algoECDSA          = 19
	algoElGamalSign    = 20
	algoEdDSA          = 22
	algoEd25519        = 27
	algoEd448          = 28

	// An EdDSA and an ML-DSA key (FIPS 204) that sign together. Both signatures must be valid.
	algoMLDSA65Ed25519 = 30
	algoMLDSA87Ed448   = 31
)

// digest is a digest algorithm, RFC 9580 section 9.5.
type digest struct {
	id   byte
	hash crypto.Hash // 0 if it is not computed here.

	// strong reports whether messages may be signed with it: it resists collisions.
	strong bool

	// saltSize is the size of the salt of a version 6 signature; 0 if such a signature must not use
	// the digest.
	saltSize int
}

// digestByID returns the digest algorithm with an ID. Algorithms that are not computed here have no
// hash: MD5, RIPEMD-160 and unknown ones.
func digestByID(id byte) digest {
	switch id {
	case 2:
		return digest{id: id, hash: crypto.SHA1}
	case 8:
		return digest{id: id, hash: crypto.SHA256, strong: true, saltSize: 16}
	case 9:
		return digest{id: id, hash: crypto.SHA384, strong: true, saltSize: 24}
	case 10:
		return digest{id: id, hash: crypto.SHA512, strong: true, saltSize: 32}
	case 11:
		return digest{id: id, hash: crypto.SHA224, strong: true, saltSize: 16}
	case 12:
		return digest{id: id, hash: crypto.SHA3_256, strong: true, saltSize: 16}
	case 14:
		return digest{id: id, hash: crypto.SHA3_512, strong: true, saltSize: 32}
	default:
		return digest{id: id}
	}
}

// isSHA2 reports whether the digest is of the SHA-2 family.
func (d digest) isSHA2() bool {
	return d.id >= 8 && d.id <= 11
}

// isRSA reports whether an algorithm makes RSA signatures. The IDs 1 and 3 name the same operation
// (section 12.4).
func isRSA(algorithm byte) bool {
	return algorithm == algoRSA || algorithm == algoRSASignOnly
}
