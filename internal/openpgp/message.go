// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/assay-project/assay/internal/filekind"
)

// Message is a signed message whose form is accepted and whose signature is not verified yet. It is
// immutable and keeps no reference to the parsed content. Nothing may be decided by its payload
// before [Keyring.Verify] succeeds.
type Message struct {
	untrustedPayload []byte
	signature        signature
	onePass          onePass
}

// onePass is a one-pass signature packet, RFC 9580 section 5.4.
type onePass struct {
	version, kind, digestID, algorithm byte

	issuer issuerHint // Key ID (version 3) or fingerprint (version 6).
	salt   []byte     // Version 6 only.
}

// ParseMessage parses an atomic container signature: a binary OpenPGP signed message of at most 256
// KiB, as described in the package comment. It checks sizes, packet sequence and the properties
// that the signature states, and computes no digest. The error is an [*Error] with the code
// Malformed, UnsupportedVersion or WeakAlgorithm.
func ParseMessage(content []byte) (*Message, error) {
	return ParseMessageWithin(content, func() bool { return true })
}

// ParseMessageWithin is ParseMessage for callers that bound the work on many messages. It calls
// spend before each decompression of BZIP2, which takes up to 20 ms and 4 MiB, a hundred times
// what the other steps take, and before it decompresses more than 16 KiB of anything else, which
// takes ten times as long. When spend returns false, the error has the code OverBudget.
func ParseMessageWithin(content []byte, spend func() bool) (*Message, error) {
	if len(content) > maxContentSize {
		return nil, malformed("the content is larger than 256 KiB; signatures take a few kilobytes")
	}
	m, err := readLevel(content, 0, spend)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// UnverifiedIssuer returns the key that the message names: "0x" and the full fingerprint in
// upper-case hexadecimal if the signed part of the signature (or a version 6 one-pass packet) has
// one, else "0x" and the key ID of 16 digits, else "". Anybody can write any value there.
func (m *Message) UnverifiedIssuer() string {
	hints := [...]*issuerHint{&m.signature.issuer, &m.onePass.issuer, &m.signature.unhashedIssuer}
	for _, h := range hints[:2] {
		if h.fingerprint != nil {
			return hexadecimal("0x", h.fingerprint)
		}
	}
	for _, h := range hints {
		if h.hasKeyID && h.keyID != 0 {
			return hexadecimal("0x", binary.BigEndian.AppendUint64(nil, h.keyID))
		}
	}
	return ""
}

// UnverifiedPayload returns the content that the message claims to sign, for hints to the person who
// stored it. Anybody can write any value there: only what [Keyring.Verify] returns is signed. The
// caller must not change it.
func (m *Message) UnverifiedPayload() []byte { return m.untrustedPayload }

// readLevel reads a message nested in level compressed packets.
func readLevel(data []byte, level int, spend func() bool) (*Message, *Error) {
	first, rest, err := nextPacket(data)
	if err != nil {
		return nil, describeStart(data, first.tag, err)
	}
	switch first.tag {
	case tagOnePass:
		return readSigned(first.body, rest)
	case tagCompressed:
		if len(rest) != 0 {
			return nil, malformed("data follows the compressed message")
		}
		if level == maxCompressionLevels {
			return nil, malformed("the message is compressed more than twice")
		}
		return withDecompressed(first.body, spend, func(plain []byte) (*Message, *Error) {
			return readLevel(plain, level+1, spend)
		})
	default:
		return nil, describeStart(data, first.tag, nil)
	}
}

// readSigned reads what follows a one-pass packet: one literal, one signature and nothing else.
func readSigned(onePassBody, rest []byte) (*Message, *Error) {
	ops, refused := parseOnePass(onePassBody)
	if refused != nil {
		return nil, refused
	}
	literal, rest, err := nextPacket(rest)
	if err != nil || literal.tag != tagLiteral {
		return nil, malformed("the one-pass signature is not followed by literal data")
	}
	payload, ok := literalData(literal.body)
	if !ok {
		return nil, malformed("the literal data packet is damaged")
	}
	signed, rest, err := nextPacket(rest)
	switch {
	case err != nil || signed.tag != tagSignature:
		return nil, malformed("the literal data is not followed by a complete signature")
	case len(rest) != 0:
		return nil, malformed("data follows the signature: exactly one signature and nothing else is accepted")
	case len(signed.body) > maxSignatureSize:
		return nil, malformed("the signature packet is too large")
	}
	return newMessage(ops, payload, signed.body)
}

// newMessage checks the signature's own properties. It copies what it keeps, because the caller
// owns the buffers.
func newMessage(ops onePass, payload, signatureBody []byte) (*Message, *Error) {
	owned := make([]byte, 0, len(payload)+len(signatureBody)+len(ops.salt)+len(ops.issuer.fingerprint))
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		start := len(owned)
		owned = append(owned, b...)
		return owned[start:len(owned):len(owned)]
	}
	m := &Message{untrustedPayload: keep(payload), onePass: ops}
	m.onePass.salt, m.onePass.issuer.fingerprint = keep(ops.salt), keep(ops.issuer.fingerprint)
	sig, err := parseSignature(keep(signatureBody))
	if err == nil {
		m.signature = *sig
		err = m.check()
	}
	if err != nil { // The one-pass packet may name the issuer.
		err.Issuer = m.UnverifiedIssuer()
		return nil, err
	}
	return m, nil
}

// check applies the rules that need no key.
func (m *Message) check() *Error {
	s := &m.signature
	switch {
	case s.kind == typeText:
		return malformed("the signature is in text mode, which does not cover the exact bytes: " +
			"sign without --textmode")
	case s.kind != typeBinary:
		return malformed("the signature is not a document signature")
	case s.version == 3 && !isRSA(s.algorithm):
		return refuse(UnsupportedVersion, "a version 3 signature is accepted with RSA only")
	case s.err != nil:
		return s.err
	case !s.digest.strong || s.version == 3 && !s.digest.isSHA2():
		return refuse(WeakAlgorithm, "the digest of the signature is not accepted: sign with SHA-256 or SHA-512")
	default:
		return m.checkOnePass()
	}
}

// checkOnePass compares the one-pass packet with the signature (RFC 9580 sections 5.4 and
// 10.3.2.2). A verifier that reads only one of them must reach the same result.
func (m *Message) checkOnePass() *Error {
	s, ops := &m.signature, &m.onePass
	switch {
	case ops.kind != s.kind, ops.digestID != s.digest.id, ops.algorithm != s.algorithm,
		(ops.version == 6) != (s.version == 6), !bytes.Equal(ops.salt, s.salt):
		return malformed("the one-pass packet and the signature disagree")
	case !agree(&ops.issuer, &s.issuer, &s.unhashedIssuer):
		return malformed("the parts of the message name different keys")
	default:
		return nil
	}
}

// agree reports whether all hints may refer to the same key. A key ID of zero names none (in RFC
// 9580 section 5.1.8 it stands for any key).
func agree(hints ...*issuerHint) bool {
	var keyID uint64
	var fingerprint []byte
	for _, h := range hints {
		for _, id := range h.keyIDs() {
			if id != 0 && keyID != 0 && id != keyID {
				return false
			}
			keyID = max(keyID, id)
		}
		if h.fingerprint == nil {
			continue
		}
		if fingerprint != nil && !bytes.Equal(h.fingerprint, fingerprint) {
			return false
		}
		fingerprint = h.fingerprint
	}
	return true
}

// parseOnePass reads a one-pass signature packet, RFC 9580 section 5.4.
func parseOnePass(body []byte) (onePass, *Error) {
	var ops onePass
	if len(body) < 4 {
		return ops, damagedOnePass()
	}
	ops.version, ops.kind, ops.digestID, ops.algorithm = body[0], body[1], body[2], body[3]
	rest := body[4:]
	switch ops.version {
	case 3:
		if len(rest) != 9 {
			return ops, damagedOnePass()
		}
		ops.issuer.keyID, ops.issuer.hasKeyID = binary.BigEndian.Uint64(rest), true
	case 6:
		const fingerprintSize = 32
		if len(rest) == 0 || len(rest) != 1+int(rest[0])+fingerprintSize+1 {
			return ops, damagedOnePass()
		}
		saltEnd := 1 + int(rest[0])
		ops.salt = rest[1:saltEnd]
		ops.issuer.fingerprint = rest[saltEnd : saltEnd+fingerprintSize]
		ops.issuer.fingerprintVersion = 6
	default:
		return ops, refuse(UnsupportedVersion, "the one-pass signature packet is not of version 3 or 6")
	}
	if rest[len(rest)-1] != 1 {
		return ops, malformed("the message has several signatures or nested ones: exactly one is accepted")
	}
	return ops, nil
}

func damagedOnePass() *Error {
	return malformed("the one-pass signature packet is damaged")
}

// literalData returns the content of a literal data packet, RFC 9580 section 5.9. Format, file name
// and date are not signed and are ignored.
func literalData(body []byte) (content []byte, ok bool) {
	const dateSize = 4
	if len(body) < 2 || len(body) < 2+int(body[1])+dateSize {
		return nil, false
	}
	return body[2+int(body[1])+dateSize:], true
}

// describeStart returns an error that names what the content is instead of a signed message, to
// help the person who stored it.
func describeStart(data []byte, tag packetTag, err error) *Error {
	if kind := filekind.NotASignature(data, filekind.Atomic); kind != "" {
		return malformed(kind)
	}
	if errors.Is(err, errNoPacket) {
		return malformed("the content is not an OpenPGP message")
	}
	switch tag {
	case tagPKESK, tagSKESK, tagEncrypted, tagEncryptedIntact, tagEncryptedOCB:
		return malformed("the content is encrypted, not only signed")
	case tagLiteral:
		return malformed("the content is not signed")
	case tagMarker, tagPadding:
		return malformed("the message begins with a marker or padding packet, which is not accepted")
	}
	if err != nil {
		return malformed("the content is truncated or not an OpenPGP message")
	}
	return malformed("the content is not a signed message")
}
