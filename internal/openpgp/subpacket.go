// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import "encoding/binary"

// Signature subpackets that this package interprets, RFC 9580 section 5.2.3.7.
const (
	subCreated           = 2
	subExpires           = 3
	subExportable        = 4
	subTrust             = 5
	subRegexp            = 6
	subRevocable         = 7
	subKeyExpires        = 9
	subRevocationKey     = 12
	subIssuer            = 16
	subNotation          = 20
	subPrimaryUserID     = 25
	subKeyFlags          = 27
	subRevocationReason  = 29
	subEmbedded          = 32
	subIssuerFingerprint = 33
	subIntended          = 35
)

// knownSubpackets are the types that may be marked critical. A reader must refuse a signature with
// a critical subpacket that it does not understand (section 5.2.3.7). Notations are not among them,
// since every name is unknown here; neither are the intended recipient, which a message without
// encryption cannot have, and types that limit the scope of a certification. The preferences (11,
// 21, 22, 23, 24, 30, 34, 39), the policy URI (26) and the signer's user ID (28) do not affect
// validity.
var knownSubpackets = [128]bool{
	subCreated: true, subExpires: true, subExportable: true, subRevocable: true,
	subKeyExpires: true, 11: true, subRevocationKey: true, subIssuer: true,
	21: true, 22: true, 23: true, 24: true, subPrimaryUserID: true, 26: true,
	subKeyFlags: true, 28: true, subRevocationReason: true, 30: true,
	subEmbedded: true, subIssuerFingerprint: true, 34: true, 39: true,
}

// singleSubpackets are the types that may occur once in the hashed area: a second one makes a
// signature ambiguous.
var singleSubpackets = [128]bool{
	subCreated: true, subExpires: true, subExportable: true, subTrust: true,
	subRegexp: true, subRevocable: true, subKeyExpires: true, subIssuer: true,
	subPrimaryUserID: true, subKeyFlags: true, subRevocationReason: true,
	subEmbedded: true, subIssuerFingerprint: true,
}

// claims are the properties that the subpackets of a signature state. Everything but the unhashed
// hints and the embedded signature comes from the hashed area. Slices point into the signature's
// body.
type claims struct {
	created        int64 // Seconds since the epoch.
	hasCreated     bool
	lifetime       uint32 // Seconds after created; 0 is forever.
	keyLifetime    uint32 // Seconds after the key's creation; 0 is forever.
	hasKeyLifetime bool
	flags          byte // First octet of the key flags, section 5.2.3.29.
	hasFlags       bool
	primaryUserID  bool
	revokers       []uint64 // Key IDs of designated revokers, section 5.2.3.23.
	embedded       []byte   // Body of a signature packet, section 5.2.3.34.

	issuer, unhashedIssuer issuerHint
}

// issuerHint names the key of a signature, according to one of its areas.
type issuerHint struct {
	keyID              uint64
	hasKeyID           bool
	fingerprint        []byte // 20 octets (version 4) or 32 (version 6).
	fingerprintVersion byte
}

// readHashed reads the hashed area. It stops at the first error, which makes the signature
// unacceptable.
func (c *claims) readHashed(area []byte, version byte) *Error {
	var seen [128]bool
	return eachSubpacket(area, func(kind byte, critical bool, body []byte) *Error {
		if critical && !knownSubpackets[kind] {
			return malformed("the signature has an unknown critical subpacket")
		}
		if seen[kind] && singleSubpackets[kind] {
			return malformed("the signature states a property twice")
		}
		seen[kind] = true
		return c.readSubpacket(kind, body, version)
	})
}

// readUnhashed reads the unhashed area: hints about the issuer, and the embedded signature, which
// protects itself.
func (c *claims) readUnhashed(area []byte) *Error {
	return eachSubpacket(area, func(kind byte, _ bool, body []byte) *Error {
		switch kind {
		case subIssuer, subIssuerFingerprint:
			return c.unhashedIssuer.read(kind, body)
		case subEmbedded:
			if c.embedded != nil {
				return malformed("the signature embeds several signatures")
			}
			c.embedded = body
		}
		return nil
	})
}

func (c *claims) readSubpacket(kind byte, body []byte, version byte) *Error {
	switch kind {
	case subCreated, subExpires, subKeyExpires:
		if len(body) != 4 {
			return badSubpacket()
		}
		c.readTime(kind, binary.BigEndian.Uint32(body))
	case subRevocationKey:
		if len(body) != 22 {
			return badSubpacket()
		}
		c.revokers = append(c.revokers, binary.BigEndian.Uint64(body[14:]))
	case subIssuer, subIssuerFingerprint:
		if kind == subIssuer && version == 6 { // Section 5.2.3.12.
			return malformed("the version 6 signature names a key ID instead of a fingerprint")
		}
		return c.issuer.read(kind, body)
	case subPrimaryUserID:
		if len(body) != 1 {
			return badSubpacket()
		}
		c.primaryUserID = body[0] != 0
	case subKeyFlags:
		c.hasFlags = true
		if len(body) > 0 {
			c.flags = body[0]
		}
	case subEmbedded:
		c.embedded = body
	}
	return nil
}

func (c *claims) readTime(kind byte, value uint32) {
	switch kind {
	case subCreated:
		c.created, c.hasCreated = int64(value), true
	case subExpires:
		c.lifetime = value
	case subKeyExpires:
		c.keyLifetime, c.hasKeyLifetime = value, true
	}
}

// read reads a hint. In the unhashed area a later hint replaces an earlier one of the same form:
// hints only select the keys that are tried.
func (h *issuerHint) read(kind byte, body []byte) *Error {
	if kind == subIssuer {
		if len(body) != 8 {
			return badSubpacket()
		}
		h.keyID, h.hasKeyID = binary.BigEndian.Uint64(body), true
		return nil
	}
	switch {
	case len(body) == 21 && body[0] == 4, len(body) == 33 && body[0] == 6:
		h.fingerprintVersion, h.fingerprint = body[0], body[1:]
		return nil
	default:
		return badSubpacket()
	}
}

func badSubpacket() *Error {
	return malformed("a subpacket of the signature has an invalid length")
}

// eachSubpacket visits the subpackets of an area, RFC 9580 section 5.2.3.7, until visit returns an
// error.
func eachSubpacket(area []byte, visit func(kind byte, critical bool, body []byte) *Error) *Error {
	for count := 0; len(area) > 0; count++ {
		length, rest, ok := subpacketLength(area)
		if !ok || length == 0 || length > len(rest) {
			return malformed("the subpackets of the signature are damaged")
		}
		if count == maxSubpackets {
			return malformed("the signature has too many subpackets")
		}
		kind := rest[0]
		if err := visit(kind&0x7f, kind&0x80 != 0, rest[1:length:length]); err != nil {
			return err
		}
		area = rest[length:]
	}
	return nil
}

// subpacketLength reads the length of a subpacket. Unlike in the length of a packet, octets from
// 192 to 254 all begin a length of two octets.
func subpacketLength(area []byte) (length int, rest []byte, ok bool) {
	first := area[0]
	switch {
	case first < 192:
		return int(first), area[1:], true
	case first < 255:
		if len(area) < 2 {
			return 0, nil, false
		}
		return (int(first)-192)<<8 + int(area[1]) + 192, area[2:], true
	}
	if len(area) < 5 {
		return 0, nil, false
	}
	return int(min(binary.BigEndian.Uint32(area[1:5]), 1<<31-1)), area[5:], true
}
