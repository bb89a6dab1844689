// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package rfc3161

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assay-project/assay/internal/pubkey"
)

var (
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidTimeStamping     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
)

// Errors of Verify. Their text is one clause.
var (
	// ErrUntrusted: another authority has issued the timestamp.
	ErrUntrusted = errors.New("the timestamp is by no certificate of the timestamp authority")
	// ErrSignature: the authority's certificate does not verify the timestamp.
	ErrSignature = errors.New("the timestamp's signature is wrong")
	// ErrExpired: a certificate of the authority was not valid at the time that the timestamp states.
	ErrExpired = errors.New("a certificate of the timestamp authority was not valid at the time of the timestamp")
	// ErrCertificate: the timestamp brings certificates, and that of the authority is not among them.
	ErrCertificate = errors.New("the timestamp brings another certificate than that of the timestamp authority")
	// ErrUsage: the certificate is not one for timestamps.
	ErrUsage = errors.New("the timestamp's certificate does not have time stamping as its only and critical extended key usage")
)

// Authority is a timestamp authority that is trusted. It is not changed after it was made.
type Authority struct {
	leaf          *x509.Certificate // nil if timestamps bring it
	signer        *signer           // what is known of leaf
	root          *x509.Certificate
	intermediates []*x509.Certificate
}

// signer is a certificate of which the chain was checked.
type signer struct {
	key                 *pubkey.Key
	notBefore, notAfter time.Time // when all of the chain is valid
	err                 error
}

// NewAuthority returns an authority for a chain of certificates in order, the root last. The first
// may be the certificate that signs; if it is a CA, timestamps have to bring the one that signs.
func NewAuthority(chain []*x509.Certificate) (*Authority, error) {
	a := &Authority{}
	if len(chain) > 0 && !chain[0].IsCA {
		a.leaf, chain = chain[0], chain[1:]
	}
	if len(chain) == 0 {
		return nil, errors.New("the timestamp authority has no CA certificate")
	}
	a.root, a.intermediates = chain[len(chain)-1], chain[:len(chain)-1]
	if a.leaf != nil {
		// The chain is checked at the first time at which all of it can be valid: what it depends on
		// besides the time is the same at any other.
		at := a.leaf.NotBefore
		for _, c := range chain {
			if c.NotBefore.After(at) {
				at = c.NotBefore
			}
		}
		a.signer = a.check(a.leaf, nil, at)
	}
	return a, nil
}

// Cost estimates the processor time of Verify, in microseconds: see package pubkey.
func (a *Authority) Cost(t *Token) int {
	if a.leaf != nil {
		if a.signer.err != nil || !t.signedWith(a.leaf) {
			return 0
		}
		return a.signer.key.Cost()
	}
	leaf, others := t.signerCertificate()
	if leaf == nil {
		return 0
	}
	key, err := pubkey.New(leaf.PublicKey)
	if err != nil {
		return 0
	}
	return key.Cost() + pubkey.ChainCost(leaf, append(others, a.intermediates...), []*x509.Certificate{a.root})
}

// Verify checks that the authority has issued the timestamp, and returns the time that it states.
// What the timestamp is for is up to Covers.
func (a *Authority) Verify(t *Token) (time.Time, error) {
	if a.leaf != nil {
		isLeaf := func(c *x509.Certificate) bool { return c.Equal(a.leaf) }
		switch {
		case !t.signedWith(a.leaf):
			return time.Time{}, ErrUntrusted
		case len(t.certificates) > 0 && !slices.ContainsFunc(t.certificates, isLeaf):
			return time.Time{}, ErrCertificate
		}
		return t.verify(a.signer)
	}
	leaf, others := t.signerCertificate()
	if leaf == nil {
		return time.Time{}, ErrUntrusted
	}
	return t.verify(a.check(leaf, others, t.time))
}

// verify checks the signature with a certificate of which everything else is known.
func (t *Token) verify(s *signer) (time.Time, error) {
	switch {
	case s.err != nil:
		return time.Time{}, s.err
	case t.time.Before(s.notBefore) || t.time.After(s.notAfter):
		return time.Time{}, ErrExpired
	case !s.key.VerifyHash(t.hash, t.attributes, t.signature):
		return time.Time{}, ErrSignature
	}
	return t.time, nil
}

// signerCertificate returns the certificate that the timestamp names as its signer, nil if it does not
// bring it, and the others whose keys meet the floor: what a larger key costs has no bound.
func (t *Token) signerCertificate() (leaf *x509.Certificate, others []*x509.Certificate) {
	for _, c := range t.certificates {
		if leaf == nil && t.signedWith(c) {
			leaf = c
		} else if _, err := pubkey.New(c.PublicKey); err == nil {
			others = append(others, c)
		}
	}
	return leaf, others
}

// check checks the chain from a certificate to the authority's root at a time, and returns when all
// of the chain is valid.
func (a *Authority) check(leaf *x509.Certificate, others []*x509.Certificate, at time.Time) *signer {
	if !solelyTimeStamping(leaf) {
		return &signer{err: ErrUsage}
	}
	key, err := pubkey.New(leaf.PublicKey)
	if err != nil {
		return &signer{err: err}
	}
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
		CurrentTime:   at,
	}
	options.Roots.AddCert(a.root)
	for _, c := range append(others, a.intermediates...) {
		options.Intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(options)
	if err != nil {
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			return &signer{err: ErrExpired}
		}
		return &signer{err: ErrUntrusted}
	}
	s := &signer{key: key, notBefore: leaf.NotBefore, notAfter: leaf.NotAfter}
	for _, c := range chains[0] {
		if c.NotBefore.After(s.notBefore) {
			s.notBefore = c.NotBefore
		}
		if c.NotAfter.Before(s.notAfter) {
			s.notAfter = c.NotAfter
		}
	}
	return s
}

// solelyTimeStamping reports whether time stamping is the only extended key usage of a certificate
// and the extension is critical (RFC 3161 section 2.3).
func solelyTimeStamping(c *x509.Certificate) bool {
	var usage *pkix.Extension
	for i := range c.Extensions {
		if c.Extensions[i].Id.Equal(oidExtendedKeyUsage) {
			usage = &c.Extensions[i]
		}
	}
	if usage == nil || !usage.Critical {
		return false
	}
	in := cryptobyte.String(usage.Value)
	var usages cryptobyte.String
	var oid asn1.ObjectIdentifier
	return in.ReadASN1(&usages, cryptobyte_asn1.SEQUENCE) && in.Empty() &&
		usages.ReadASN1ObjectIdentifier(&oid) && usages.Empty() && oid.Equal(oidTimeStamping)
}
