// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/assay-project/assay/internal/safetext"
)

// Certificate is a transferable public key (RFC 9580 section 10.1) with its valid self-signatures,
// bindings and revocations. It is immutable and may be shared between goroutines.
type Certificate struct {
	primary *publicKey
	direct  component
	userIDs []userID // Sorted by ID.
	subkeys []subkey // Sorted by fingerprint.
	revoked bool

	// revokers are the key IDs of the designated revokers (RFC 9580 section 5.2.3.23).
	// revocationsBy are those of the issuers of key revocations that the key itself did not make.
	// Both are sorted. A key ID in both revokes the key. Since such a revocation cannot be
	// verified, full fingerprints would add nothing.
	revokers, revocationsBy []uint64

	// defect is the reason why no key of the certificate can be used; empty if there is none.
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

// primaryKey is the index of the primary key where subkeys have theirs.
const primaryKey = -1

// Fingerprint returns the fingerprint of the primary key: 40 (version 4) or 64 (version 6)
// upper-case hexadecimal digits.
func (c *Certificate) Fingerprint() string { return c.primary.fingerprintText() }

// Algorithm returns algorithm and size or curve of the primary key: "RSA-4096", "Ed25519",
// "ECDSA-P-256".
func (c *Certificate) Algorithm() string { return c.primary.name }

// Created returns when the primary key was created, to the second, in UTC.
func (c *Certificate) Created() time.Time { return time.Unix(c.primary.created, 0).UTC() }

// Expires returns when the primary key expires according to its newest self-signatures, in UTC; the
// zero time if it does not.
func (c *Certificate) Expires() time.Time {
	return unixTime(c.primaryStatus(c.latest()).expires)
}

// Revoked reports whether the primary key is revoked.
func (c *Certificate) Revoked() bool { return c.revoked }

// UserID returns the primary user ID among the valid ones, or "" if there is none: one that is
// marked as primary before others, then the one with the newest self-signature. It is escaped by
// [safetext.Escape] and has at most 256 bytes.
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
	return safetext.Escape(best.id, maxUserIDSize)
}

func (u *userID) isBefore(other *userID) bool {
	mine, others := u.selfSigs[0], other.selfSigs[0]
	if mine.primaryUserID != others.primaryUserID {
		return mine.primaryUserID
	}
	return mine.created > others.created
}

// Check returns nil if some key of the certificate may sign at the given time. Otherwise it returns
// an [*Error]: KeyExpired, KeyRevoked, WeakAlgorithm, UnsupportedAlgorithm or UnusableKey.
func (c *Certificate) Check(now time.Time) error {
	at := now.Unix()
	primary := c.primaryStatus(at)
	var worst *Error
	for i := primaryKey; i < len(c.subkeys); i++ {
		expires, err := c.signingValidity(i, primary, at)
		if err == nil && isPast(expires, at) {
			err = keyExpired()
		}
		if err == nil {
			return nil
		}
		// The defect of a signing subkey is more useful than that the primary key does not sign.
		if worst == nil || worst.Code == UnusableKey && err.Code != UnusableKey {
			worst = c.attribute(err, i)
		}
	}
	return worst
}

// attribute adds the fingerprints of the key to its refusal.
func (c *Certificate) attribute(err *Error, i int) *Error {
	err.Fingerprint = c.Fingerprint()
	err.SigningFingerprint = c.key(i).fingerprintText()
	return err
}

// key returns the primary key or a subkey.
func (c *Certificate) key(i int) *publicKey {
	if i == primaryKey {
		return c.primary
	}
	return c.subkeys[i].publicKey
}

// primaryStatus is the status of the primary key according to its self-signatures.
type primaryStatus struct {
	valid   bool // The required self-signatures are in force.
	signs   bool
	expires int64 // 0 is never.
}

// primaryStatus returns the status that the self-signatures in force at a time give. Each property
// comes from the newer signature that states it: the newest direct-key signature or the newest
// certification of a user ID. GnuPG writes properties into the latter, Sequoia into both. The
// package comment lists which signatures are required: otherwise a version 4 key would keep every
// capability after its owner has revoked all user IDs.
func (c *Certificate) primaryStatus(at int64) (s primaryStatus) {
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

// signingValidity reports whether a key may sign and until when (0: forever), given the status of
// the primary key at that time. It does not check whether that time has passed.
func (c *Certificate) signingValidity(i int, primary primaryStatus, at int64) (expires int64, err *Error) {
	switch {
	case c.defect != "":
		return 0, refuse(UnusableKey, c.defect)
	case c.primary.weakness != "":
		return 0, c.primary.refuseAlgorithm()
	case c.revoked:
		return 0, refuse(KeyRevoked, "the key is revoked")
	}
	switch {
	case c.key(i).created > at+skewSeconds:
		return 0, refuse(UnusableKey, "the creation time of the key is in the future")
	case !primary.valid:
		return 0, refuse(UnusableKey, c.whyInvalid())
	case i == primaryKey && !primary.signs:
		return 0, refuse(UnusableKey, "the key may not sign data: its key flags do not include signing")
	case i == primaryKey:
		return primary.expires, nil
	}
	subkeyExpires, err := c.subkeys[i].signingValidity(at)
	return earliest(primary.expires, subkeyExpires), err
}

const noUserID = "the key has no user ID and no direct-key signature with key flags: " +
	"some key servers leave user IDs out; get a copy with one"

// whyInvalid is the refusal of a certificate whose primary key has no self-signature in force.
func (c *Certificate) whyInvalid() string {
	if len(c.userIDs) == 0 && c.primary.version != 6 {
		return noUserID
	}
	return "the key has no valid self-signature"
}

func (s *subkey) signingValidity(at int64) (expires int64, err *Error) {
	binding := s.newest(at)
	switch {
	case binding != nil && !binding.maySign():
		return 0, refuse(UnusableKey, "the subkey may not sign data: its key flags do not include signing")
	case s.revoked:
		return 0, refuse(KeyRevoked, "the subkey is revoked")
	case binding == nil:
		return 0, refuse(UnusableKey, "the subkey has no valid binding to its primary key")
	case s.weakness != "":
		return 0, s.refuseAlgorithm()
	case !binding.crossCertified:
		return 0, refuse(UnusableKey, "the subkey does not cross-certify its primary key")
	}
	return expiry(s.created, binding.keyLifetime), nil
}

// SigningUntil returns until when some key of the certificate may sign if nothing but time changes.
// It returns the zero time if that is forever, or if none may sign now.
func (c *Certificate) SigningUntil(now time.Time) time.Time {
	at, until := now.Unix(), int64(0)
	primary := c.primaryStatus(at)
	for i := primaryKey; i < len(c.subkeys); i++ {
		expires, err := c.signingValidity(i, primary, at)
		if err != nil || isPast(expires, at) {
			continue
		}
		if expires == 0 {
			return time.Time{}
		}
		until = max(until, expires)
	}
	return unixTime(until)
}

// NextChange returns the first time after now at which the result of [Certificate.Check] may
// change; the zero time if there is none.
func (c *Certificate) NextChange(now time.Time) time.Time {
	at := now.Unix()
	next, primary := c.nextChange(at), c.primaryStatus(at)
	for i := primaryKey; i < len(c.subkeys); i++ {
		if expires, err := c.signingValidity(i, primary, at); err == nil && expires > at {
			next = earliest(next, expires)
		}
	}
	return unixTime(next)
}

// nextChange returns the first time after another at which a key or self-signature comes into force
// or a self-signature expires; 0 if there is none.
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

// latest returns the creation time of the newest self-signature.
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

// mergeCertificates joins one or more versions of a certificate. Everything that is valid in any of
// them counts, including revocations.
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
		merged.defect = max(merged.defect, v.defect) // Independent of their order.
	}
	merged.direct = mergeComponents(direct)
	return merged.normalized()
}

// normalized returns the certificate with its parts sorted and without duplicates. It joins all
// copies of a part at once, since a hostile file may have any number of them.
func (c *Certificate) normalized() *Certificate {
	n := *c
	n.direct = c.direct.normalized()
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

// designates reports whether one of the key IDs is that of a designated revoker.
func (c *Certificate) designates(issuers []uint64) bool {
	return slices.ContainsFunc(issuers, func(id uint64) bool {
		_, found := slices.BinarySearch(c.revokers, id)
		return found
	})
}

func sortedIDs(ids []uint64) []uint64 { return slices.Compact(slices.Sorted(slices.Values(ids))) }

// runs returns the groups of equal elements of a list, in ascending order.
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

// isPast reports whether an expiration time (0: never) has been reached.
func isPast(expires, at int64) bool { return expires != 0 && at >= expires }

// unixTime converts seconds since the epoch; 0, which means never, becomes the zero time.
func unixTime(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
