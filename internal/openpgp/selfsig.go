// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// selfSig is a verified signature of a primary key over its own certificate: a user ID
// certification, a direct-key signature or a subkey binding.
type selfSig struct {
	created int64
	expires int64 // When the signature itself expires; 0 is never.

	keyLifetime    uint32
	hasKeyLifetime bool
	flags          byte
	hasFlags       bool
	primaryUserID  bool

	// crossCertified reports whether a subkey binding embeds a valid signature by the subkey.
	crossCertified bool

	body []byte // Breaks ties and identifies copies.
}

func newSelfSig(s *signature) selfSig {
	return selfSig{
		created:        s.created,
		expires:        s.expires(),
		keyLifetime:    s.keyLifetime,
		hasKeyLifetime: s.hasKeyLifetime,
		flags:          s.flags,
		hasFlags:       s.hasFlags,
		primaryUserID:  s.primaryUserID,
		body:           bytes.Clone(s.body),
	}
}

// expires returns when the signature expires; 0 is never.
func (s *signature) expires() int64 {
	if s.lifetime == 0 {
		return 0
	}
	return s.created + int64(s.lifetime)
}

// maySign reports whether the signature grants the capability to sign data. Without key flags a key
// has all capabilities of its algorithm, as in GnuPG.
func (s *selfSig) maySign() bool {
	return !s.hasFlags || s.flags&flagSign != 0
}

// rank orders self-signatures of the same second: one copy of a binding may have lost the
// cross-certification, which need not be signed.
func (s *selfSig) rank() int {
	if s.crossCertified {
		return 0
	}
	return 1
}

// component is a part of a certificate bound by self-signatures: the primary key (direct-key
// signatures), a user ID or a subkey.
type component struct {
	selfSigs []selfSig // Newest first.

	// revokedBefore is the second after the newest revocation of a certification: earlier
	// certifications do not count.
	revokedBefore int64
}

// newest returns the newest self-signature in force at a time, or nil.
func (c *component) newest(at int64) *selfSig {
	for i := range c.selfSigs {
		s := &c.selfSigs[i]
		if s.created <= at+skewSeconds && (s.expires == 0 || at < s.expires) {
			return s
		}
	}
	return nil
}

const skewSeconds = int64(clockSkew / 1e9)

// mergeComponents joins copies: the self-signatures and revocations of all of them count.
func mergeComponents(copies []component) component {
	var all component
	for _, c := range copies {
		all.selfSigs = append(all.selfSigs, c.selfSigs...)
		all.revokedBefore = max(all.revokedBefore, c.revokedBefore)
	}
	return all.normalized()
}

// normalized sorts the self-signatures, newest first, and drops duplicates and revoked ones. Their
// order in the file has no effect.
func (c component) normalized() component {
	c.selfSigs = slices.DeleteFunc(slices.Clone(c.selfSigs), func(s selfSig) bool {
		return s.created < c.revokedBefore
	})
	slices.SortFunc(c.selfSigs, func(a, b selfSig) int {
		return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(a.rank(), b.rank()), bytes.Compare(a.body, b.body))
	})
	c.selfSigs = slices.CompactFunc(c.selfSigs, func(a, b selfSig) bool {
		return bytes.Equal(a.body, b.body)
	})
	return c
}

// signedGroup is a part of a certificate with the signatures that follow it in the file, none of
// them verified.
type signedGroup struct {
	tag        packetTag
	userID     []byte
	subkey     *publicKey
	signatures []*signature
}

// groupPackets assigns each signature to the part that it follows. It drops user attributes,
// unknown packets and subkeys that cannot be read or have another version than the primary key
// (which RFC 9580 section 10.1 forbids), together with their signatures.
func groupPackets(packets []rawPacket) []signedGroup {
	groups := []signedGroup{{tag: tagPublicKey}}
	for _, p := range packets[1:] {
		last := &groups[len(groups)-1]
		switch p.tag {
		case tagSignature:
			if s, err := parseSignature(p.body); err == nil {
				last.signatures = append(last.signatures, s)
			}
		case tagUserID:
			groups = append(groups, signedGroup{tag: p.tag, userID: p.body})
		case tagPublicSubkey:
			key, err := parsePublicKey(p.body)
			if err != nil || key.version != packets[0].body[0] {
				key = nil
			}
			groups = append(groups, signedGroup{tag: p.tag, subkey: key})
		case tagTrust, tagMarker, tagPadding:
			// GnuPG's local notes, and packets that RFC 9580 sections 5.8 and 5.14 ignore.
		default:
			groups = append(groups, signedGroup{tag: p.tag})
		}
	}
	return groups
}

// certificateReader verifies the signatures of one certificate.
type certificateReader struct {
	c      *Certificate
	budget budget
	spent  bool // An operation exceeded the budget.
}

// readCertificate reads the packets of one certificate, the first of which is a public key. It
// returns the certificate and how much of the file's budget is left.
func readCertificate(packets []rawPacket, cost int) (c *Certificate, left int, err error) {
	primary, err := parsePublicKey(packets[0].body)
	if err != nil {
		return nil, cost, err
	}
	r := certificateReader{c: &Certificate{primary: primary}, budget: budget{maxCertificateChecks, cost}}
	groups := groupPackets(packets)
	// Revocations first: a flood of other signatures must not use up the budget for them.
	for _, g := range groups {
		r.readKeyRevocations(g)
	}
	for _, g := range groups {
		r.readGroup(g)
	}
	switch {
	case r.spent && r.budget.checks > 0:
		r.c.defect = tooManyChecks
	case r.spent:
		r.c.defect = "the key has too many self-signatures to verify: " + exportClean
	}
	return r.c.normalized(), r.budget.cost, nil
}

// verify spends one operation. It fails if the budget is exhausted, and the certificate is refused
// later.
func (r *certificateReader) verify(k *publicKey, s *signature, parts ...[]byte) bool {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	if !r.budget.spend(k, size) {
		r.spent = true
		return false
	}
	return k.verify(s, parts...)
}

// readKeyRevocations looks for revocations of the primary key (type 0x20). They should follow it
// (RFC 9580 section 10.1.1), but count at any place and with any hints. Those that the key did not
// make may be from a designated revoker.
func (r *certificateReader) readKeyRevocations(g signedGroup) {
	primary := r.c.primary
	for _, s := range g.signatures {
		switch {
		case s.kind != typeKeyRevocation:
		case r.verify(primary, s, primary.hashed):
			r.c.revoked = true
		default:
			r.c.revocationsBy = append(r.c.revocationsBy, s.issuers()...)
		}
	}
}

// readGroup verifies the signatures over one part of the certificate.
func (r *certificateReader) readGroup(g signedGroup) {
	switch {
	case g.tag == tagPublicKey:
		r.c.direct = r.readCertifications(g, typeDirectKey, typeDirectKey)
	case g.tag == tagUserID:
		certifications := r.readCertifications(g, typeGenericCert, typePositiveCert)
		r.c.userIDs = append(r.c.userIDs, userID{string(g.userID), certifications})
	case g.subkey != nil:
		r.readSubkey(g)
	}
}

// readCertifications verifies certifications of types first to last, and their revocations (type
// 0x30).
func (r *certificateReader) readCertifications(g signedGroup, first, last byte) (c component) {
	primary := r.c.primary
	for _, s := range g.signatures {
		isCert := s.kind >= first && s.kind <= last && s.err == nil
		if !isCert && s.kind != typeCertRevocation || !s.mayBeIssuedBy(primary) {
			continue
		}
		if !r.verify(primary, s, primary.hashed, userIDPrefix(g, s), g.userID) {
			continue
		}
		if !isCert {
			c.revokedBefore = max(c.revokedBefore, s.created+1)
			continue
		}
		c.selfSigs = append(c.selfSigs, newSelfSig(s))
		r.c.revokers = append(r.c.revokers, s.revokers...)
	}
	return c
}

// userIDPrefix returns what is hashed before a user ID, RFC 9580 section 5.2.4: nothing for a
// signature over the key alone or of version 3.
func userIDPrefix(g signedGroup, s *signature) []byte {
	if g.tag != tagUserID || s.version == 3 {
		return nil
	}
	return binary.BigEndian.AppendUint32([]byte{0xb4}, uint32(len(g.userID))) //nolint:gosec // At most maxKeyFileSize.
}

// readSubkey verifies the bindings (type 0x18) and revocations (0x28) of a subkey. Only the primary
// key can make them, so hints are ignored.
func (r *certificateReader) readSubkey(g signedGroup) {
	primary := r.c.primary
	sub := subkey{publicKey: g.subkey}
	for _, s := range g.signatures {
		isBinding := s.kind == typeSubkeyBinding && s.err == nil
		if !isBinding && s.kind != typeSubkeyRevocation {
			continue
		}
		if !r.verify(primary, s, primary.hashed, sub.hashed) {
			continue
		}
		if !isBinding {
			sub.revoked = true
			continue
		}
		binding := newSelfSig(s)
		r.readCrossCertification(&sub, &binding, s.embedded)
		sub.selfSigs = append(sub.selfSigs, binding)
	}
	r.c.subkeys = append(r.c.subkeys, sub)
}

// readCrossCertification verifies the embedded signature of a subkey over its primary key (type
// 0x19, RFC 9580 section 10.1.5). The binding expires no later than the embedded signature.
func (r *certificateReader) readCrossCertification(sub *subkey, binding *selfSig, embedded []byte) {
	if embedded == nil || !binding.maySign() {
		return
	}
	s, err := parseSignature(embedded)
	if err != nil || s.err != nil || s.kind != typePrimaryBinding {
		return
	}
	if r.verify(sub.publicKey, s, r.c.primary.hashed, sub.hashed) {
		binding.crossCertified = true
		binding.expires = earliest(binding.expires, s.expires())
	}
}

// earliest returns the earlier of two times, where 0 is never.
func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
