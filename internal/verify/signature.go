// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"fmt"
	"time"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
	"github.com/assay-project/assay/internal/simplesigning"
)

// checker holds what is the same for every signature of an image.
type checker struct {
	now      time.Time
	image    imageFacts
	policies []Policy
}

// signatureResult is what came of one signature: for each policy, and as a whole.
type signatureResult struct {
	verdict SignatureVerdict
	// findings and claims have one entry for each policy; claims are set where verified.
	findings  []Finding
	claims    []*Claims
	recheckAt time.Time
	panicked  bool
}

// checkSignature checks one signature against every policy. A panic in a parser refuses
// this signature alone: one blob must not take the operator or another verdict with it.
func (c *checker) checkSignature(s *Signature) (result signatureResult) {
	defer func() {
		if recover() != nil {
			result = c.always(refused(assayv1alpha1.ReasonMalformedSignature,
				"the content made the verifier fail; please report it with the content"))
			result.panicked = true
		}
	}()
	if !s.supported() {
		return c.always(couldNotCheck(assayv1alpha1.ReasonUnsupportedType,
			"signatures of this type are not verified; AtomicImageV1 and atomic are"))
	}
	message, err := openpgp.ReadMessage(s.Content)
	if err != nil {
		refusal := refusalOf(err)
		result = c.always(refused(reasonOf(refusal.Problem), refusal.Detail))
		result.verdict.ClaimedKeyID = refusal.Issuer
		return result
	}
	result = c.checkMessage(s, message)
	result.verdict.ClaimedKeyID = message.UnverifiedIssuer()
	return result
}

func (c *checker) checkMessage(s *Signature, message *openpgp.Message) signatureResult {
	if c.image.problem != "" {
		return c.always(refused(assayv1alpha1.ReasonInvalidImage, c.image.problem))
	}
	if len(c.policies) == 0 {
		return c.always(couldNotCheck(assayv1alpha1.ReasonNoTrustPolicy, "no TrustPolicy applies to the image"))
	}
	result := signatureResult{
		findings: make([]Finding, len(c.policies)),
		claims:   make([]*Claims, len(c.policies)),
	}
	for i := range c.policies {
		o := c.checkPolicy(s, message, &c.policies[i])
		result.findings[i], result.claims[i] = o.finding, o.claims
		result.recheckAt = earliest(result.recheckAt, o.recheckAt)
	}
	result.verdict = combine(result.findings, result.claims)
	return result
}

// always gives the same finding for every policy.
func (c *checker) always(f Finding) signatureResult {
	result := signatureResult{
		verdict:  SignatureVerdict{Finding: f},
		findings: make([]Finding, len(c.policies)),
		claims:   make([]*Claims, len(c.policies)),
	}
	for i := range result.findings {
		result.findings[i] = f
	}
	return result
}

// combine makes one verdict for a signature out of those for each policy: it is verified
// when any policy accepts it, and refused when all refuse it.
func combine(findings []Finding, claims []*Claims) SignatureVerdict {
	for _, outcome := range []Outcome{Verified, CouldNotCheck, Refused} {
		if i := furthest(findings, outcome); i >= 0 {
			return SignatureVerdict{Finding: findings[i], Claims: claims[i]}
		}
	}
	return SignatureVerdict{}
}

// policyOutcome is what came of one signature under one policy.
type policyOutcome struct {
	finding   Finding
	claims    *Claims
	recheckAt time.Time
}

func (c *checker) checkPolicy(s *Signature, message *openpgp.Message, p *Policy) policyOutcome {
	if problem := p.problem(); problem != "" {
		return policyOutcome{finding: couldNotCheck(assayv1alpha1.ReasonInvalidPolicy,
			fmt.Sprintf("%s cannot be applied: %s", p.label(), problem))}
	}
	if !p.hasKeys() {
		return policyOutcome{finding: p.keysUnavailable()}
	}
	signer, err := p.Keys.Verify(message, openpgp.Options{Now: c.now, AcceptBeforeExpiry: p.AcceptBeforeExpiry})
	if err != nil {
		refusal := refusalOf(err)
		return policyOutcome{finding: keyFinding(refusal, p), recheckAt: refusal.NotBefore}
	}
	// From here on the reason depends on the key's and the signature's validity, whatever it is.
	finding, claims := c.checkSigned(s, signer, p)
	return policyOutcome{finding: finding, claims: claims, recheckAt: signer.ValidUntil}
}

// checkSigned checks what a trusted key has signed. Claims are nil unless the outcome is
// Verified.
func (c *checker) checkSigned(s *Signature, signer *openpgp.Verified, p *Policy) (Finding, *Claims) {
	if f, ok := keyAskedFor(s.PublicKeyID, signer); !ok {
		return f, nil
	}
	payload, err := simplesigning.Parse(signer.Payload)
	if err != nil {
		return refused(assayv1alpha1.ReasonMalformedPayload, err.Error()), nil
	}
	if f, ok := c.checkPayload(payload, p); !ok {
		return f, nil
	}
	return accepted(signer, p), newClaims(payload, signer)
}

// checkPayload compares the signed digest and identity with the image's.
func (c *checker) checkPayload(payload *simplesigning.Payload, p *Policy) (Finding, bool) {
	if c.image.digest == "" {
		message := c.image.undecided
		if message == "" {
			message = "nothing tells the image's digest; set dockerImageManifest, a digest in dockerImageReference, or the name sha256-<hex>"
		}
		return couldNotCheck(assayv1alpha1.ReasonDigestUnknown, message), false
	}
	if payload.ManifestDigest != c.image.digest {
		return refused(assayv1alpha1.ReasonDigestMismatch,
			fmt.Sprintf("the signature is for %s, and the image is %s", payload.ManifestDigest, c.image.digest)), false
	}
	if c.image.reference == nil {
		return couldNotCheck(assayv1alpha1.ReasonNoTrustPolicy,
			"dockerImageReference is empty, so that the signed name cannot be compared"), false
	}
	if err := p.Identity.Match(c.image.reference, payload.DockerReference); err != nil {
		return refused(assayv1alpha1.ReasonIdentityMismatch, err.Error()), false
	}
	return Finding{}, true
}

func accepted(signer *openpgp.Verified, p *Policy) Finding {
	who := "0x" + signer.Fingerprint
	if signer.UserID != "" {
		who = signer.UserID + " (" + who + ")"
	}
	return Finding{Outcome: Verified, Reason: assayv1alpha1.ReasonVerified,
		Message: bound("signed by " + who + ", trusted by " + p.label())}
}

func newClaims(payload *simplesigning.Payload, signer *openpgp.Verified) *Claims {
	created, ok := payload.Created()
	if !ok {
		created = signer.Created
	}
	return &Claims{
		Identity:    payload.DockerReference,
		Signed:      payload.Claims,
		Created:     created.UTC(),
		Fingerprint: signer.Fingerprint,
		UserID:      signer.UserID,
	}
}

// refusalOf returns what package openpgp says of a message or signature. Its errors are
// all of this type; another one would be a refusal as well.
func refusalOf(err error) *openpgp.Error {
	var refusal *openpgp.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &openpgp.Error{Problem: openpgp.Malformed, Detail: "the content is not an OpenPGP signed message"}
}

// nameKey says of which trusted key a refusal speaks, so that nobody has to guess whose
// key is expired, revoked or was abused.
func nameKey(refusal *openpgp.Error) string {
	if refusal.Fingerprint == "" {
		return refusal.Detail
	}
	return refusal.Detail + " (key 0x" + refusal.Fingerprint + ")"
}

// keyFinding is the finding for a message that no key of the policy vouches for. While
// keys are missing, much is open: an unknown key may be one of them, and so may a newer
// copy of a certificate that is expired or incomplete in the copy at hand.
func keyFinding(refusal *openpgp.Error, p *Policy) Finding {
	open := refusal.Problem == openpgp.UnknownKey || refusal.Problem == openpgp.KeyExpired || refusal.Problem == openpgp.UnusableKey
	switch {
	case open && len(p.UnavailableKeys) > 0:
		return p.keysUnavailable()
	case refusal.Problem != openpgp.UnknownKey:
		return refused(reasonOf(refusal.Problem), nameKey(refusal))
	default:
		return refused(assayv1alpha1.ReasonUntrustedKey,
			fmt.Sprintf("%s does not have the key that made the signature; add the key if it is to be trusted", p.label()))
	}
}
