// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/tlog"
)

// Input is what an authentication depends on besides the signature and the policy.
type Input struct {
	// Now is the present time.
	Now time.Time
	// Manifest is the image's manifest, nil if its bytes are not known. Only a bundle with a message
	// signature by some keys needs it.
	Manifest []byte
	// Spend is asked for processor time, in microseconds by an estimate that is the same for the same
	// input, before each step that takes much of it. It reports whether the step may be done. Nil
	// allows all.
	Spend func(microseconds int) bool
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
	c := &checker{s: s, now: in.Now, manifest: in.Manifest, budget: in.Spend, anyPredicate: anyPredicate,
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
	budget       func(microseconds int) bool
	anyPredicate bool

	// brought is what certificates that the signature brings have cost for the present entry.
	brought int

	// What several entries of a policy may need, and is found once.
	message      []byte
	leaf         *certificate
	others       []*x509.Certificate
	leafErr      *Error
	certificated bool
	signedByLeaf *bool
	certified    map[*Roots]certifiedResult
}

// spend asks for processor time.
func (c *checker) spend(microseconds int) *Error {
	if c.budget != nil && !c.budget(microseconds) {
		return fail(OverBudget, "the signature takes too long to check")
	}
	return nil
}

// maxBrought bounds the processor time for certificates that a signature brings, for one entry of a policy, in
// microseconds by the estimate of package pubkey: the chain of the signer's, and those of its timestamps. Genuine
// ones on P-384 take 40,000 with as many timestamps as are read.
const maxBrought = 100_000

// spendBrought asks for processor time that the content of the signature determines.
func (c *checker) spendBrought(microseconds int) *Error {
	if c.brought += microseconds; c.brought > maxBrought {
		return fail(OverBudget, "the certificates that the signature brings take too long to check")
	}
	return c.spend(microseconds)
}

func (c *checker) check(a *Authority) (*Verified, *Error) {
	c.brought = 0
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
	failed := fail(UntrustedKey, "the signature is not by a key of the policy")
	if c.s.Certified() {
		failed.Detail = "the signature is by a certificate, and not by a key of the policy"
	}
	if len(c.s.certificates) > 0 {
		return nil, failed // a bundle states one thing that verifies it
	}
	for _, key := range a.Keys {
		if err := c.spend(key.Cost()); err != nil {
			return nil, err
		}
		ok, err := c.verifies(key)
		if err != nil && err.further(failed) {
			failed = err
		}
		if !ok {
			continue
		}
		if c.s.keyID != "" && c.s.keyID != key.SSHFingerprint() {
			return nil, fail(UntrustedKey, "the envelope names the key "+quote(c.s.keyID)+", and not the one that made the signature")
		}
		e := &evidence{}
		if a.Log != nil {
			if e, err = c.evidence(a.Log, c.signed(nil, key), false); err != nil {
				return nil, err
			}
		}
		return c.verified(key, e, nil)
	}
	return nil, failed
}

// Certified reports whether the signature brings a certificate, which is not authenticated.
func (s *Signature) Certified() bool {
	_, annotated := s.annotations[annotationCertificate]
	return annotated || len(s.certificates) > 0
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
		return false, fail(ContentUnavailable, "the signature may be over the manifest itself and not over the digest in its bundle, "+
			"which cannot be checked; sign the image with cosign sign, which signs a statement")
	}
	return false, nil
}

// verifiesManifest reports whether a key has made a signature over the manifest, and that the bundle
// does not state another digest.
func (c *checker) verifiesManifest(key *pubkey.Key) (bool, *Error) {
	if !bytes.Equal(pubkey.Sum(c.s.hash, c.manifest), c.s.digest) {
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
		if err := c.spend(c.leaf.key.Cost()); err != nil {
			return err
		}
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
