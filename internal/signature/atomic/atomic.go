// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package atomic verifies atomic container signatures (containers-signature(5)): OpenPGP
// signed messages whose payload names an image's digest and reference. Package openpgp
// holds the rules of the message and the keys, package simplesigning those of the payload;
// this package fits both into the decision.
package atomic

import (
	"errors"
	"time"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
	"github.com/assay-project/assay/internal/simplesigning"
	"github.com/assay-project/assay/internal/verify"
)

// Format implements verify.Format.
type Format struct{}

// Name returns what messages call the format.
func (Format) Name() string { return "atomic" }

// Types returns OpenShift's and skopeo's names for the format.
func (Format) Types() []string {
	return []string{imagev1.SignatureTypeAtomicImageV1, imagev1.SignatureTypeAtomic}
}

// message is a parsed OpenPGP message.
type message struct{ *openpgp.Message }

// UnverifiedKeyID returns the key that the message names as its maker.
func (m message) UnverifiedKeyID() string { return m.UnverifiedIssuer() }

// Parse checks the shape of the OpenPGP message. A decompression of BZIP2 is a heavy step.
func (Format) Parse(content []byte, budget *verify.Budget) (verify.Message, error) {
	m, err := openpgp.ParseMessageWithin(content, budget.Spend)
	if err != nil {
		return nil, convertError(err)
	}
	return message{m}, nil
}

// signed is a message by a trusted key.
type signed struct {
	verified *openpgp.Verified
	signer   verify.Signer
}

// Signer returns the owner of the primary key.
func (s *signed) Signer() *verify.Signer { return &s.signer }

// ValidUntil returns when a key or the signature expires next.
func (s *signed) ValidUntil() time.Time { return s.verified.ValidUntil }

// Statement parses the payload, the JSON of containers-signature(5).
func (s *signed) Statement() (*verify.Statement, error) {
	payload, err := simplesigning.Parse(s.verified.Payload)
	if err != nil {
		return nil, err
	}
	created, ok := payload.Created()
	if !ok {
		created = s.verified.Created
	}
	return &verify.Statement{
		Digest:  payload.ManifestDigest,
		Name:    payload.DockerReference,
		Claims:  payload.Claims,
		Created: created,
	}, nil
}

// convertError translates an error of package openpgp. Its errors are all of one type;
// another one would be a refusal as well.
func convertError(err error) *verify.Error {
	var e *openpgp.Error
	if !errors.As(err, &e) {
		return &verify.Error{Reason: assayv1alpha1.ReasonMalformedSignature, Detail: "the content is not an OpenPGP signed message"}
	}
	detail := e.Detail
	if e.Fingerprint != "" {
		// Naming the key spares people guessing whose key is expired, revoked or abused.
		detail += " (key 0x" + e.Fingerprint + ")"
	}
	return &verify.Error{
		Reason:      reasonOf(e.Code),
		Detail:      detail,
		KeyID:       e.Issuer,
		Unsupported: e.Code == openpgp.UnsupportedAlgorithm,
		OverBudget:  e.Code == openpgp.OverBudget,
		UnknownKey:  e.Code == openpgp.UnknownKey,
		NeedsKey:    e.Code == openpgp.UnknownKey || e.Code == openpgp.KeyExpired || e.Code == openpgp.UnusableKey,
		NotBefore:   e.NotBefore,
	}
}

// reasonOf returns the reason for the code of an error.
func reasonOf(code openpgp.Code) string {
	switch code {
	case openpgp.UnsupportedVersion:
		return assayv1alpha1.ReasonUnsupportedSignatureVersion
	case openpgp.WeakAlgorithm:
		return assayv1alpha1.ReasonWeakAlgorithm
	case openpgp.UnsupportedAlgorithm:
		return assayv1alpha1.ReasonUnsupportedAlgorithm
	case openpgp.OverBudget:
		return assayv1alpha1.ReasonOverBudget
	case openpgp.UnknownKey, openpgp.UnusableKey:
		return assayv1alpha1.ReasonUntrustedKey
	case openpgp.BadSignature:
		return assayv1alpha1.ReasonInvalidSignature
	case openpgp.KeyExpired:
		return assayv1alpha1.ReasonKeyExpired
	case openpgp.KeyRevoked:
		return assayv1alpha1.ReasonKeyRevoked
	case openpgp.SignatureExpired:
		return assayv1alpha1.ReasonSignatureExpired
	case openpgp.SignatureInFuture:
		return assayv1alpha1.ReasonSignatureInFuture
	default:
		return assayv1alpha1.ReasonMalformedSignature
	}
}
