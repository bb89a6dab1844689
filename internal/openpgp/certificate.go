// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Certificate is a transferable public key (RFC 9580 section 10.1) with those
// of its self-signatures, bindings and revocations that are valid. It does not
// change and may be shared between goroutines.
type Certificate struct {
	primary *publicKey
	direct  component
	userIDs []userID // Sorted by ID.
	subkeys []subkey // Sorted by fingerprint.
	revoked bool

	// revokers are the key IDs of the designated revokers (RFC 9580 section
	// 5.2.3.23), and revocationsBy those of the issuers of key revocations that
	// the key itself has not made, both sorted. One of them in both revokes the
	// key. Since such a revocation cannot be verified, whole fingerprints would
	// tell no more.
	revokers, revocationsBy []uint64

	// defect is why no key of the certificate can be used; empty if there is
	// no such reason.
	defect string
}

type userID struct {
	id string
	component
}

type subkey struct {
	*publicKey
	component
	revoked bool
}

// primaryKey stands for the primary key where a subkey has its index.
const primaryKey = -1

// Fingerprint returns the fingerprint of the primary key: 40 (version 4) or 64
// (version 6) upper-case hexadecimal digits.
func (c *Certificate) Fingerprint() string { return c.primary.fingerprintText() }

// Algorithm returns algorithm and size or curve of the primary key: "RSA-4096",
// "Ed25519", "ECDSA-P-256".
func (c *Certificate) Algorithm() string { return c.primary.name }

// Created returns when the primary key was created, to the second, in UTC.
func (c *Certificate) Created() time.Time { return time.Unix(c.primary.created, 0).UTC() }

// Expires returns when the primary key expires according to its newest
// self-signatures, in UTC; the zero time if it does not.
func (c *Certificate) Expires() time.Time {
	return moment(c.standing(c.latest()).expires)
}

// Revoked says whether the primary key is revoked.
func (c *Certificate) Revoked() bool { return c.revoked }

// UserID returns the primary one of the valid user IDs, or "" if there is none:
// one that is marked as primary before others, then that with the newest
// self-signature. Characters that are not printable are escaped as in Go; the
// text has at most 256 bytes and ends in "…" if it was cut.
func (c *Certificate) UserID() string {
	var best *userID
	for i := range c.userIDs {
		u := &c.userIDs[i]
		if len(u.selfSigs) == 0 {
			continue
		}
		if best == nil || u.isBefore(best) {
			best = u
		}
	}
	if best == nil {
		return ""
	}
	return printable(best.id, maxUserIDSize)
}

func (u *userID) isBefore(other *userID) bool {
	mine, others := u.selfSigs[0], other.selfSigs[0]
	if mine.primaryUserID != others.primaryUserID {
		return mine.primaryUserID
	}
	return mine.created > others.created
}

// Check returns nil if some key of the certificate may sign at a moment, else
// an [*Error]: KeyExpired, KeyRevoked, WeakAlgorithm or UnusableKey.
func (c *Certificate) Check(now time.Time) error {
	at := now.Unix()
	primary := c.standing(at)
	var worst *Error
	for i := primaryKey; i < len(c.subkeys); i++ {
		expires, fault := c.permission(i, primary, at)
		if fault == nil && isPast(expires, at) {
			fault = keyExpired()
		}
		if fault == nil {
			return nil
		}
		// What a signing subkey lacks says more than that the primary key is
		// not for signing.
		if worst == nil || worst.Code == UnusableKey && fault.Code != UnusableKey {
			worst = c.attribute(fault, i)
		}
	}
	return worst
}

// attribute adds to a refusal whom it is about.
func (c *Certificate) attribute(fault *Error, i int) *Error {
	fault.Fingerprint = c.Fingerprint()
	fault.SigningFingerprint = c.key(i).fingerprintText()
	return fault
}

// key returns the primary key or a subkey.
func (c *Certificate) key(i int) *publicKey {
	if i == primaryKey {
		return c.primary
	}
	return c.subkeys[i].publicKey
}

// standing is what self-signatures say about the primary key.
type standing struct {
	valid   bool // There are self-signatures that make the certificate one.
	signs   bool
	expires int64 // 0 is never.
}

// standing returns what the self-signatures in force at a moment say. A property
// is taken from the newer one of the newest direct-key signature and the newest
// certification of a user ID that state it: GnuPG writes it into the latter,
// Sequoia into both. Which of them are needed, the package comment says: one of
// version 4 without a certified user ID would else be left with every capability
// when its owner has revoked all user IDs.
func (c *Certificate) standing(at int64) (s standing) {
	direct, user := c.direct.newest(at), c.newestCertification(at)
	switch {
	case c.primary.version == 6: // RFC 9580 section 5.2.3.10.
		user, s.valid = nil, direct != nil
	case user != nil: // Without key flags the key has every capability.
		s.valid, s.signs = true, true
	default:
		s.valid = direct != nil && direct.hasFlags
	}
	older, newer := direct, user
	if direct != nil && user != nil && direct.created > user.created {
		older, newer = user, direct
	}
	for _, sig := range []*selfSig{older, newer} { // The newer one prevails.
		if sig == nil {
			continue
		}
		if sig.hasFlags {
			s.signs = sig.maySign()
		}
		if sig.hasKeyLifetime {
			s.expires = expiry(c.primary.created, sig.keyLifetime)
		}
	}
	return s
}

// newestCertification returns the newest certification of any user ID.
func (c *Certificate) newestCertification(at int64) *selfSig {
	var newest *selfSig
	for i := range c.userIDs {
		s := c.userIDs[i].newest(at)
		if s == nil {
			continue
		}
		if newest == nil || s.created > newest.created ||
			s.created == newest.created && bytes.Compare(s.body, newest.body) < 0 {
			newest = s
		}
	}
	return newest
}

// permission says whether a key may sign, and until when (0: for ever), given
// the standing of the primary key at the moment. It does not judge whether that
// time is over.
func (c *Certificate) permission(i int, primary standing, at int64) (expires int64, fault *Error) {
	switch {
	case c.defect != "":
		return 0, refuse(UnusableKey, c.defect)
	case c.primary.weakness != "":
		return 0, refuse(WeakAlgorithm, c.primary.weakness)
	case c.revoked:
		return 0, refuse(KeyRevoked, "the key is revoked")
	}
	switch {
	case c.key(i).created > at+skewSeconds:
		return 0, refuse(UnusableKey, "the key claims to be created in the future")
	case !primary.valid:
		return 0, refuse(UnusableKey, "the key has no valid self-signature")
	case i == primaryKey && !primary.signs:
		return 0, refuse(UnusableKey, "the key must not sign data: its key flags do not say so")
	case i == primaryKey:
		return primary.expires, nil
	}
	subkeyExpires, fault := c.subkeys[i].permission(at)
	return earliest(primary.expires, subkeyExpires), fault
}

func (s *subkey) permission(at int64) (expires int64, fault *Error) {
	binding := s.newest(at)
	switch {
	case binding != nil && !binding.maySign():
		return 0, refuse(UnusableKey, "the subkey must not sign data: its key flags do not say so")
	case s.revoked:
		return 0, refuse(KeyRevoked, "the subkey is revoked")
	case binding == nil:
		return 0, refuse(UnusableKey, "the subkey has no valid binding to its primary key")
	case s.weakness != "":
		return 0, refuse(WeakAlgorithm, s.weakness)
	case !binding.crossCertified:
		return 0, refuse(UnusableKey, "the subkey has not certified that it belongs to its primary key")
	}
	return expiry(s.created, binding.keyLifetime), nil
}

// SigningUntil returns until when some key of the certificate may sign, given that
// nothing but time changes; the zero time if it is for ever, or if none may sign now.
func (c *Certificate) SigningUntil(now time.Time) time.Time {
	at, until := now.Unix(), int64(0)
	primary := c.standing(at)
	for i := primaryKey; i < len(c.subkeys); i++ {
		expires, fault := c.permission(i, primary, at)
		if fault != nil || isPast(expires, at) {
			continue
		}
		if expires == 0 {
			return time.Time{}
		}
		until = max(until, expires)
	}
	return moment(until)
}

// NextChange returns the first moment after now at which the passing of time may change
// what [Certificate.Check] says; the zero time if there is none.
func (c *Certificate) NextChange(now time.Time) time.Time {
	at := now.Unix()
	next, primary := c.nextChange(at), c.standing(at)
	for i := primaryKey; i < len(c.subkeys); i++ {
		if expires, fault := c.permission(i, primary, at); fault == nil && expires > at {
			next = earliest(next, expires)
		}
	}
	return moment(next)
}

// nextChange returns the first moment after another at which a key or self-signature
// comes into force, or a self-signature ceases to be; 0 if there is none.
func (c *Certificate) nextChange(at int64) (next int64) {
	for i := primaryKey; i < len(c.subkeys); i++ {
		if created := c.key(i).created; created > at+skewSeconds {
			next = earliest(next, created-skewSeconds)
		}
	}
	for s := range c.allSelfSigs {
		if s.created > at+skewSeconds {
			next = earliest(next, s.created-skewSeconds)
		}
		if s.expires > at {
			next = earliest(next, s.expires)
		}
	}
	return next
}

// latest returns when the newest self-signature was made.
func (c *Certificate) latest() (at int64) {
	for s := range c.allSelfSigs {
		at = max(at, s.created)
	}
	return at
}

func (c *Certificate) allSelfSigs(yield func(*selfSig) bool) {
	components := make([]*component, 0, 1+len(c.userIDs)+len(c.subkeys))
	components = append(components, &c.direct)
	for i := range c.userIDs {
		components = append(components, &c.userIDs[i].component)
	}
	for i := range c.subkeys {
		components = append(components, &c.subkeys[i].component)
	}
	for _, one := range components {
		for i := range one.selfSigs {
			if !yield(&one.selfSigs[i]) {
				return
			}
		}
	}
}

// mergeCertificates joins versions of one certificate, at least one: all that is
// valid in any counts, revocations as well.
func mergeCertificates(versions []*Certificate) *Certificate {
	if len(versions) == 1 {
		return versions[0]
	}
	merged := Certificate{primary: versions[0].primary}
	direct := make([]component, 0, len(versions))
	for _, v := range versions {
		direct = append(direct, v.direct)
		merged.userIDs = append(merged.userIDs, v.userIDs...)
		merged.subkeys = append(merged.subkeys, v.subkeys...)
		merged.revokers = append(merged.revokers, v.revokers...)
		merged.revocationsBy = append(merged.revocationsBy, v.revocationsBy...)
		merged.revoked = merged.revoked || v.revoked
		merged.defect = max(merged.defect, v.defect) // In whatever order they come.
	}
	merged.direct = mergeComponents(direct)
	return merged.normalised()
}

// normalised returns the certificate with its parts sorted and each there once.
// Copies are joined all at once, since a hostile file may have any number.
func (c *Certificate) normalised() *Certificate {
	n := *c
	n.direct = c.direct.normalised()
	n.revokers, n.revocationsBy = sortedIDs(c.revokers), sortedIDs(c.revocationsBy)
	n.revoked = c.revoked || n.designates(n.revocationsBy)
	n.userIDs = make([]userID, 0, len(c.userIDs))
	for same := range runs(c.userIDs, compareUserIDs) {
		var copies []component
		for _, u := range same {
			copies = append(copies, u.component)
		}
		n.userIDs = append(n.userIDs, userID{same[0].id, mergeComponents(copies)})
	}
	n.subkeys = make([]subkey, 0, len(c.subkeys))
	for same := range runs(c.subkeys, compareSubkeys) {
		merged := subkey{publicKey: same[0].publicKey}
		var copies []component
		for _, s := range same {
			copies = append(copies, s.component)
			merged.revoked = merged.revoked || s.revoked
		}
		merged.component = mergeComponents(copies)
		n.subkeys = append(n.subkeys, merged)
	}
	return &n
}

// designates says whether one of some key IDs is that of a designated revoker.
func (c *Certificate) designates(issuers []uint64) bool {
	return slices.ContainsFunc(issuers, func(id uint64) bool {
		_, found := slices.BinarySearch(c.revokers, id)
		return found
	})
}

func sortedIDs(ids []uint64) []uint64 { return slices.Compact(slices.Sorted(slices.Values(ids))) }

// runs returns what is equal in a list together, in ascending order.
func runs[T any](list []T, compare func(a, b T) int) iter.Seq[[]T] {
	rest := slices.SortedStableFunc(slices.Values(list), compare)
	return func(yield func([]T) bool) {
		for len(rest) > 0 {
			n := 1
			for n < len(rest) && compare(rest[0], rest[n]) == 0 {
				n++
			}
			if !yield(rest[:n:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

func compareUserIDs(a, b userID) int { return cmp.Compare(a.id, b.id) }

func compareSubkeys(a, b subkey) int { return bytes.Compare(a.fingerprint, b.fingerprint) }

func compareCertificates(a, b *Certificate) int {
	return bytes.Compare(a.primary.fingerprint, b.primary.fingerprint)
}

func keyExpired() *Error { return refuse(KeyExpired, "the key is expired") }

// expiry returns when a key with a lifetime in seconds expires; 0 is never.
func expiry(created int64, lifetime uint32) int64 {
	if lifetime == 0 {
		return 0
	}
	return created + int64(lifetime)
}

// isPast says whether a moment (0: never) is reached.
func isPast(expires, at int64) bool { return expires != 0 && at >= expires }

// moment converts seconds since the epoch; 0, which means never, to the zero
// time.
func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// printable escapes what is not printable, invalid UTF-8 and characters that
// change the direction of text included, and cuts the text at size bytes.
func printable(text string, size int) string {
	const more = "…"
	var b strings.Builder
	end := 0 // Where the text is cut if it turns out to be too long.
	for len(text) > 0 && b.Len() <= size {
		if b.Len() <= size-len(more) {
			end = b.Len()
		}
		r, width := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && width == 1:
			b.WriteString(`\x` + hex.EncodeToString([]byte(text[:1])))
		case unicode.IsPrint(r):
			b.WriteString(text[:width])
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		text = text[width:]
	}
	if len(text) == 0 && b.Len() <= size {
		return b.String()
	}
	return b.String()[:end] + more
}
