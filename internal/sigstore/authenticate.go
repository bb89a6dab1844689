// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto"
	"crypto/x509"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/strictjson"
	"github.com/assay-project/assay/internal/tlog"
)

// Input is what an authentication depends on besides the signature and the policy.
type Input struct {
	// Now is the present time.
	Now time.Time
	// Manifest is the image's manifest, nil if its bytes are not known. Only a bundle with a message
	// signature by some keys needs it.
	Manifest []byte
}

// Verified is what an authenticated signature says, and who says it.
type Verified struct {
	// Authority is the name of the policy entry that accepts the signature.
	Authority string
	// Statements are the images that are signed, at least one. The signature is for an image if one
	// of the statements has its digest.
	Statements []Statement
	// Payload is what was signed: the JSON of cosign, or an in-toto statement; nil for a signature
	// over the manifest itself.
	Payload []byte

	// SignedAt is the earliest trusted time, zero if nothing that the policy trusts states one.
	SignedAt time.Time
	// ValidUntil is the last moment of the present result: later, the same signature may be refused
	// although nothing but the time has changed. Zero if it stays.
	ValidUntil time.Time

	// IssuedTo names the signer, and IssuedBy the CA. Names are escaped. IssuedBy is empty where a
	// key of the policy has signed.
	IssuedTo Entity
	IssuedBy Entity
	// Claims are what was signed, what the certificate says and what logs state, flattened for
	// display; see MaxClaims for the bounds. Names and values are escaped.
	Claims map[string]string
}

// Entity names a signer or a CA.
type Entity struct {
	// Organization is the OIDC issuer of a signer, and the O of a CA.
	Organization string
	// CommonName is the subject alternative name of a signer, and the CN of a CA.
	CommonName string
	// PublicKeyID of a signer: 0x and the SHA-256 digest of the SubjectPublicKeyInfo in lower-case
	// hexadecimal digits.
	PublicKeyID string
}

// Authenticate checks an image signature against the entries of a policy and returns what it says
// for the first that accepts it. Where none does, the error is of type *Error: of the entry for which
// the signature came furthest, one that could not be checked before one that refuses it.
func (s *Signature) Authenticate(authorities []*Authority, in Input) (*Verified, error) {
	return s.authenticate(authorities, in, false)
}

// AuthenticateAttestation is Authenticate for an in-toto statement with a predicate of any type. An
// attestation is not a signature of the image that it is about: this is for tests of the rest.
func (s *Signature) AuthenticateAttestation(authorities []*Authority, in Input) (*Verified, error) {
	return s.authenticate(authorities, in, true)
}

func (s *Signature) authenticate(authorities []*Authority, in Input, anyPredicate bool) (*Verified, error) {
	c := &checker{s: s, now: in.Now, manifest: in.Manifest, anyPredicate: anyPredicate,
		certified: make(map[*Roots]certifiedResult)}
	failed := fail(InvalidPolicy, "the policy has no entry for signatures of sigstore")
	var recheckAt time.Time
	for i, a := range authorities {
		v, err := c.check(a)
		if err == nil {
			v.Authority = a.Name
			return v, nil
		}
		err.Authority = a.Name
		recheckAt = earlier(recheckAt, err.RecheckAt)
		if i == 0 || err.further(failed) {
			failed = err
		}
	}
	failed.RecheckAt = recheckAt
	return nil, failed
}

// checker checks one signature.
type checker struct {
	s            *Signature
	now          time.Time
	manifest     []byte
	anyPredicate bool

	// What several entries of a policy may need, and is found once.
	message      []byte
	leaf         *certificate
	others       []*x509.Certificate
	leafErr      *Error
	certificated bool
	signedByLeaf *bool
	certified    map[*Roots]certifiedResult
}

// certifiedResult is what came of a certificate of Fulcio under one set of roots.
type certifiedResult struct {
	evidence *evidence
	identity *fulcioIdentity
	err      *Error
}

func (c *checker) check(a *Authority) (*Verified, *Error) {
	if err := a.Validate(); err != nil {
		return nil, fail(InvalidPolicy, err.Error())
	}
	switch {
	case a.Fulcio != nil:
		return c.checkFulcio(a.Fulcio)
	case a.PKI != nil:
		return c.checkPKI(a.PKI)
	default:
		return c.checkKeys(a)
	}
}

// checkKeys checks a signature by a key of the policy.
func (c *checker) checkKeys(a *Authority) (*Verified, *Error) {
	for _, key := range a.Keys {
		ok, err := c.verifies(key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		e := &evidence{}
		if a.Log != nil {
			if e, err = c.evidence(a.Log, c.signed(nil, key), false); err != nil {
				return nil, err
			}
		}
		return c.verified(key, e, nil)
	}
	return nil, fail(UntrustedKey, "the signature is not by a key of the policy")
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
	issuer, err := r.issuerOf(c.leaf, c.others, result.evidence)
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

// issuerOf returns the certificate of the CA that issued a leaf, if the whole chain to an anchor was
// valid at every trusted time and the roots say so of the CA. Intermediates that the signature brings
// count where the policy could not name them.
func (r *Roots) issuerOf(leaf *certificate, others []*x509.Certificate, e *evidence) (*x509.Certificate, *Error) {
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
	ca := &certificateAuthority{anchors: p.Roots, intermediates: p.Intermediates}
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
		v.IssuedTo.CommonName = escape(c.leaf.Subject.CommonName, maxName)
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

// entries returns the log entries of the signature.
func (c *checker) entries() ([]*tlog.Entry, *Error) {
	if c.s.form == formBlob {
		return c.s.blobEntries()
	}
	return c.s.entries, nil
}

// timestamps returns the timestamps of the signature.
func (c *checker) timestamps() ([][]byte, *Error) {
	if c.s.form == formBlob {
		return c.s.blobTimestamps()
	}
	return c.s.timestamps, nil
}

// signed returns what a log entry must be about.
func (c *checker) signed(leaf *certificate, key *pubkey.Key) *tlog.Signed {
	signed := &tlog.Signed{Digest: c.digest, Signature: c.s.signature, Key: key}
	if leaf != nil {
		signed.Certificate = leaf.Raw
	}
	if c.s.form == formEnvelope {
		signed.Payload = c.s.payload
	}
	return signed
}

// content returns what the signature is over, nil if that is a manifest that is not known.
func (c *checker) content() []byte {
	switch {
	case c.s.form == formBlob:
		return c.s.payload
	case c.s.form == formMessage:
		return c.manifest
	case c.message == nil:
		c.message = preAuthenticated(c.s.payloadType, c.s.payload)
	}
	return c.message
}

// digest returns the digest of what the signature is over, nil if it is not known.
func (c *checker) digest(hash crypto.Hash) []byte {
	if c.s.form != formMessage || c.manifest != nil {
		return pubkey.Sum(hash, c.content())
	}
	if hash == c.s.hash {
		return c.s.digest
	}
	return nil
}

// verifies reports whether a key has made the signature.
func (c *checker) verifies(key *pubkey.Key) (bool, *Error) {
	if c.s.form != formMessage {
		return key.Verify(c.content(), c.s.signature), nil
	}
	if c.manifest != nil {
		return c.verifiesManifest(key)
	}
	if key.VerifyDigest(c.s.hash, c.s.digest, c.s.signature) {
		return true, nil
	}
	// The key may have signed another digest than the one that the bundle states.
	if key.Ed25519() != nil || len(key.Hashes()) > 1 || key.Hashes()[0] != c.s.hash {
		return false, fail(ContentUnavailable, "the signature may be over the manifest itself, whose bytes are not known")
	}
	return false, nil
}

// verifiesManifest reports whether a key has made a signature over the manifest, and that the bundle
// does not state another digest.
func (c *checker) verifiesManifest(key *pubkey.Key) (bool, *Error) {
	if string(pubkey.Sum(c.s.hash, c.manifest)) != string(c.s.digest) {
		return false, fail(InvalidSignature, "the signature is for content with another digest than the manifest")
	}
	ok := key.Verify(c.manifest, c.s.signature)
	for _, hash := range key.Hashes() {
		ok = ok || key.Ed25519() != nil && key.VerifyDigest(hash, pubkey.Sum(hash, c.manifest), c.s.signature)
	}
	return ok, nil
}

// verifyByLeaf checks the signature with the certificate's key once.
func (c *checker) verifyByLeaf() *Error {
	if c.signedByLeaf == nil {
		ok, err := c.verifies(c.leaf.key)
		if err != nil {
			return err
		}
		c.signedByLeaf = &ok
	}
	if !*c.signedByLeaf {
		return fail(InvalidSignature, "the signature is not by the key of its certificate")
	}
	return nil
}

// verified reads what an authenticated signature says.
func (c *checker) verified(key *pubkey.Key, e *evidence, describe func(*Verified, *claims)) (*Verified, *Error) {
	v := &Verified{SignedAt: e.earliest(), ValidUntil: e.validUntil, Payload: c.s.payload}
	v.IssuedTo.PublicKeyID = key.Fingerprint()
	all := &claims{}
	var err *Error
	if v.Statements, err = c.statements(all); err != nil {
		return nil, err
	}
	if describe != nil {
		describe(v, all)
	}
	e.claim(all)
	v.Claims = all.flatten()
	return v, nil
}

// statements reads what was signed.
func (c *checker) statements(all *claims) ([]Statement, *Error) {
	switch c.s.form {
	case formBlob:
		return parsePayload(c.s.payload, all)
	case formEnvelope:
		s, err := parseStatement(c.s.payload)
		if err != nil {
			return nil, err
		}
		if s.predicateType != predicateTypeSign && !c.anyPredicate {
			return nil, fail(NotASignature, "the statement's predicate type is "+strictjson.Quote(s.predicateType)+
				": an attestation is not an image signature")
		}
		all.add("predicateType", s.predicateType)
		for i, subject := range s.subjects[:min(len(s.subjects), maxListed)] {
			all.add(numbered("subject", i), subject.Digests[0])
			if subject.Name != "" {
				all.add(numbered("subject", i)+".name", subject.Name)
			}
		}
		return s.subjects, nil
	default:
		return []Statement{{Digests: c.messageDigests(all)}}, nil
	}
}

// messageDigests returns the digests of a manifest that is signed itself.
func (c *checker) messageDigests(all *claims) []string {
	stated := digestText(c.s.hash, c.s.digest)
	all.add("messageDigest", stated)
	digests := []string{stated}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if hash != c.s.hash && c.manifest != nil {
			digests = append(digests, digestText(hash, pubkey.Sum(hash, c.manifest)))
		}
	}
	return digests
}
