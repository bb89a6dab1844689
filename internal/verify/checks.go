// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"time"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// Check is one of the checks that a signature passes.
type Check struct {
	// Name says what is checked.
	Name string
	// Description says what must hold.
	Description string
	// Reasons are those that a signature can stop with here, from the one that is found first
	// to the one that is found last.
	Reasons []string

	// run returns nil when the check passes.
	run func(*attempt) *Finding
}

// signatureChecks are made once for each signature, and policyChecks then once for each
// policy. The order counts: the first check that fails names the reason, and nothing that
// was signed is looked at before the cryptography is done.
var (
	signatureChecks = []Check{
		{
			Name:        "type",
			Description: "the type is one that is verified",
			Reasons:     []string{assayv1alpha1.ReasonUnsupportedType},
			run:         (*attempt).checkType,
		},
		{
			Name:        "form",
			Description: "the content has the form of the type: its size, structure and version",
			Reasons: []string{
				assayv1alpha1.ReasonOverBudget,
				assayv1alpha1.ReasonMalformedSignature,
				assayv1alpha1.ReasonNotASignature,
				assayv1alpha1.ReasonUnsupportedSignatureVersion,
				assayv1alpha1.ReasonUnsupportedAlgorithm,
			},
			run: (*attempt).checkForm,
		},
		{
			Name:        "image",
			Description: "the Image does not contradict itself",
			Reasons:     []string{assayv1alpha1.ReasonInvalidImage},
			run:         (*attempt).checkImage,
		},
		{
			Name:        "policies",
			Description: "a TrustPolicy applies",
			Reasons:     []string{assayv1alpha1.ReasonNoTrustPolicy},
			run:         (*attempt).checkPolicies,
		},
	}
	policyChecks = []Check{
		{
			Name:        "policy",
			Description: "the policy can be applied as it is written",
			Reasons:     []string{assayv1alpha1.ReasonInvalidPolicy},
			run:         (*attempt).checkPolicy,
		},
		{
			Name:        "signer",
			Description: "a signer that the policy trusts made the signature, and may sign at this time",
			Reasons: []string{
				assayv1alpha1.ReasonUntrustedKey,
				assayv1alpha1.ReasonKeysUnavailable,
				assayv1alpha1.ReasonWeakAlgorithm,
				assayv1alpha1.ReasonInvalidCertificate,
				assayv1alpha1.ReasonNoLogEntry,
				assayv1alpha1.ReasonUntrustedLog,
				assayv1alpha1.ReasonInvalidLogEntry,
				assayv1alpha1.ReasonInvalidTimestamp,
				assayv1alpha1.ReasonNoTrustedTime,
				assayv1alpha1.ReasonUntrustedCertificate,
				assayv1alpha1.ReasonCertificateExpired,
				assayv1alpha1.ReasonRootsUnavailable,
				assayv1alpha1.ReasonInvalidSignature,
				assayv1alpha1.ReasonSignerMismatch,
				assayv1alpha1.ReasonKeyRevoked,
				assayv1alpha1.ReasonKeyExpired,
				assayv1alpha1.ReasonSignatureExpired,
				assayv1alpha1.ReasonSignatureInFuture,
			},
			run: (*attempt).checkSigner,
		},
		{
			Name:        "revoked keys",
			Description: "no TrustPolicy lists the signer's key in revokedKeys",
			Reasons:     []string{assayv1alpha1.ReasonKeyRevoked},
			run:         (*attempt).checkRevokedKeys,
		},
		{
			Name:        "public key ID",
			Description: "the signer's key is the one that issuedTo.publicKeyID asks for, if it asks for one",
			Reasons:     []string{assayv1alpha1.ReasonPublicKeyIDMismatch},
			run:         (*attempt).checkPublicKeyID,
		},
		{
			Name:        "payload",
			Description: "what was signed is a statement of the form that the type has",
			Reasons:     []string{assayv1alpha1.ReasonMalformedPayload, assayv1alpha1.ReasonNotASignature},
			run:         (*attempt).checkPayload,
		},
		{
			Name:        "digest",
			Description: "the signed digest is that of the image",
			Reasons:     []string{assayv1alpha1.ReasonDigestUnknown, assayv1alpha1.ReasonDigestMismatch},
			run:         (*attempt).checkDigest,
		},
		{
			Name:        "identity",
			Description: "the policy accepts the signed name for the image",
			Reasons:     []string{assayv1alpha1.ReasonIdentityMismatch},
			run:         (*attempt).checkIdentity,
		},
	}
)

// Checks returns the checks in their order, for documents.
func Checks() []Check {
	return append(append([]Check{}, signatureChecks...), policyChecks...)
}

// attempt is a signature on its way through the checks, the later ones under one policy.
type attempt struct {
	*checker
	signature *Signature
	format    Format
	message   Message
	keyID     string
	budget    *Budget
	// deferred: the budget did not allow a heavy step.
	deferred bool

	policy    *Policy
	signed    Signed
	statement *Statement
	recheckAt time.Time
}

// runAll runs checks until one fails.
func (a *attempt) runAll(checks []Check) *Finding {
	for i := range checks {
		if f := checks[i].run(a); f != nil {
			return f
		}
	}
	return nil
}

func (a *attempt) checkType() *Finding {
	a.format = a.formats[a.signature.Type]
	if a.format == nil {
		f := couldNotCheck(assayv1alpha1.ReasonUnsupportedType,
			"signatures of this type are not verified; supported types: "+a.supportedTypes)
		return &f
	}
	return nil
}

func (a *attempt) checkForm() *Finding {
	message, err := a.format.Parse(a.signature.Content, a.budget)
	if err != nil {
		e := asError(err, assayv1alpha1.ReasonMalformedSignature)
		a.keyID, a.deferred = e.KeyID, e.OverBudget
		f := e.finding()
		return &f
	}
	a.message, a.keyID = message, message.UnverifiedKeyID()
	return nil
}

func (a *attempt) checkImage() *Finding {
	if a.image.err != nil {
		f := refused(assayv1alpha1.ReasonInvalidImage, a.image.err.Error())
		return &f
	}
	return nil
}

func (a *attempt) checkPolicies() *Finding {
	if len(a.policies) == 0 {
		f := couldNotCheck(assayv1alpha1.ReasonNoTrustPolicy, "no TrustPolicy applies to the image")
		return &f
	}
	return nil
}

func (a *attempt) checkPolicy() *Finding {
	if err := a.policy.err(); err != nil {
		f := couldNotCheck(assayv1alpha1.ReasonInvalidPolicy, fmt.Sprintf("%s cannot be applied: %v", a.policy.label(), err))
		return &f
	}
	return nil
}

func (a *attempt) checkSigner() *Finding {
	p := a.policy
	if !p.hasSigners() {
		return p.keysUnavailable()
	}
	trust := p.Trust[a.format.Name()]
	if trust == nil || trust.Len() == 0 {
		return p.noKeyFor(a.format, a.keyID)
	}
	signed, err := trust.Authenticate(a.message, Circumstances{
		Now: a.now, AcceptBeforeExpiry: p.AcceptBeforeExpiry, Spend: a.spend, Digest: a.image.digest,
	})
	if err != nil {
		e := asError(err, assayv1alpha1.ReasonInvalidSignature)
		a.recheckAt = e.NotBefore
		switch {
		case e.NeedsKey && len(p.UnavailableKeys) > 0:
			return p.keysUnavailable()
		case e.UnknownKey:
			return p.unknownKey(a.keyID)
		}
		f := e.finding()
		return &f
	}
	// From here on the answer depends on the validity of key and signature, whatever it is.
	a.signed, a.recheckAt = signed, signed.ValidUntil()
	return nil
}

func (a *attempt) checkRevokedKeys() *Finding {
	for _, fingerprint := range a.signed.Signer().Fingerprints {
		if policy, ok := a.revokedKeys[fingerprint]; ok {
			f := refused(assayv1alpha1.ReasonKeyRevoked,
				fmt.Sprintf("TrustPolicy %s lists the key in revokedKeys (key 0x%s)", policy, fingerprint))
			return &f
		}
	}
	return nil
}

func (a *attempt) checkPublicKeyID() *Finding {
	return checkPublicKeyID(a.signature.PublicKeyID, a.signed.Signer())
}

func (a *attempt) checkPayload() *Finding {
	statement, err := a.signed.Statement()
	if err != nil {
		f := refused(assayv1alpha1.ReasonMalformedPayload, err.Error())
		return &f
	}
	a.statement = statement
	return nil
}

func (a *attempt) checkDigest() *Finding {
	if a.image.digest == "" {
		message := a.image.undecided
		if message == "" {
			message = "the image's digest is unknown; set dockerImageManifest, a digest in dockerImageReference, or the name sha256-<hex>"
		}
		f := couldNotCheck(assayv1alpha1.ReasonDigestUnknown, message)
		return &f
	}
	if a.statement.Digest != a.image.digest {
		f := refused(assayv1alpha1.ReasonDigestMismatch,
			fmt.Sprintf("the signature is for %s, and the image is %s%s", a.statement.Digest, a.image.digest, a.image.indexHint()))
		return &f
	}
	return nil
}

func (a *attempt) checkIdentity() *Finding {
	if a.image.reference == nil {
		f := couldNotCheck(assayv1alpha1.ReasonNoTrustPolicy,
			"dockerImageReference is empty, so that the signed name cannot be compared")
		return &f
	}
	if a.statement.Name == "" && a.policy.AcceptUnnamed {
		return nil
	}
	if err := a.policy.Identity.Match(a.image.reference, a.statement.Name); err != nil {
		f := refused(assayv1alpha1.ReasonIdentityMismatch, err.Error())
		return &f
	}
	return nil
}
