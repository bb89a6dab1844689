// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pubkey verifies signatures of the algorithms that sigstore uses, with public keys that
// meet a floor: ECDSA on P-256, P-384 and P-521, RSA from 2048 bits with PKCS #1 v1.5, and Ed25519.
//
// The key alone decides which hash functions a signature may use. Nothing beside the signature,
// such as the name of an algorithm in a document, has a say.
package pubkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// Bounds of a key.
const (
	// minRSA is the smallest modulus in bits.
	minRSA = 2048
	// maxRSA is the largest modulus in bits. It bounds the work that one signature costs.
	maxRSA = 8192
	// maxSPKI is the largest SubjectPublicKeyInfo in bytes: an RSA key of 8192 bits has 1062.
	maxSPKI = 4096
	// MaxPEM is the largest PEM file in bytes. A Secret or ConfigMap cannot hold more.
	MaxPEM = 1 << 20
	// MaxKeys is the largest number of keys in one PEM file.
	MaxKeys = 64
)

// ErrWeak is wrapped by errors about keys of an algorithm or size below the floor.
var ErrWeak = errors.New("keys are ECDSA on P-256, P-384 or P-521, RSA of 2048 to 8192 bits, or Ed25519")

// Key is a public key that meets the floor. It is not changed after it was made.
type Key struct {
	key  crypto.PublicKey
	spki []byte
	id   [sha256.Size]byte
}

// New returns a Key for a key of package crypto.
func New(key crypto.PublicKey) (*Key, error) {
	if err := checkFloor(key); err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("the key cannot be encoded: %w", ErrWeak)
	}
	return &Key{key: key, spki: spki, id: sha256.Sum256(spki)}, nil
}

// Parse reads a DER-encoded SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
func Parse(spki []byte) (*Key, error) {
	if len(spki) > maxSPKI {
		return nil, fmt.Errorf("the public key is larger than %d bytes", maxSPKI)
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, errors.New("the content is not a public key that can be used")
	}
	return New(key)
}

// ParsePKCS1 reads a DER-encoded RSAPublicKey (RFC 8017 appendix A.1.1).
func ParsePKCS1(der []byte) (*Key, error) {
	if len(der) > maxSPKI {
		return nil, fmt.Errorf("the public key is larger than %d bytes", maxSPKI)
	}
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return nil, errors.New("the content is not an RSA public key")
	}
	return New(key)
}

// ParsePEM reads every PUBLIC KEY block of a PEM file, at least one and at most MaxKeys. Text
// between the blocks is ignored; another kind of block is an error, and so is a key that cannot
// be used.
func ParsePEM(text []byte) ([]*Key, error) {
	blocks, err := Blocks(text, "PUBLIC KEY", MaxPEM, MaxKeys)
	if err != nil {
		return nil, err
	}
	keys := make([]*Key, len(blocks))
	for i, der := range blocks {
		if keys[i], err = Parse(der); err != nil {
			return nil, fmt.Errorf("public key %d: %w", i+1, err)
		}
	}
	return keys, nil
}

// Blocks returns the contents of all blocks of a PEM file (RFC 7468), which must be of one kind:
// at least 1 and at most maxBlocks in at most maxSize bytes. Text between the blocks is ignored.
func Blocks(text []byte, kind string, maxSize, maxBlocks int) ([][]byte, error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("the PEM text is larger than %d bytes", maxSize)
	}
	var blocks [][]byte
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		switch {
		case block.Type != kind:
			return nil, fmt.Errorf("a PEM block is no %s", kind)
		case len(blocks) == maxBlocks:
			return nil, fmt.Errorf("there are more than %d PEM blocks", maxBlocks)
		}
		blocks = append(blocks, block.Bytes)
		text = rest
	}
	switch {
	case bytes.Contains(text, []byte("-----BEGIN ")):
		return nil, errors.New("a PEM block is malformed")
	case len(blocks) == 0:
		return nil, fmt.Errorf("there is no PEM block %s", kind)
	}
	return blocks, nil
}

// checkFloor returns ErrWeak for keys of other algorithms and sizes.
func checkFloor(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if hashOf(key.Curve) != 0 {
			return nil
		}
	case *rsa.PublicKey:
		if size := key.N.BitLen(); minRSA <= size && size <= maxRSA {
			return nil
		}
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return nil
		}
	}
	return ErrWeak
}

// hashOf returns the hash function that goes with a curve, or 0 for other curves.
func hashOf(curve elliptic.Curve) crypto.Hash {
	switch curve {
	case elliptic.P256():
		return crypto.SHA256
	case elliptic.P384():
		return crypto.SHA384
	case elliptic.P521():
		return crypto.SHA512
	default:
		return 0
	}
}

// SPKI returns the DER-encoded SubjectPublicKeyInfo, which the caller must not change.
func (k *Key) SPKI() []byte { return k.spki }

// ID returns the SHA-256 digest of the SubjectPublicKeyInfo.
func (k *Key) ID() [sha256.Size]byte { return k.id }

// Fingerprint returns the ID as 0x and lower-case hexadecimal digits.
func (k *Key) Fingerprint() string { return "0x" + hex.EncodeToString(k.id[:]) }

// Equal reports whether two keys are the same.
func (k *Key) Equal(other *Key) bool { return bytes.Equal(k.spki, other.spki) }

// Ed25519 returns the 32 bytes of an Ed25519 key, or nil for other keys.
func (k *Key) Ed25519() []byte {
	key, _ := k.key.(ed25519.PublicKey)
	return key
}

// Verify reports whether the signature over message is the key's. P-384 and P-521 keys may have
// signed a SHA-256 digest instead of one of their own size, as older clients did; Ed25519 keys
// sign the message itself.
func (k *Key) Verify(message, signature []byte) bool {
	if key, ok := k.key.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, message, signature)
	}
	for _, hash := range k.Hashes() {
		if k.VerifyDigest(hash, Sum(hash, message), signature) {
			return true
		}
	}
	return false
}

// VerifyHash reports whether the signature over message is the key's, with one hash function that
// a standard prescribes. The hash function is ignored for Ed25519 keys, which sign the message.
func (k *Key) VerifyHash(hash crypto.Hash, message, signature []byte) bool {
	if key, ok := k.key.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, message, signature)
	}
	digest := Sum(hash, message)
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		return digest != nil && ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		return digest != nil && rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	default:
		return false
	}
}

// Hashes returns the hash functions that signatures by the key may use, the usual one first. For
// an Ed25519 key it is that of Ed25519ph (RFC 8032 section 5.1).
func (k *Key) Hashes() []crypto.Hash {
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		if usual := hashOf(key.Curve); usual != crypto.SHA256 {
			return []crypto.Hash{usual, crypto.SHA256}
		}
		return []crypto.Hash{crypto.SHA256}
	case ed25519.PublicKey:
		return []crypto.Hash{crypto.SHA512}
	default:
		return []crypto.Hash{crypto.SHA256}
	}
}

// VerifyDigest reports whether the signature over a message with this digest is the key's. The
// hash function must be one of Hashes.
func (k *Key) VerifyDigest(hash crypto.Hash, digest, signature []byte) bool {
	allowed := false
	for _, h := range k.Hashes() {
		allowed = allowed || h == hash
	}
	if !allowed || len(digest) != hash.Size() {
		return false
	}
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	case ed25519.PublicKey:
		return ed25519.VerifyWithOptions(key, digest, signature, &ed25519.Options{Hash: crypto.SHA512}) == nil
	default:
		return false
	}
}

// Sum returns the digest of message with SHA-256, SHA-384 or SHA-512, and nil for others.
func Sum(hash crypto.Hash, message []byte) []byte {
	switch hash {
	case crypto.SHA256:
		digest := sha256.Sum256(message)
		return digest[:]
	case crypto.SHA384:
		digest := sha512.Sum384(message)
		return digest[:]
	case crypto.SHA512:
		digest := sha512.Sum512(message)
		return digest[:]
	default:
		return nil
	}
}
