// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgptest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/adler32"
	"slices"
)

// Packet types, RFC 9580 section 5.
const (
	TagSignature    = 2
	TagOnePass      = 4
	TagSecretKey    = 5
	TagPublicKey    = 6
	TagCompressed   = 8
	TagMarker       = 10
	TagLiteral      = 11
	TagUserID       = 13
	TagPublicSubkey = 14
)

// Signature types, RFC 9580 section 5.2.1.
const (
	TypeBinary           = 0x00
	TypeText             = 0x01
	TypePositiveCert     = 0x13
	TypeSubkeyBinding    = 0x18
	TypePrimaryBinding   = 0x19
	TypeDirectKey        = 0x1f
	TypeKeyRevocation    = 0x20
	TypeSubkeyRevocation = 0x28
	TypeCertRevocation   = 0x30
)

// Subpacket types, RFC 9580 section 5.2.3.7.
const (
	SubCreated           = 2
	SubExpires           = 3
	SubKeyExpires        = 9
	SubRevocationKey     = 12
	SubIssuer            = 16
	SubNotation          = 20
	SubPrimaryUserID     = 25
	SubKeyFlags          = 27
	SubEmbedded          = 32
	SubIssuerFingerprint = 33
	Critical             = 0x80 // Added to a type.
)

// Packet writes a packet with a header of the new format.
func Packet(tag byte, body []byte) []byte {
	return slices.Concat([]byte{0xc0 | tag}, length(len(body), 8384), body)
}

// OldPacket writes a packet with a header of the old format and a length of 1, 2 or 4 octets, or an
// indeterminate one (0).
func OldPacket(tag byte, lengthSize int, body []byte) []byte {
	header := []byte{0x80 | tag<<2}
	switch n := len(body); lengthSize {
	case 0:
		header[0] |= 3
	case 1:
		header = append(header, byte(n))
	case 2:
		header = binary.BigEndian.AppendUint16([]byte{header[0] | 1}, uint16(n))
	default:
		header = binary.BigEndian.AppendUint32([]byte{header[0] | 2}, uint32(n))
	}
	return append(header, body...)
}

// PartialPacket writes a packet in chunks of 2^power octets, and a rest.
func PartialPacket(tag byte, power int, body []byte) []byte {
	out := []byte{0xc0 | tag}
	for chunk := 1 << power; len(body) >= chunk; body = body[chunk:] {
		out = append(append(out, 0xe0|byte(power)), body[:chunk]...)
	}
	return slices.Concat(out, length(len(body), 8384), body)
}

// length writes a length of one, two or, from fiveFrom on, five octets.
func length(n, fiveFrom int) []byte {
	switch {
	case n < 192:
		return []byte{byte(n)}
	case n < fiveFrom:
		return []byte{byte((n-192)>>8) + 192, byte(n - 192)}
	default:
		return binary.BigEndian.AppendUint32([]byte{255}, uint32(n))
	}
}

// Sub writes a subpacket.
func Sub(kind byte, body ...byte) []byte {
	return slices.Concat(length(1+len(body), 16320), []byte{kind}, body)
}

// Sub32 writes a subpacket with a number: a time or a number of seconds.
func Sub32(kind byte, value uint32) []byte {
	return Sub(kind, binary.BigEndian.AppendUint32(nil, value)...)
}

// Signature is the content of a signature packet.
type Signature struct {
	Version, Type, Digest byte
	Created               uint32 // Version 3; else there is a subpacket.
	Hashed, Unhashed      []byte // Areas of subpackets.
	Salt                  []byte // Version 6.
}

// Standard returns the signature that a common program writes: with its time and the issuer's
// fingerprint and key ID, a digest that fits the key, and further subpackets in its hashed area.
func (k *Key) Standard(kind byte, created uint32, hashed ...[]byte) Signature {
	s := Signature{Version: k.Version, Type: kind, Digest: SHA512, Created: created}
	s.Hashed = slices.Concat(Sub32(SubCreated, created),
		Sub(SubIssuerFingerprint, append([]byte{k.Version}, k.Fingerprint()...)...), slices.Concat(hashed...))
	if k.Version == 6 {
		s.Salt = seed("salt", 32)
	} else {
		s.Unhashed = Sub(SubIssuer, k.ID()...)
	}
	return s
}

// Sign writes the body of a signature packet, RFC 9580 section 5.2, over the concatenated parts.
func (k *Key) Sign(s Signature, parts ...[]byte) []byte {
	if s.Version == 3 {
		return k.signV3(s, parts)
	}
	head := []byte{s.Version, s.Type, k.Algorithm, s.Digest}
	head = append(head, s.area(s.Hashed)...)
	trailer := binary.BigEndian.AppendUint32([]byte{s.Version, 0xff}, uint32(len(head)))
	digest := k.digest(s, parts, head, trailer)
	body := slices.Concat(head, s.area(s.Unhashed), digest[:2])
	if s.Version == 6 {
		body = append(append(body, byte(len(s.Salt))), s.Salt...)
	}
	return append(body, k.sign(Digests[s.Digest], digest)...)
}

func (k *Key) signV3(s Signature, parts [][]byte) []byte {
	hashed := binary.BigEndian.AppendUint32([]byte{s.Type}, s.Created)
	digest := k.digest(s, parts, hashed)
	return slices.Concat([]byte{3, 5}, hashed, k.ID(), []byte{k.Algorithm, s.Digest},
		digest[:2], k.sign(Digests[s.Digest], digest))
}

func (k *Key) digest(s Signature, parts [][]byte, trailers ...[]byte) []byte {
	h := Digests[s.Digest].New()
	for _, part := range slices.Concat([][]byte{s.Salt}, parts, trailers) {
		h.Write(part)
	}
	return h.Sum(nil)
}

// area writes an area of subpackets with its length.
func (s Signature) area(subpackets []byte) []byte {
	if s.Version == 6 {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(subpackets))), subpackets...)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(subpackets))), subpackets...)
}

// UserID returns what is hashed for a user ID in a signature of version 4 or 6.
func UserID(id string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xb4}, uint32(len(id))), id...)
}

// OnePass writes the body of the one-pass packet for a signature.
func (k *Key) OnePass(s Signature) []byte {
	if s.Version == 6 {
		return slices.Concat([]byte{6, s.Type, s.Digest, k.Algorithm, byte(len(s.Salt))}, s.Salt, k.Fingerprint(), []byte{1})
	}
	return slices.Concat([]byte{3, s.Type, s.Digest, k.Algorithm}, k.ID(), []byte{1})
}

// Literal writes the body of a literal data packet.
func Literal(payload []byte) []byte {
	return append([]byte{'b', 0, 0, 0, 0, 0}, payload...)
}

// Message writes a signed message: one-pass packet, literal, signature.
func (k *Key) Message(s Signature, payload []byte) []byte {
	return slices.Concat(Packet(TagOnePass, k.OnePass(s)), Packet(TagLiteral, Literal(payload)),
		Packet(TagSignature, k.Sign(s, payload)))
}

// ZIP returns the body of a compressed data packet. It stores without compression, so that the
// output does not depend on a compressor.
func ZIP(content []byte) []byte {
	return append([]byte{1}, stored(content)...)
}

// ZLIB returns the body of a compressed data packet, as ZIP.
func ZLIB(content []byte) []byte {
	const method, check = 0x78, 0x01 // DEFLATE with a window of 32 KiB, RFC 1950 section 2.2.
	body := append([]byte{2, method, check}, stored(content)...)
	return binary.BigEndian.AppendUint32(body, adler32.Checksum(content))
}

// stored writes uncompressed DEFLATE blocks, RFC 1951 section 3.2.4.
func stored(content []byte) []byte {
	const maxBlock, last = 1<<16 - 1, 1
	var out []byte
	for {
		n := min(len(content), maxBlock)
		header := byte(0)
		if n == len(content) {
			header = last
		}
		out = binary.LittleEndian.AppendUint16(append(out, header), uint16(n))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
		out = append(out, content[:n]...)
		if content = content[n:]; len(content) == 0 {
			return out
		}
	}
}

// Armor writes an armor block without a checksum.
func Armor(label string, data []byte) []byte {
	var b bytes.Buffer
	b.WriteString("-----BEGIN " + label + "-----\n\n")
	for text := base64.StdEncoding.EncodeToString(data); text != ""; {
		n := min(len(text), 64)
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString("-----END " + label + "-----\n")
	return b.Bytes()
}
