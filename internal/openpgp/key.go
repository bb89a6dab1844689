// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"math/big"
	"strconv"

	pgpecdsa "github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	pgped25519 "github.com/ProtonMail/go-crypto/openpgp/ed25519"
	"github.com/ProtonMail/go-crypto/openpgp/ed448"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/mldsa_eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// publicKey is a primary key or a subkey. It is immutable once parsed.
type publicKey struct {
	version     byte
	algorithm   byte
	created     int64 // Seconds since the epoch.
	fingerprint []byte
	keyID       uint64

	// fingerprintHex is the fingerprint in upper-case hexadecimal.
	fingerprintHex string

	// name is the algorithm with its size or curve, such as "RSA-4096".
	name string

	// weakness is the reason why signatures of the key are not accepted; empty if they are. If the
	// key is unsupported, it says nothing about the key's strength.
	weakness    string
	unsupported bool

	// minDigest is the minimum size of a digest that the key may sign, in octets.
	minDigest int

	// cost estimates how long verifying one signature takes, in microseconds.
	cost int

	// hashed is the form of the key that is hashed into signatures over it, RFC 9580 section 5.2.4.
	hashed []byte

	// verifier is one of the types that verifyDigest knows.
	verifier any
}

var errDamagedKey = errors.New("its packet is damaged")

// parsePublicKey reads the body of a public-key or public-subkey packet, RFC 9580 section 5.5.2.
// [KeyFile.Problems] may show the error.
func parsePublicKey(body []byte) (*publicKey, error) {
	if len(body) < 6 {
		return nil, errDamagedKey
	}
	switch version := body[0]; version {
	case 4, 6:
	case 5:
		return nil, errors.New("it is of version 5, which LibrePGP defines; only 4 and 6 are accepted: " +
			"make one with gpg --quick-generate-key NAME ed25519")
	default:
		return nil, errors.New("it is of version " + strconv.Itoa(int(version)) + "; only 4 and 6 are accepted")
	}
	framed := make([]byte, 0, len(body)+6)
	framed = append(framed, 0xc0|byte(tagPublicKey), 0xff)
	framed = binary.BigEndian.AppendUint32(framed, uint32(len(body))) //nolint:gosec // At most maxKeyFileSize.
	reader := bytes.NewReader(append(framed, body...))
	parsed, err := packet.Read(reader)
	pk, ok := parsed.(*packet.PublicKey)
	if err != nil || !ok {
		return nil, errors.New("its algorithm or form is not supported")
	}
	// The library stops where the algorithm's numbers end and ignores the length that a version 6
	// key states.
	if reader.Len() != 0 || body[0] == 6 && !lengthMatches(body) {
		return nil, errDamagedKey
	}
	var hashed bytes.Buffer
	if err := pk.SerializeForHash(&hashed); err != nil {
		return nil, errDamagedKey
	}
	k := &publicKey{
		version:     body[0],
		algorithm:   body[5],
		created:     pk.CreationTime.Unix(),
		fingerprint: pk.Fingerprint,
		keyID:       pk.KeyId,
		hashed:      hashed.Bytes(),
		verifier:    pk.PublicKey,
	}
	k.fingerprintHex = hexadecimal("", k.fingerprint)
	k.assess(pk)
	return k, nil
}

// lengthMatches reports whether a version 6 key states the correct length of its algorithm's
// numbers.
func lengthMatches(body []byte) bool {
	const fixed = 10
	return len(body) >= fixed && int64(binary.BigEndian.Uint32(body[6:fixed])) == int64(len(body)-fixed)
}

// assess sets the name, weakness, minimum digest and cost of the key.
func (k *publicKey) assess(pk *packet.PublicKey) {
	switch key := k.verifier.(type) {
	case *rsa.PublicKey:
		k.assessRSA(key)
	case *pgpecdsa.PublicKey:
		curve, _ := pk.Curve()
		k.assessECDSA(string(curve))
		k.useNIST(key)
	case *eddsa.PublicKey:
		k.name, k.minDigest, k.cost = "Ed448", 64, costEd448
		if curve, _ := pk.Curve(); curve == packet.Curve25519 {
			k.useEd25519(key.X)
		}
	case *pgped25519.PublicKey:
		k.useEd25519(key.Point)
	case *ed448.PublicKey:
		k.name, k.minDigest, k.cost = "Ed448", 64, costEd448
	case *mldsa_eddsa.PublicKey:
		k.useComposite(key)
	default:
		k.assessOther()
	}
	if k.weakness != "" {
		k.cost = 0 // Nothing is computed with it.
	}
}

func (k *publicKey) assessRSA(key *rsa.PublicKey) {
	bits := key.N.BitLen()
	k.name, k.cost = "RSA-"+strconv.Itoa(bits), rsaCost(bits, key.E)
	switch {
	case !isRSA(k.algorithm):
		k.weakness = "the RSA key is for encryption only"
	case bits < minRSABits:
		k.weakness = "RSA keys of less than " + strconv.Itoa(minRSABits) + " bits are not accepted"
	case bits > maxRSABits:
		k.weakness = "RSA keys of more than " + strconv.Itoa(maxRSABits) + " bits are not accepted"
	}
}

// useEd25519 switches to the standard library's implementation, the fastest available. It panics on
// keys of another size, which the parser should refuse.
func (k *publicKey) useEd25519(point []byte) {
	k.name, k.minDigest, k.cost, k.verifier = "Ed25519", 32, costEd25519, ed25519.PublicKey(point)
	if len(point) != ed25519.PublicKeySize {
		k.weakness = "the Ed25519 key is damaged"
	}
}

// assessECDSA names the curve and sets the minimum digest of RFC 9580 section 5.2.3.2: the size of
// the field, and 512 bits for P-521.
func (k *publicKey) assessECDSA(curve string) {
	curves := []struct {
		curve, name     string
		minDigest, cost int
	}{
		{"P256", "P-256", 32, costP256},
		{"P384", "P-384", 48, costP384},
		{"P521", "P-521", 64, costP521},
		{"SecP256k1", "secp256k1", 32, costSecp256k1},
		{"BrainpoolP256", "brainpoolP256r1", 32, costBrainpoolP256r1},
		{"BrainpoolP384", "brainpoolP384r1", 48, costBrainpoolP384r1},
		{"BrainpoolP512", "brainpoolP512r1", 64, costBrainpoolP512r1},
	}
	for _, c := range curves {
		if c.curve == curve {
			k.name, k.minDigest, k.cost = "ECDSA-"+c.name, c.minDigest, c.cost
			return
		}
	}
	k.name, k.weakness = "ECDSA", "the elliptic curve of the key is not accepted"
}

// useNIST switches to the standard library's implementation for the curves that it supports: it
// does not convert key and signature for each verification as go-crypto's wrapper does.
func (k *publicKey) useNIST(key *pgpecdsa.PublicKey) {
	curves := map[string]elliptic.Curve{
		"ECDSA-P-256": elliptic.P256(), "ECDSA-P-384": elliptic.P384(), "ECDSA-P-521": elliptic.P521(),
	}
	curve, ok := curves[k.name]
	if !ok {
		return
	}
	standard, err := ecdsa.ParseUncompressedPublicKey(curve, key.MarshalPoint())
	if err != nil {
		k.weakness = "the ECDSA key is damaged"
		return
	}
	k.verifier = standard
}

// assessOther names the algorithm of a key whose signatures are not accepted.
func (k *publicKey) assessOther() {
	switch k.algorithm {
	case algoDSA:
		k.name = "DSA"
	case algoElGamal, algoElGamalSign:
		k.name = "ElGamal"
	case 18, 25, 26:
		k.name = "ECDH"
	case 32, 33, 34:
		k.name, k.unsupported = "SLH-DSA", true
	default:
		k.name, k.unsupported = "algorithm "+strconv.Itoa(int(k.algorithm)), true
	}
	k.weakness = k.name + " keys are not accepted: use RSA, ECDSA or EdDSA"
	if k.unsupported {
		k.weakness = k.name + " keys are not supported by this version: use RSA, ECDSA or EdDSA"
	}
}

// refuseAlgorithm is the refusal of a key with a weakness.
func (k *publicKey) refuseAlgorithm() *Error {
	if k.unsupported {
		return refuse(UnsupportedAlgorithm, k.weakness)
	}
	return refuse(WeakAlgorithm, k.weakness)
}

// fingerprintText returns the fingerprint in upper-case hexadecimal.
func (k *publicKey) fingerprintText() string {
	return k.fingerprintHex
}

// hexadecimal writes octets in upper-case hexadecimal after a prefix.
func hexadecimal(prefix string, octets []byte) string {
	const digits = "0123456789ABCDEF"
	text := make([]byte, 0, 2+2*maxFingerprintSize)
	text = append(text, prefix...)
	for _, octet := range octets {
		text = append(text, digits[octet>>4], digits[octet&0xf])
	}
	return string(text)
}

// checkCompatible returns why the key cannot have made the signature, or may not have made it in
// this way, before any cryptography.
func (k *publicKey) checkCompatible(s *signature) *Error {
	switch {
	case k.weakness != "":
		return k.refuseAlgorithm()
	case s.algorithm != k.algorithm && !(isRSA(s.algorithm) && isRSA(k.algorithm)):
		return refuse(BadSignature, "the signature and its key are of different algorithms")
	case s.version == 6 != (k.version == 6): // Sections 5.2.3 and 10.3.2.2.
		return refuse(BadSignature, "the signature and its key are of different versions")
	case s.digest.hash == 0:
		return refuse(WeakAlgorithm, "the digest of the signature is not accepted")
	case s.digest.hash.Size() < k.minDigest:
		return refuse(WeakAlgorithm, "the digest of the signature is too short for the key's curve")
	default:
		return nil
	}
}

// verifyDigest reports whether the key made the signature over a digest. The key must be compatible
// with the signature.
func (k *publicKey) verifyDigest(s *signature, sum []byte) bool {
	switch key := k.verifier.(type) {
	case *rsa.PublicKey:
		padded := padTo(s.material[0], key.Size())
		return rsa.VerifyPKCS1v15(key, s.digest.hash, sum, padded) == nil
	case *ecdsa.PublicKey:
		signed, ok := derSignature(s.material[0], s.material[1], (key.Params().BitSize+7)/8)
		return ok && ecdsa.VerifyASN1(key, sum, signed)
	case *pgpecdsa.PublicKey:
		r := new(big.Int).SetBytes(s.material[0])
		return pgpecdsa.Verify(key, sum, r, new(big.Int).SetBytes(s.material[1]))
	case ed25519.PublicKey:
		signed, ok := s.ed25519Signature()
		return ok && ed25519.Verify(key, sum, signed)
	case *eddsa.PublicKey:
		return eddsa.Verify(key, sum, s.material[0], s.material[1])
	case *ed448.PublicKey:
		return ed448.Verify(key, sum, s.material[0])
	case *compositeKey:
		return key.verify(s, sum)
	default:
		return false
	}
}

// derSignature encodes the integers of an ECDSA signature as the SEQUENCE of two INTEGERs that
// crypto/ecdsa expects (RFC 3279 section 2.2.3). It refuses integers with more octets than the
// field of the curve.
func derSignature(r, s []byte, size int) (der []byte, ok bool) {
	r, s = bytes.TrimLeft(r, "\x00"), bytes.TrimLeft(s, "\x00")
	if len(r) == 0 || len(s) == 0 || len(r) > size || len(s) > size {
		return nil, false
	}
	const overhead = 9 // Three headers, one of which may be long, and two signs.
	b := cryptobyte.NewBuilder(make([]byte, 0, overhead+len(r)+len(s)))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addInteger(b, r)
		addInteger(b, s)
	})
	der, err := b.Bytes()
	return der, err == nil
}

// addInteger writes a positive integer of at most 66 octets, without leading zeros, as an INTEGER. Its
// length is one octet, which is written here: a Builder for it alone would cost two allocations.
func addInteger(b *cryptobyte.Builder, octets []byte) {
	sign := octets[0] >> 7 // Without a zero in front it would be negative.
	b.AddUint8(uint8(asn1.INTEGER))
	b.AddUint8(uint8(len(octets)) + sign) //nolint:gosec // See above.
	if sign != 0 {
		b.AddUint8(0)
	}
	b.AddBytes(octets)
}

// ed25519Signature returns the octets of RFC 8032. The legacy form has them as two integers without
// their leading zeros (RFC 9580 section 5.2.3.3.1).
func (s *signature) ed25519Signature() (signed []byte, ok bool) {
	if s.algorithm == algoEd25519 {
		return s.material[0], true
	}
	const half = ed25519.SignatureSize / 2
	r, second := padTo(s.material[0], half), padTo(s.material[1], half)
	if len(r) != half || len(second) != half {
		return nil, false
	}
	return append(r[:half:half], second...), true
}

// padTo puts back the leading zeros that an OpenPGP integer lacks.
func padTo(integer []byte, size int) []byte {
	if len(integer) >= size {
		return integer
	}
	padded := make([]byte, size)
	copy(padded[size-len(integer):], integer)
	return padded
}

// verify reports whether the key made the signature over the concatenated parts.
func (k *publicKey) verify(s *signature, parts ...[]byte) bool {
	if k.checkCompatible(s) != nil {
		return false
	}
	h := s.startHash()
	for _, part := range parts {
		h.Write(part)
	}
	return k.verifyDigest(s, s.finishHash(h))
}
