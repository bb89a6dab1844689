// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// Keyring is a set of trusted certificates. It is immutable and may be shared between goroutines.
type Keyring struct {
	certificates []*Certificate
	byKeyID      map[uint64][]candidate
}

// candidate is a key that may have made a signature.
type candidate struct {
	certificate *Certificate
	index       int // Of the subkey, or primaryKey.
}

// NewKeyring returns a keyring. It merges versions of one certificate: the newest valid
// self-signatures and every revocation count. The order of the arguments has no effect; nil
// certificates are ignored.
func NewKeyring(certificates ...*Certificate) *Keyring {
	return newKeyring(certificates, nil)
}

// NewKeyringFromFiles returns a keyring with the certificates of several key files, as [NewKeyring]
// does. A standalone revocation in one file counts for the keys of all: adding the output of gpg
// --gen-revoke next to a key revokes it. Nil files are ignored, and the order has no effect.
// Applying revocations takes at most a quarter of a second; a certificate with more revocations
// than can be verified in that time cannot be used.
func NewKeyringFromFiles(files ...*KeyFile) *Keyring {
	var certificates []*Certificate
	var revocations []*signature
	for _, f := range files {
		if f != nil {
			certificates = append(certificates, f.Certificates...)
			revocations = append(revocations, f.revocations...)
		}
	}
	return newKeyring(certificates, revocations)
}

func newKeyring(certificates []*Certificate, revocations []*signature) *Keyring {
	given := slices.DeleteFunc(slices.Clone(certificates), func(c *Certificate) bool { return c == nil })
	k := &Keyring{byKeyID: map[uint64][]candidate{}}
	for same := range runs(given, compareCertificates) {
		k.certificates = append(k.certificates, mergeCertificates(same))
	}
	k.certificates = applyRevocations(k.certificates, revocations)
	for _, c := range k.certificates {
		for i := primaryKey; i < len(c.subkeys); i++ {
			id := c.key(i).keyID
			k.byKeyID[id] = append(k.byKeyID[id], candidate{c, i})
		}
	}
	return k
}

// Len returns the number of certificates. A nil keyring has none.
func (k *Keyring) Len() int {
	if k == nil {
		return 0
	}
	return len(k.certificates)
}

// Certificates returns the certificates, sorted by fingerprint, each once.
func (k *Keyring) Certificates() []*Certificate { return slices.Clone(k.certificates) }

// Certificate returns the certificate with a fingerprint in upper-case hexadecimal, merged from all
// files of the keyring; nil if there is none.
func (k *Keyring) Certificate(fingerprint string) *Certificate {
	i, found := slices.BinarySearchFunc(k.certificates, fingerprint, func(c *Certificate, f string) int {
		return cmp.Compare(c.Fingerprint(), f)
	})
	if !found {
		return nil
	}
	return k.certificates[i]
}

// Options configures a verification.
type Options struct {
	// Now is the time at which keys and signatures are evaluated.
	Now time.Time

	// AcceptBeforeExpiry accepts the signature of an expired key if the key had not expired at the
	// creation time that the signature states. A holder of the expired key can write any time into
	// a signature.
	AcceptBeforeExpiry bool
}

// Verified is a message with a valid signature by a trusted key.
type Verified struct {
	// Payload is the signed content. The caller owns it.
	Payload []byte

	// Fingerprint is the fingerprint of the primary key, upper-case hexadecimal: the identity of
	// the signer.
	Fingerprint string

	// SigningFingerprint is the fingerprint of the key that made the signature: the primary key or
	// one of its subkeys.
	SigningFingerprint string

	// UserID is [Certificate.UserID] of the signer.
	UserID string

	// Created is the creation time that the signature states, to the second, in UTC.
	Created time.Time

	// ValidUntil is the earliest time at which the passing of time may change this result: when the
	// signature, a key or a self-signature expires, or a self-signature comes into force. Zero if
	// there is none.
	ValidUntil time.Time
}

// Verify verifies the signature of a message and returns its signer. Exactly one of the results is
// not nil; the error is an [*Error], with the fingerprints of the certificate that was tried if the
// keyring has one. Several certificates may claim one key: each is tried separately, and the first
// by fingerprint that is entitled to the key is accepted.
func (k *Keyring) Verify(m *Message, o Options) (*Verified, error) {
	if m == nil {
		return nil, malformed("there is no message")
	}
	candidates := k.candidates(m)
	if len(candidates) == 0 {
		return nil, m.unknownKey()
	}
	h := m.signature.startHash()
	h.Write(m.untrustedPayload)
	sum := m.signature.finishHash(h)
	// The signature contains the first octets of the digest for a quick check (RFC 9580 section
	// 5.2.3). They are not signed, and another value means an altered message.
	tagFits := bytes.Equal(m.signature.hashTag, sum[:hashTagSize])
	var first *Error
	var retry int64
	for _, c := range candidates {
		verified, err := c.verify(m, sum, tagFits, o)
		if err == nil {
			return verified, nil
		}
		err.Issuer = m.UnverifiedIssuer()
		if !err.NotBefore.IsZero() {
			retry = earliest(retry, err.NotBefore.Unix())
		}
		// A defect of the key that made the signature is more useful than that another key did not
		// make it.
		if first == nil || first.Code == BadSignature && err.Code != BadSignature {
			first = c.certificate.attribute(err, c.index)
		}
	}
	first.NotBefore = unixTime(retry)
	return nil, first
}

// Cost estimates how long Verify takes for a message, in microseconds: all of the keys that the
// message's hints allow, which are 16 at most.
func (k *Keyring) Cost(m *Message) int {
	if m == nil {
		return 0
	}
	cost := 0
	for _, c := range k.candidates(m) {
		cost += c.certificate.key(c.index).cost
	}
	if cost > 0 {
		cost += hashCost(len(m.untrustedPayload))
	}
	return cost
}

func (m *Message) unknownKey() *Error {
	err := refuse(UnknownKey, "the message does not name its signing key")
	if err.Issuer = m.UnverifiedIssuer(); err.Issuer != "" {
		err.Detail = "the signature names the key " + err.Issuer + ", which is not among the trusted keys"
	}
	return err
}

// candidates returns the keys that the message's hints allow, in the order of their certificates'
// fingerprints.
func (k *Keyring) candidates(m *Message) []candidate {
	var keyID uint64
	hints := [...]*issuerHint{&m.signature.issuer, &m.onePass.issuer, &m.signature.unhashedIssuer}
	for _, h := range hints {
		for _, id := range h.keyIDs() {
			keyID = max(keyID, id) // They agree or are 0 for none.
		}
	}
	if keyID == 0 {
		return nil
	}
	var found []candidate
	for _, c := range k.byKeyID[keyID] {
		key := c.certificate.key(c.index)
		if m.signature.mayBeIssuedBy(key) && m.onePass.issuer.allows(key) && len(found) < maxCandidates {
			found = append(found, c)
		}
	}
	return found
}

// verify verifies the signature with one key, and then checks whether that key was allowed to make
// it.
func (c candidate) verify(m *Message, sum []byte, tagFits bool, o Options) (*Verified, *Error) {
	key, s, now := c.certificate.key(c.index), &m.signature, o.Now.Unix()
	if err := key.checkCompatible(s); err != nil {
		return nil, err
	}
	if !tagFits || !key.verifyDigest(s, sum) {
		return nil, refuse(BadSignature, "the signature is not valid: content or signature was altered")
	}
	expires, err := c.certificate.signingValidity(c.index, c.certificate.primaryStatus(now), now)
	if err == nil {
		err = checkTimes(s, max(key.created, c.certificate.primary.created), expires, now, o.AcceptBeforeExpiry)
	}
	if err != nil {
		// A self-signature that comes into force, or the key's own creation time, may resolve the
		// refusal.
		next := c.certificate.nextChange(now)
		if !err.NotBefore.IsZero() {
			next = earliest(next, err.NotBefore.Unix())
		}
		err.NotBefore = unixTime(next)
		return nil, err
	}
	until := earliest(s.expires(), c.certificate.nextChange(now))
	if !o.AcceptBeforeExpiry {
		until = earliest(until, expires)
	}
	return &Verified{
		Payload:            slices.Clone(m.untrustedPayload),
		Fingerprint:        c.certificate.Fingerprint(),
		SigningFingerprint: key.fingerprintText(),
		UserID:             c.certificate.UserID(),
		Created:            time.Unix(s.created, 0).UTC(),
		ValidUntil:         unixTime(until),
	}, nil
}

// checkTimes compares the times of a signature and its key with the current time.
func checkTimes(s *signature, keyCreated, keyExpires, now int64, acceptBeforeExpiry bool) *Error {
	switch {
	case s.created > now+skewSeconds:
		err := refuse(SignatureInFuture, "the creation time of the signature is in the future: check the signer's clock")
		err.NotBefore = unixTime(s.created - skewSeconds)
		return err
	case s.created < keyCreated:
		return refuse(BadSignature, "the signature was created before its key")
	case isPast(keyExpires, s.created):
		return refuse(KeyExpired, "the key had expired when it signed")
	case isPast(keyExpires, now) && !acceptBeforeExpiry:
		return keyExpired()
	case isPast(s.expires(), now):
		return refuse(SignatureExpired, "the signature is expired")
	default:
		return nil
	}
}
