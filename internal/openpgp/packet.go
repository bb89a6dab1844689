// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"encoding/binary"
	"errors"
)

// packetTag is the type ID of a packet, RFC 9580 section 5.
type packetTag uint8

const (
	tagPKESK            packetTag = 1
	tagSignature        packetTag = 2
	tagSKESK            packetTag = 3
	tagOnePass          packetTag = 4
	tagSecretKey        packetTag = 5
	tagPublicKey        packetTag = 6
	tagSecretSubkey     packetTag = 7
	tagCompressed       packetTag = 8
	tagEncrypted        packetTag = 9
	tagMarker           packetTag = 10
	tagLiteral          packetTag = 11
	tagTrust            packetTag = 12
	tagUserID           packetTag = 13
	tagPublicSubkey     packetTag = 14
	tagUserAttribute    packetTag = 17
	tagEncryptedIntact  packetTag = 18
	tagEncryptedOCB     packetTag = 20
	tagPadding          packetTag = 21
	firstNonCriticalTag packetTag = 40 // RFC 9580 section 4.3
)

// Framing errors. Callers distinguish them and never show them as they are.
var (
	errNoPacket  = errors.New("no packet header where one is expected")
	errTruncated = errors.New("the packet is longer than the data")
	errPartial   = errors.New("the packet type may not have this form of length")
)

// rawPacket is a packet without its header.
type rawPacket struct {
	tag packetTag

	// body is a slice of the input, or a copy if partial lengths had to be joined.
	body []byte
}

// nextPacket splits the first packet off data, RFC 9580 section 4.2. The error is one of the
// framing errors; the tag is also valid with errTruncated and errPartial.
func nextPacket(data []byte) (p rawPacket, rest []byte, err error) {
	if len(data) == 0 || data[0]&0x80 == 0 {
		return p, nil, errNoPacket
	}
	if data[0]&0x40 == 0 {
		return legacyPacket(data)
	}
	p.tag = packetTag(data[0] & 0x3f)
	length, partial, rest, ok := bodyLength(data[1:])
	if !ok {
		return p, nil, errTruncated
	}
	if partial {
		return partialPacket(p.tag, length, rest)
	}
	if length > len(rest) {
		return p, nil, errTruncated
	}
	p.body = rest[:length:length]
	return p, rest[length:], nil
}

// legacyPacket reads a packet with a header of the old format, section 4.2.2.
func legacyPacket(data []byte) (p rawPacket, rest []byte, err error) {
	p.tag = packetTag(data[0] >> 2 & 0x0f)
	lengthSize := 1 << (data[0] & 3)
	rest = data[1:]
	if lengthSize == 8 { // Indeterminate: up to the end, as GnuPG writes compressed data.
		if !mayStream(p.tag) {
			return p, nil, errPartial
		}
		p.body = rest
		return p, nil, nil
	}
	if len(rest) < lengthSize {
		return p, nil, errTruncated
	}
	var length uint64
	for _, octet := range rest[:lengthSize] {
		length = length<<8 | uint64(octet)
	}
	rest = rest[lengthSize:]
	if length > uint64(len(rest)) {
		return p, nil, errTruncated
	}
	p.body = rest[:length:length]
	return p, rest[length:], nil
}

// bodyLength reads a length of the new format, section 4.2.1. A partial length is that of the first
// chunk.
func bodyLength(data []byte) (length int, partial bool, rest []byte, ok bool) {
	if len(data) == 0 {
		return 0, false, nil, false
	}
	first := data[0]
	switch {
	case first < 192:
		return int(first), false, data[1:], true
	case first < 224:
		if len(data) < 2 {
			return 0, false, nil, false
		}
		return (int(first)-192)<<8 + int(data[1]) + 192, false, data[2:], true
	case first < 255:
		return 1 << (first & 0x1f), true, data[1:], true
	}
	if len(data) < 5 {
		return 0, false, nil, false
	}
	return int(min(binary.BigEndian.Uint32(data[1:5]), 1<<31-1)), false, data[5:], true
}

// partialPacket joins the chunks of a packet, section 4.2.1.4. It does not require that the first
// chunk has at least 512 octets: golang.org/x/crypto, which OpenShift's CI signs with, writes
// chunks of two.
func partialPacket(tag packetTag, length int, data []byte) (p rawPacket, rest []byte, err error) {
	p.tag = tag
	if !mayStream(tag) {
		return p, nil, errPartial
	}
	for partial, ok := true, false; ; {
		if length > len(data) {
			return p, nil, errTruncated
		}
		p.body = append(p.body, data[:length]...)
		data = data[length:]
		if !partial {
			return p, data, nil
		}
		if length, partial, data, ok = bodyLength(data); !ok {
			return p, nil, errTruncated
		}
	}
}

// mayStream reports whether a packet may have partial and indeterminate lengths: only data packets
// may (section 4.2.1.4).
func mayStream(tag packetTag) bool {
	switch tag {
	case tagCompressed, tagEncrypted, tagLiteral, tagEncryptedIntact, tagEncryptedOCB:
		return true
	default:
		return false
	}
}
