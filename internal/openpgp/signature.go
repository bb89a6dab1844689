// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"hash"
	"math/bits"
	"slices"
)

// Signature types, RFC 9580 section 5.2.1.
const (
	typeBinary           = 0x00
	typeText             = 0x01
	typeGenericCert      = 0x10
	typePositiveCert     = 0x13
	typeSubkeyBinding    = 0x18
	typePrimaryBinding   = 0x19
	typeDirectKey        = 0x1f
	typeKeyRevocation    = 0x20
	typeSubkeyRevocation = 0x28
	typeCertRevocation   = 0x30
)

// Sizes inside a signature packet, RFC 9580 section 5.2.
const (
	v3HashedSize       = 5  // Type and creation time.
	v3Size             = 19 // All but the algorithm's own part.
	v4HeaderSize       = 6  // All before the hashed area.
	v6HeaderSize       = 8
	v4AreaSize         = 2 // The length of an area.
	v6AreaSize         = 4
	hashTagSize        = 2
	maxMaterialParts   = 2 // Integers of the algorithm's own part.
	ed448SignatureSize = 114
	mldsa65Size        = 3309 // FIPS 204 section 4, table 2.
	mldsa87Size        = 4627
)

// flagSign is the key flag "may sign data", section 5.2.3.29.
const flagSign = 0x02

// signature is a parsed signature packet. Its slices point into its body.
type signature struct {
	version   byte
	kind      byte
	algorithm byte // Public-key algorithm.
	digest    digest

	claims

	// hashed is the part of the packet that is hashed after the signed data: everything up to the
	// end of the hashed area, or type and time of a version 3 signature.
	hashed []byte

	salt    []byte // Version 6 only.
	hashTag []byte
	body    []byte

	// material is the algorithm's own part. RSA, Ed25519 and Ed448 have one value, ECDSA and EdDSA r
	// and s, and ML-DSA the signature of the EdDSA key before its own.
	material [maxMaterialParts][]byte

	// err is the reason why the parsed signature is not acceptable. A revocation counts
	// nevertheless.
	err *Error
}

// parseSignature splits the body of a signature packet, RFC 9580 section 5.2, into its parts. The
// body must not be changed afterwards.
func parseSignature(body []byte) (*signature, *Error) {
	if len(body) == 0 {
		return nil, damagedSignature()
	}
	s := &signature{version: body[0], body: body}
	var rest []byte
	var err *Error
	switch s.version {
	case 3:
		rest, err = s.splitV3(body)
	case 4:
		rest, err = s.split(body, v4HeaderSize, v4AreaSize)
	case 6:
		rest, err = s.split(body, v6HeaderSize, v6AreaSize)
	default:
		return nil, refuse(UnsupportedVersion,
			"the signature packet is not of version 3, 4 or 6 (5 is of LibrePGP): sign with a version 4 key")
	}
	if err != nil {
		return nil, err
	}
	if s.version == 6 {
		if rest, err = s.splitSalt(rest); err != nil {
			return nil, err
		}
	}
	return s, s.splitMaterial(rest)
}

func damagedSignature() *Error {
	return malformed("the signature packet is damaged")
}

// splitV3 reads the fixed part of a version 3 signature, section 5.2.2.
func (s *signature) splitV3(body []byte) (rest []byte, err *Error) {
	if len(body) < v3Size || body[1] != v3HashedSize {
		return nil, damagedSignature()
	}
	s.kind = body[2]
	s.hashed = body[2 : 2+v3HashedSize]
	s.created, s.hasCreated = int64(binary.BigEndian.Uint32(body[3:7])), true
	s.issuer.keyID, s.issuer.hasKeyID = binary.BigEndian.Uint64(body[7:15]), true
	s.algorithm = body[15]
	s.digest = digestByID(body[16])
	s.hashTag = body[17:v3Size]
	return body[v3Size:], nil
}

// split reads a version 4 or 6 signature up to the end of the hash tag, section 5.2.3. The length
// of an area takes areaSize octets.
func (s *signature) split(body []byte, headerSize, areaSize int) (rest []byte, err *Error) {
	if len(body) < headerSize {
		return nil, damagedSignature()
	}
	s.kind, s.algorithm, s.digest = body[1], body[2], digestByID(body[3])
	hashed, rest, ok := splitArea(body[headerSize-areaSize:], areaSize)
	if !ok {
		return nil, damagedSignature()
	}
	s.hashed = body[:headerSize+len(hashed)]
	unhashed, rest, ok := splitArea(rest, areaSize)
	if !ok || len(rest) < hashTagSize {
		return nil, damagedSignature()
	}
	s.hashTag, rest = rest[:hashTagSize], rest[hashTagSize:]
	s.note(s.claims.readHashed(hashed, s.version))
	s.note(s.claims.readUnhashed(unhashed))
	if !s.hasCreated {
		s.note(malformed("the signature has no creation time"))
	}
	return rest, nil
}

// note records the first error.
func (s *signature) note(err *Error) {
	if s.err == nil {
		s.err = err
	}
}

func splitArea(data []byte, lengthSize int) (area, rest []byte, ok bool) {
	if len(data) < lengthSize {
		return nil, nil, false
	}
	var length uint64
	for _, octet := range data[:lengthSize] {
		length = length<<8 | uint64(octet)
	}
	data = data[lengthSize:]
	if length > uint64(len(data)) {
		return nil, nil, false
	}
	return data[:length], data[length:], true
}

func (s *signature) splitSalt(rest []byte) ([]byte, *Error) {
	if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
		return nil, damagedSignature()
	}
	size := 1 + int(rest[0])
	s.salt = rest[1:size]
	if s.digest.hash != 0 && (s.digest.saltSize == 0 || len(s.salt) != s.digest.saltSize) {
		return nil, malformed("the salt of the signature has the wrong size for its digest")
	}
	return rest[size:], nil
}

// splitMaterial reads the algorithm's own part (sections 5.2.3.1 to 5.2.3.5), which must fill the
// packet. It ignores the part of an algorithm that is not accepted.
func (s *signature) splitMaterial(rest []byte) *Error {
	integers := 0
	switch s.algorithm {
	case algoRSA, algoRSASignOnly:
		integers = 1
	case algoECDSA, algoEdDSA:
		integers = 2
	case algoEd25519, algoEd448:
		size := ed25519.SignatureSize
		if s.algorithm == algoEd448 {
			size = ed448SignatureSize
		}
		if len(rest) != size {
			return damagedSignature()
		}
		s.material[0] = rest
		return nil
	case algoMLDSA65Ed25519, algoMLDSA87Ed448:
		return s.splitComposite(rest)
	case algoRSAEncryptOnly, algoElGamal, algoDSA, algoElGamalSign:
		s.note(refuse(WeakAlgorithm, "the signature's public-key algorithm is not accepted: "+
			"sign with RSA, ECDSA or EdDSA"))
		return nil
	default:
		s.note(refuse(UnsupportedAlgorithm, "the signature has a public-key algorithm that this version "+
			"does not support; sign with RSA, ECDSA or EdDSA as well"))
		return nil
	}
	for i := range integers {
		var ok bool
		if s.material[i], rest, ok = splitInteger(rest, s.version == 6); !ok {
			return damagedSignature()
		}
	}
	if len(rest) != 0 {
		return damagedSignature()
	}
	return nil
}

// splitComposite reads the signatures of an EdDSA and an ML-DSA key, RFC 9980. They exist in version
// 6 only.
func (s *signature) splitComposite(rest []byte) *Error {
	first, second := ed25519.SignatureSize, mldsa65Size
	if s.algorithm == algoMLDSA87Ed448 {
		first, second = ed448SignatureSize, mldsa87Size
	}
	switch {
	case s.version != 6:
		s.note(refuse(UnsupportedVersion, "signatures by ML-DSA keys are of version 6 only"))
		return nil
	case len(rest) != first+second:
		return damagedSignature()
	}
	s.material[0], s.material[1] = rest[:first], rest[first:]
	return nil
}

// splitInteger reads a multiprecision integer, RFC 9580 section 3.2. It accepts leading zeros,
// which old versions of GnuPG wrote, unless the length must be exact, as in version 6 signatures.
func splitInteger(data []byte, exact bool) (integer, rest []byte, ok bool) {
	if len(data) < 2 {
		return nil, nil, false
	}
	length := int(binary.BigEndian.Uint16(data)) // In bits.
	size := (length + 7) / 8
	data = data[2:]
	if length > maxRSABits || size > len(data) {
		return nil, nil, false
	}
	integer = data[:size]
	if exact && (size == 0 || size*8-length != bits.LeadingZeros8(integer[0])) {
		return nil, nil, false
	}
	return integer, data[size:], true
}

// startHash begins the hash of the signed data, RFC 9580 section 5.2.4. The digest must have a
// hash.
func (s *signature) startHash() hash.Hash {
	h := s.digest.hash.New()
	h.Write(s.salt)
	return h
}

// finishHash adds the signature's own fields, section 5.2.4, and returns the signed digest.
func (s *signature) finishHash(h hash.Hash) []byte {
	h.Write(s.hashed)
	if s.version != 3 {
		var trailer [6]byte
		trailer[0], trailer[1] = s.version, 0xff
		binary.BigEndian.PutUint32(trailer[2:], uint32(len(s.hashed))) //nolint:gosec // At most maxKeyFileSize.
		h.Write(trailer[:])
	}
	return h.Sum(nil)
}

// mayBeIssuedBy reports whether the signature's hints allow the key as its issuer. Without hints,
// any key is allowed.
func (s *signature) mayBeIssuedBy(k *publicKey) bool {
	return s.issuer.allows(k) && s.unhashedIssuer.allows(k)
}

// allows reports whether a hint may refer to the key. A key ID of zero names none.
func (h *issuerHint) allows(k *publicKey) bool {
	if h.hasKeyID && h.keyID != 0 && h.keyID != k.keyID {
		return false
	}
	return h.fingerprint == nil || bytes.Equal(h.fingerprint, k.fingerprint)
}

// issuers returns the key IDs in the signature's hints, sorted.
func (s *signature) issuers() []uint64 {
	signed, unsigned := s.issuer.keyIDs(), s.unhashedIssuer.keyIDs()
	ids := slices.DeleteFunc(slices.Concat(signed[:], unsigned[:]), func(id uint64) bool { return id == 0 })
	return sortedIDs(ids)
}

// tagFits reports whether the digest over data begins as the signature states (RFC 9580 section
// 5.2.4: two octets, "to provide a way to reject some invalid signatures"). A digest that is not
// computed here fits everything.
func (s *signature) tagFits(data []byte) bool {
	if s.digest.hash == 0 {
		return true
	}
	h := s.startHash()
	h.Write(data)
	return bytes.Equal(s.hashTag, s.finishHash(h)[:hashTagSize])
}

// keyIDs returns the key IDs of a hint, its own and that of its fingerprint (RFC 9580 section
// 5.5.4); zero stands for none.
func (h *issuerHint) keyIDs() (ids [2]uint64) {
	if h.hasKeyID {
		ids[0] = h.keyID
	}
	switch {
	case h.fingerprint == nil:
	case h.fingerprintVersion == 6:
		ids[1] = binary.BigEndian.Uint64(h.fingerprint)
	default:
		ids[1] = binary.BigEndian.Uint64(h.fingerprint[len(h.fingerprint)-8:])
	}
	return ids
}
