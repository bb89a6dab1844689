// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openpgptest writes OpenPGP keys and signed messages for tests: valid ones, and ones with
// defects that no signing program can produce. It shares no code with the package under test. Equal
// arguments give equal bytes, so that test vectors can be regenerated and compared.
//
// Secrets are derived from names: nothing here protects anything.
package openpgptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha3"   // For Digests.
	_ "crypto/sha512" // For Digests.
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/ed448"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
)

// Digest IDs of RFC 9580 section 9.5.
const (
	SHA1    = 2
	SHA256  = 8
	SHA384  = 9
	SHA512  = 10
	SHA224  = 11
	SHA3512 = 14
)

// Digests are the supported digests, by ID.
var Digests = map[byte]crypto.Hash{
	SHA1: crypto.SHA1, SHA256: crypto.SHA256, SHA384: crypto.SHA384,
	SHA512: crypto.SHA512, SHA224: crypto.SHA224, SHA3512: crypto.SHA3_512,
}

// Key is a secret key.
type Key struct {
	Version   byte
	Algorithm byte   // RFC 9580 section 9.1.
	Created   uint32 // Seconds since the epoch.
	Numbers   []byte // The algorithm's part of the public key.

	// sign returns the algorithm's part of a signature.
	sign func(hash crypto.Hash, digest []byte) []byte
}

// Ed25519 returns a key with algorithm 27.
func Ed25519(version byte, created uint32, name string) *Key {
	secret := ed25519.NewKeyFromSeed(seed(name, ed25519.SeedSize))
	return &Key{
		Version: version, Algorithm: 27, Created: created, Numbers: secret.Public().(ed25519.PublicKey),
		sign: func(_ crypto.Hash, digest []byte) []byte { return ed25519.Sign(secret, digest) },
	}
}

// EdDSA returns a key with the legacy algorithm 22, which GnuPG uses.
func EdDSA(created uint32, name string) *Key {
	k := Ed25519(4, created, name)
	native := k.sign
	oid := []byte{9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01}
	k.Algorithm, k.Numbers = 22, append(oid, mpi(append([]byte{0x40}, k.Numbers...))...)
	k.sign = func(hash crypto.Hash, digest []byte) []byte {
		s := native(hash, digest)
		return append(mpi(s[:32]), mpi(s[32:])...)
	}
	return k
}

// Ed448 returns a key with algorithm 28.
func Ed448(version byte, created uint32, name string) *Key {
	secret := ed448.NewKeyFromSeed(seed(name, ed448.SeedSize))
	return &Key{
		Version: version, Algorithm: 28, Created: created, Numbers: secret.Public().(ed448.PublicKey),
		sign: func(_ crypto.Hash, digest []byte) []byte { return ed448.Sign(secret, digest, "") },
	}
}

// MLDSA65 returns a version 6 key with algorithm 30, an Ed25519 and an ML-DSA-65 key.
func MLDSA65(created uint32, name string) *Key {
	return composite(30, Ed25519(6, created, name), mldsa65.Scheme(), name)
}

// MLDSA87 returns a version 6 key with algorithm 31, an Ed448 and an ML-DSA-87 key.
func MLDSA87(created uint32, name string) *Key {
	return composite(31, Ed448(6, created, name), mldsa87.Scheme(), name)
}

// composite adds a key of ML-DSA to one of EdDSA, RFC 9980. It signs without randomness, which
// FIPS 204 section 3.4 allows.
func composite(algorithm byte, k *Key, scheme sign.Scheme, name string) *Key {
	public, secret := scheme.DeriveKey(seed("ML-DSA "+name, scheme.SeedSize()))
	native := k.sign
	k.Algorithm, k.Numbers = algorithm, append(slices.Clone(k.Numbers), sure(public.MarshalBinary())...)
	k.sign = func(hash crypto.Hash, digest []byte) []byte {
		return append(native(hash, digest), scheme.Sign(secret, digest, nil)...)
	}
	return k
}

// curveIDs are the object identifiers of RFC 9580 section 9.2, with length.
var curveIDs = map[elliptic.Curve][]byte{
	elliptic.P256(): {8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07},
	elliptic.P384(): {5, 0x2b, 0x81, 0x04, 0x00, 0x22},
	elliptic.P521(): {5, 0x2b, 0x81, 0x04, 0x00, 0x23},
}

// ECDSA returns a key on one of the NIST curves.
func ECDSA(version byte, created uint32, curve elliptic.Curve, name string) *Key {
	scalar := seed(name, (curve.Params().BitSize+7)/8)
	scalar[0] = 0 // Below the order of every curve.
	secret := sure(ecdsa.ParseRawPrivateKey(curve, scalar))
	point := sure(secret.PublicKey.Bytes())
	return &Key{
		Version: version, Algorithm: 19, Created: created,
		Numbers: append(append([]byte{}, curveIDs[curve]...), mpi(point)...),
		sign: func(hash crypto.Hash, digest []byte) []byte {
			// Without a source of randomness it is deterministic (RFC 6979).
			der := sure(secret.Sign(nil, digest, hash))
			var s struct{ R, S *big.Int }
			sure(asn1.Unmarshal(der, &s))
			return append(mpi(s.R.Bytes()), mpi(s.S.Bytes())...)
		},
	}
}

// RSA returns a key with algorithm 1.
func RSA(created uint32, bits int, name string) *Key {
	secret := rsaKey(bits, name)
	return &Key{
		Version: 4, Algorithm: 1, Created: created,
		Numbers: append(mpi(secret.N.Bytes()), mpi(big.NewInt(int64(secret.E)).Bytes())...),
		sign: func(hash crypto.Hash, digest []byte) []byte {
			return mpi(sure(rsa.SignPKCS1v15(nil, secret, hash, digest)))
		},
	}
}

// Public returns a key with any algorithm and numbers. It cannot sign.
func Public(version, algorithm byte, created uint32, numbers []byte) *Key {
	return &Key{Version: version, Algorithm: algorithm, Created: created, Numbers: numbers}
}

// rsaKey searches primes from a seed: crypto/rsa has no deterministic key generation.
func rsaKey(bits int, name string) *rsa.PrivateKey {
	const exponent = 65537
	one := big.NewInt(1)
	var primes []*big.Int
	for i := 0; len(primes) < 2; i++ {
		candidate := new(big.Int).SetBytes(seed(name+string(rune('a'+i)), bits/16))
		candidate.SetBit(candidate.SetBit(candidate, bits/2-1, 1), bits/2-2, 1)
		candidate.SetBit(candidate, 0, 1)
		for !candidate.ProbablyPrime(10) ||
			new(big.Int).Mod(candidate, big.NewInt(exponent)).Cmp(one) == 0 {
			candidate.Add(candidate, big.NewInt(2))
		}
		primes = append(primes, candidate)
	}
	phi := new(big.Int).Mul(new(big.Int).Sub(primes[0], one), new(big.Int).Sub(primes[1], one))
	key := &rsa.PrivateKey{Primes: primes}
	key.N, key.E = new(big.Int).Mul(primes[0], primes[1]), exponent
	key.D = new(big.Int).ModInverse(big.NewInt(exponent), phi)
	key.Precompute()
	return key
}

// seed stretches a name to a number of octets.
func seed(name string, size int) []byte {
	var out []byte
	for i := uint32(0); len(out) < size; i++ {
		block := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("assay test key "+name), i))
		out = append(out, block[:]...)
	}
	return out[:size]
}

// mpi writes a multiprecision integer, RFC 9580 section 3.2.
func mpi(value []byte) []byte {
	n := new(big.Int).SetBytes(value)
	return append(binary.BigEndian.AppendUint16(nil, uint16(n.BitLen())), n.Bytes()...)
}

// sure returns a value whose computation cannot fail with fixed arguments. If it did, the output
// would not be accepted and the test would fail.
func sure[T any](value T, _ error) T { return value }

// Body returns the body of the public-key packet, RFC 9580 section 5.5.2.
func (k *Key) Body() []byte {
	body := binary.BigEndian.AppendUint32([]byte{k.Version}, k.Created)
	body = append(body, k.Algorithm)
	if k.Version == 6 {
		body = binary.BigEndian.AppendUint32(body, uint32(len(k.Numbers)))
	}
	return append(body, k.Numbers...)
}

// Hashed returns the key as it is hashed, RFC 9580 section 5.2.4.
func (k *Key) Hashed() []byte {
	body := k.Body()
	if k.Version == 6 {
		return append(binary.BigEndian.AppendUint32([]byte{0x9b}, uint32(len(body))), body...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{0x99}, uint16(len(body))), body...)
}

// Fingerprint returns the fingerprint, RFC 9580 section 5.5.4.
func (k *Key) Fingerprint() []byte {
	if k.Version == 6 {
		sum := sha256.Sum256(k.Hashed())
		return sum[:]
	}
	sum := sha1.Sum(k.Hashed())
	return sum[:]
}

// ID returns the key ID, RFC 9580 section 5.5.4.
func (k *Key) ID() []byte {
	if k.Version == 6 {
		return k.Fingerprint()[:8]
	}
	return k.Fingerprint()[12:]
}
