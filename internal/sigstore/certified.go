// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"cmp"
	"crypto/x509"
)

// certifiedResult is what came of a certificate of Fulcio under one set of roots.
type certifiedResult struct {
	evidence *evidence
	identity *fulcioIdentity
	err      *Error
}

// checkFulcio checks a signature by a key that Fulcio has certified.
func (c *checker) checkFulcio(f *Fulcio) (*Verified, *Error) {
	r, ok := c.certified[f.Roots]
	if !ok {
		r = c.checkCertified(f.Roots)
		c.certified[f.Roots] = r
	}
	if r.err != nil {
		err := *r.err
		return nil, &err
	}
	if err := f.match(r.identity); err != nil {
		return nil, err
	}
	return c.verified(c.leaf.key, r.evidence, func(v *Verified, all *claims) {
		v.IssuedTo.Organization = escape(r.identity.issuer, maxName)
		v.IssuedTo.CommonName = escape(r.identity.subject, maxName)
		v.IssuedBy = issuedBy(c.leaf.Certificate)
		r.identity.claim(all)
	})
}

// checkCertified checks everything about a certificate of Fulcio but who it must be for.
func (c *checker) checkCertified(r *Roots) (result certifiedResult) {
	if len(r.cas) == 0 {
		result.err = fail(RootsUnavailable, "the policy's root names no certificate authority that can be used")
		return result
	}
	if result.err = c.readCertificate(); result.err != nil {
		return result
	}
	if result.identity, result.err = c.leaf.identity(); result.err != nil {
		return result
	}
	result.evidence, result.err = c.evidence(r, c.signed(c.leaf, nil), true)
	if result.err != nil {
		return result
	}
	issuer, err := c.issuerIn(r, result.evidence)
	switch {
	case err != nil:
		result.err = err
	case r.complete && len(r.ctLogs) == 0:
		result.err = fail(RootsUnavailable, "the policy's root names no certificate transparency log that can be used")
	case r.complete && !recorded(c.leaf.Certificate, issuer, r.ctLogs):
		result.err = fail(InvalidSCT, "the certificate is in no certificate transparency log that the policy trusts")
	default:
		result.err = c.verifyByLeaf()
	}
	return result
}

// issuerIn returns the certificate of the CA that issued the leaf, if the whole chain to an anchor was
// valid at every trusted time and the roots say so of the CA. Intermediates that the signature brings
// count where the policy could not name them.
func (c *checker) issuerIn(r *Roots, e *evidence) (*x509.Certificate, *Error) {
	leaf, others := c.leaf, c.others
	for _, t := range e.claimed {
		if t.Before(leaf.NotBefore) || t.After(leaf.NotAfter) {
			return nil, fail(CertificateExpired, "the certificate was not valid at the time that the log entry states")
		}
	}
	if r.complete {
		others = nil
	}
	failed := fail(UntrustedCertificate, "the certificate was not issued by a CA of the policy")
	for _, ca := range r.cas {
		if err := c.spendBrought(ca.cost(leaf.Certificate, others)); err != nil {
			return nil, err
		}
		chains, err := ca.chainTo(leaf.Certificate, others, e.times[0])
		if err != nil {
			if expired(err) {
				failed = fail(CertificateExpired, "a certificate of the chain was not valid when the signature was made")
			}
			continue
		}
		for _, chain := range chains {
			if len(chain) > 1 && validAt(chain, e.times) && ca.validAt(e.times) {
				return chain[1], nil
			}
		}
		failed = fail(CertificateExpired, "a certificate of the chain was not valid, or no longer trusted, when the signature was made")
	}
	return nil, failed
}

// checkPKI checks a signature by a key that any other CA has certified.
func (c *checker) checkPKI(p *PKI) (*Verified, *Error) {
	if err := c.readCertificate(); err != nil {
		return nil, err
	}
	ca := unchecked(p.Roots, p.Intermediates)
	if err := c.spendBrought(ca.cost(c.leaf.Certificate, c.others)); err != nil {
		return nil, err
	}
	chains, err := ca.chainTo(c.leaf.Certificate, c.others, c.now)
	switch {
	case expired(err):
		e := fail(CertificateExpired, "a certificate of the chain is not valid at present")
		if c.now.Before(c.leaf.NotBefore) {
			e.RecheckAt = c.leaf.NotBefore
		}
		return nil, e
	case err != nil:
		return nil, fail(UntrustedCertificate, "the certificate was not issued by a CA of the policy")
	}
	if err := c.verifyByLeaf(); err != nil {
		return nil, err
	}
	if err := p.match(c.leaf); err != nil {
		return nil, err
	}
	e := &evidence{}
	for _, chain := range chains {
		if until := chainEnd(chain); until.After(e.validUntil) {
			e.validUntil = until
		}
	}
	return c.verified(c.leaf.key, e, func(v *Verified, all *claims) {
		v.IssuedTo.CommonName = escape(cmp.Or(p.Email, p.Hostname), maxName)
		v.IssuedBy = issuedBy(c.leaf.Certificate)
		for i, name := range append(c.leaf.EmailAddresses[:len(c.leaf.EmailAddresses):len(c.leaf.EmailAddresses)], c.leaf.DNSNames...) {
			if i < maxListed {
				all.add(numbered("certificate.subject", i), name)
			}
		}
	})
}

// readCertificate reads the certificate of the signature once.
func (c *checker) readCertificate() *Error {
	if c.certificated {
		return copyOf(c.leafErr)
	}
	c.certificated = true
	c.leafErr = c.parseCertificates()
	return copyOf(c.leafErr)
}

// copyOf returns a copy, to which the name of an authority is added.
func copyOf(e *Error) *Error {
	if e == nil {
		return nil
	}
	again := *e
	return &again
}

func (c *checker) parseCertificates() (err *Error) {
	chain := c.s.certificates
	if c.s.form == formBlob {
		if chain, err = c.s.blobCertificates(); err != nil {
			return err
		}
	}
	if len(chain) == 0 {
		return fail(NoCertificate, "the signature has no certificate, which the policy asks for")
	}
	if c.leaf, err = parseSigner(chain[0]); err != nil {
		return err
	}
	for _, der := range chain[1:] {
		other, err := parseTrusted(der)
		if err != nil {
			return fail(InvalidCertificate, "a certificate of the signer's chain cannot be used: "+err.Error())
		}
		c.others = append(c.others, other)
	}
	return nil
}
