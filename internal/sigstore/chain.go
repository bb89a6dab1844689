// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/tlog"
)

// certificateAuthority issues certificates for signing. What its anchors are is for the policy to
// say; a chain ends at the first one. It is not changed after it was made.
type certificateAuthority struct {
	anchors       []*x509.Certificate
	intermediates []*x509.Certificate
	anchorPool    *x509.CertPool
	others        *x509.CertPool // of intermediates
	valid         tlog.Period

	// issuer is the certificate that issues those of signers, where the chain above it was checked
	// once for all, and above is that chain. Most of the time that a signature costs goes into keys on
	// larger curves, such as those of this chain.
	issuer *x509.Certificate
	only   *x509.CertPool // of issuer
	above  []*x509.Certificate
}

// newCertificateAuthority returns an authority. Intermediates are in the order of a chain, that which
// issues the certificates of signers first.
func newCertificateAuthority(anchors, intermediates []*x509.Certificate, valid tlog.Period) *certificateAuthority {
	ca := unchecked(anchors, intermediates)
	ca.valid = valid
	if len(intermediates) > 0 {
		ca.checkAbove(intermediates[0], append(intermediates[1:len(intermediates):len(intermediates)], anchors...))
	}
	return ca
}

// unchecked returns an authority that checks the chain of each signature as a whole.
func unchecked(anchors, intermediates []*x509.Certificate) *certificateAuthority {
	return &certificateAuthority{
		anchors: anchors, intermediates: intermediates, anchorPool: pool(anchors), others: pool(intermediates),
	}
}

func pool(certificates []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certificates {
		p.AddCert(c)
	}
	return p
}

// checkAbove checks the chain above an issuer, if none of its certificates restricts what is below by
// more than its validity. The check is done at the first time at which all of the chain can be valid.
func (ca *certificateAuthority) checkAbove(issuer *x509.Certificate, others []*x509.Certificate) {
	at := issuer.NotBefore
	for _, c := range others {
		if c.NotBefore.After(at) {
			at = c.NotBefore
		}
	}
	chains, err := issuer.Verify(x509.VerifyOptions{
		Roots: ca.anchorPool, Intermediates: ca.others, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return // the chain of each signature is checked as a whole
	}
	above := chains[0][1:]
	for i, c := range above {
		if restricts(c, i+1) {
			return
		}
	}
	ca.issuer, ca.only, ca.above = issuer, pool([]*x509.Certificate{issuer}), above
}

// Extensions by which a CA's certificate restricts those below it (RFC 5280 section 4.2.1).
var (
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// restricts reports whether a certificate restricts a chain with so many CAs below it.
func restricts(c *x509.Certificate, below int) bool {
	for i := range c.Extensions {
		if id := c.Extensions[i].Id; id.Equal(oidNameConstraints) || id.Equal(oidExtendedKeyUsage) {
			return true
		}
	}
	limited := c.MaxPathLen > 0 || c.MaxPathLen == 0 && c.MaxPathLenZero
	return limited && c.MaxPathLen < below
}

// cost estimates what chainTo costs, in microseconds. It is 0 where the certificate names no issuer
// that is known.
func (ca *certificateAuthority) cost(leaf *x509.Certificate, others []*x509.Certificate) int {
	cost := pubkey.ChainCost(leaf, slices.Concat(others, ca.intermediates), ca.anchors)
	if ca.issuer != nil && bytes.Equal(leaf.RawIssuer, ca.issuer.RawSubject) && len(others) == 0 {
		// The chain above the issuer is not checked again unless its key is not the one.
		cost = min(cost, pubkey.ChainCost(leaf, nil, []*x509.Certificate{ca.issuer}))
	}
	return cost
}

// chainTo returns the chains from a leaf to an anchor of the authority, of which the leaf and its issuer
// are valid at a time.
func (ca *certificateAuthority) chainTo(leaf *x509.Certificate, others []*x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	options := x509.VerifyOptions{
		Roots: ca.only, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	if ca.issuer != nil {
		chains, err := leaf.Verify(options)
		if !unknownAuthority(err) {
			for i := range chains {
				chains[i] = append(chains[i], ca.above...)
			}
			return chains, err
		}
	}
	options.Roots, options.Intermediates = ca.anchorPool, ca.others
	if len(others) > 0 {
		options.Intermediates = ca.others.Clone()
		for _, c := range others {
			options.Intermediates.AddCert(c)
		}
	}
	return leaf.Verify(options)
}

func unknownAuthority(err error) bool {
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &unknown)
}
