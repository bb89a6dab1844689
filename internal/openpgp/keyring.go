// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// Keyring is a set of trusted certificates. It does not change and may be
// shared between goroutines.
type Keyring struct {
	certificates []*Certificate
	byKeyID      map[uint64][]candidate
}

// candidate is a key that may have made a signature.
type candidate struct {
	certificate *Certificate
	index       int // Of the subkey, or primaryKey.
}

// NewKeyring makes a keyring. Versions of one certificate are merged: the
// newest valid self-signatures and every revocation count. The order of the
// arguments has no effect; nil certificates are left out.
func NewKeyring(certificates ...*Certificate) *Keyring {
	return newKeyring(certificates, nil)
}

// NewKeyringFromFiles makes a keyring of the certificates of several key files, as
// [NewKeyring] does. A revocation that stands by itself in one file counts for the
// keys of all: adding what gpg --gen-revoke wrote beside a key revokes it. Nil
// files are left out, and the order has no effect. Applying revocations takes a
// quarter of a second at most; a certificate which is named by more of them than
// can be verified in that time cannot be used.
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

// Certificate returns the certificate with a fingerprint in upper-case hexadecimal, as all
// files of the keyring together have it; nil when there is none.
func (k *Keyring) Certificate(fingerprint string) *Certificate {
	i, found := slices.BinarySearchFunc(k.certificates, fingerprint, func(c *Certificate, f string) int {
		return cmp.Compare(c.Fingerprint(), f)
	})
	if !found {
		return nil
	}
	return k.certificates[i]
}

// Options are the circumstances of a verification.
type Options struct {
	// Now is the moment at which keys and signatures are judged.
	Now time.Time

	// AcceptBeforeExpiry accepts the signature of a key that is expired now if
	// the key was not when the signature says it was made. Whoever holds the
	// expired key can write any time into a signature.
	AcceptBeforeExpiry bool
}

// Verified is a message whose signature is valid and made by a trusted key.
type Verified struct {
	// Payload is what was signed. The caller owns it.
	Payload []byte

	// Fingerprint is that of the primary key, upper-case hexadecimal: the
	// identity of the signer.
	Fingerprint string

	// SigningFingerprint is that of the key that made the signature: the
	// primary key or a subkey of it.
	SigningFingerprint string

	// UserID is [Certificate.UserID] of the signer.
	UserID string

	// Created is when the signature says it was made, to the second, in UTC.
	Created time.Time

	// ValidUntil is the earliest moment at which time alone may change this
	// result: when the signature, a key or a self-signature expires, or a
	// self-signature comes into force. Zero if there is none.
	ValidUntil time.Time
}

// Verify says who signed a message. Exactly one of the results is not nil; the
// error is an [*Error], with the fingerprints of the certificate that was judged
// if the keyring has one. Several certificates may claim one key: each is
// judged by itself, and the first by fingerprint that is entitled to it is
// accepted.
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
	// The first octets of the digest stand in the signature for a quick check (RFC 9580
	// section 5.2.3). They are not signed, and another value is an altered message.
	tagFits := bytes.Equal(m.signature.hashTag, sum[:hashTagSize])
	var first *Error
	var retry int64
	for _, c := range candidates {
		verified, fault := c.judge(m, sum, tagFits, o)
		if fault == nil {
			return verified, nil
		}
		fault.Issuer = m.UnverifiedIssuer()
		if !fault.NotBefore.IsZero() {
			retry = earliest(retry, fault.NotBefore.Unix())
		}
		// A fault of the key that made the signature says more than that
		// another key did not.
		if first == nil || first.Code == BadSignature && fault.Code != BadSignature {
			first = c.certificate.attribute(fault, c.index)
		}
	}
	first.NotBefore = moment(retry)
	return nil, first
}

func (m *Message) unknownKey() *Error {
	fault := refuse(UnknownKey, "the message does not say which key signed it")
	if fault.Issuer = m.UnverifiedIssuer(); fault.Issuer != "" {
		fault.Detail = "the signature names the key " + fault.Issuer + ", which is not among the trusted keys"
	}
	return fault
}

// candidates returns the keys that the message's hints allow, in the order of
// their certificates' fingerprints.
func (k *Keyring) candidates(m *Message) []candidate {
	var keyID uint64
	hints := [...]*issuerHint{&m.signature.issuer, &m.onePass.issuer, &m.signature.unhashedIssuer}
	for _, h := range hints {
		for _, id := range h.keyIDs() {
			keyID = max(keyID, id) // They agree, or are 0 for none.
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

// judge verifies the signature by one key, and then whether that key may have
// made it.
func (c candidate) judge(m *Message, sum []byte, tagFits bool, o Options) (*Verified, *Error) {
	key, s, now := c.certificate.key(c.index), &m.signature, o.Now.Unix()
	if fault := key.unfit(s); fault != nil {
		return nil, fault
	}
	if !tagFits || !key.verifyDigest(s, sum) {
		return nil, refuse(BadSignature, "the signature is not valid: content or signature was altered")
	}
	expires, fault := c.certificate.permission(c.index, c.certificate.standing(now), now)
	if fault == nil {
		fault = judgeTimes(s, max(key.created, c.certificate.primary.created), expires, now, o.AcceptBeforeExpiry)
	}
	if fault != nil {
		// Self-signatures that come into force may mend it, and so may the key's own time.
		next := c.certificate.nextChange(now)
		if !fault.NotBefore.IsZero() {
			next = earliest(next, fault.NotBefore.Unix())
		}
		fault.NotBefore = moment(next)
		return nil, fault
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
		ValidUntil:         moment(until),
	}, nil
}

// judgeTimes compares the times of a signature, of its key and of now.
func judgeTimes(s *signature, keyCreated, keyExpires, now int64, acceptBeforeExpiry bool) *Error {
	switch {
	case s.created > now+skewSeconds:
		fault := refuse(SignatureInFuture, "the signature claims to be made in the future: check the signer's clock")
		fault.NotBefore = moment(s.created - skewSeconds)
		return fault
	case s.created < keyCreated:
		return refuse(BadSignature, "the signature claims to be older than its key")
	case isPast(keyExpires, s.created):
		return refuse(KeyExpired, "the key was expired when it signed")
	case isPast(keyExpires, now) && !acceptBeforeExpiry:
		return keyExpired()
	case isPast(s.expires(), now):
		return refuse(SignatureExpired, "the signature is expired")
	default:
		return nil
	}
}
