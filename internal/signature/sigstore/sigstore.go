// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sigstore verifies signatures of sigstore by public keys and by identities that a
// certificate authority vouches for: the form in which containers/image keeps signatures of
// cosign, and sigstore bundles. Package internal/sigstore holds the rules; this package fits
// them into the decision.
package sigstore

import (
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/filekind"
	"github.com/assay-project/assay/internal/sigstore"
	"github.com/assay-project/assay/internal/verify"
)

// Format implements verify.Format.
type Format struct{}

// Name returns what messages call the format.
func (Format) Name() string { return "sigstore" }

// Types returns the type of both forms, which their first byte tells apart.
func (Format) Types() []string { return []string{imagev1.SignatureTypeSigstore} }

// message is a parsed signature.
type message struct{ *sigstore.Signature }

// UnverifiedKeyID returns no key: the hints of bundles name keys in ways that differ from
// client to client.
func (message) UnverifiedKeyID() string { return "" }

// Parse checks the form of the content. No step of it is heavy: it costs a few milliseconds
// at the size limit.
func (Format) Parse(content []byte, _ *verify.Budget) (verify.Message, error) {
	s, err := sigstore.Parse(content)
	if err != nil {
		e := convertError(err)
		if kind := filekind.NotASignature(content, filekind.Sigstore); kind != "" && e.Reason == assayv1alpha1.ReasonMalformedSignature {
			e.Detail = kind
		}
		return nil, e
	}
	return message{s}, nil
}

// signed is a signature by a trusted signer. Package internal/sigstore has parsed what it
// states.
type signed struct {
	signer     verify.Signer
	validUntil time.Time
	statement  verify.Statement
}

// Signer returns the key, or the identity with the key that was certified for it.
func (s *signed) Signer() *verify.Signer { return &s.signer }

// ValidUntil returns zero for a key, which does not expire.
func (s *signed) ValidUntil() time.Time { return s.validUntil }

// Statement returns what the signature states about the image.
func (s *signed) Statement() (*verify.Statement, error) { return &s.statement, nil }

// newSigned describes a signature by a signer. A bundle may be for several images,
// and name each by several digests: the statement with the image's digest counts or, where
// none has it, the first one that names an image by SHA-256.
func newSigned(v *sigstore.Verified, id verify.SignerID, image digest.Digest) (*signed, error) {
	var chosen *sigstore.Statement
	var chosenDigest digest.Digest
	for i := range v.Statements {
		d := sha256Of(&v.Statements[i])
		if d != "" && (chosen == nil || d == image) {
			chosen, chosenDigest = &v.Statements[i], d
		}
		if d != "" && d == image {
			break
		}
	}
	if chosen == nil {
		return nil, &verify.Error{
			Reason:      assayv1alpha1.ReasonUnsupportedAlgorithm,
			Detail:      "the signature states no sha256 digest, so that it cannot be compared with the image; sign with cosign sign, which states one",
			Unsupported: true,
		}
	}
	fingerprint := fingerprintOf(v.IssuedTo.PublicKeyID)
	return &signed{
		signer: verify.Signer{
			ID:           id,
			Fingerprints: []string{fingerprint},
			Subject:      verify.Entity{CommonName: v.IssuedTo.CommonName, Organization: v.IssuedTo.Organization},
			Issuer:       verify.Entity{CommonName: v.IssuedBy.CommonName, Organization: v.IssuedBy.Organization},
		},
		validUntil: v.ValidUntil,
		statement:  verify.Statement{Digest: chosenDigest, Name: chosen.Name, Claims: v.Claims, Created: v.SignedAt},
	}, nil
}

// sha256Of returns the SHA-256 digest among those of a statement, empty when there is none.
func sha256Of(s *sigstore.Statement) digest.Digest {
	for _, text := range s.Digests {
		if strings.HasPrefix(text, "sha256:") {
			return digest.Digest(text)
		}
	}
	return ""
}

// convertError translates an error of package internal/sigstore.
func convertError(err error) *verify.Error {
	e := sigstore.AsError(err)
	detail := e.Detail
	if e.Code == sigstore.OverBudget {
		detail = "the signatures of the image take too long to check by the keys of its policies; remove signatures, or use keys on P-256"
	}
	return &verify.Error{
		Reason:      reasonOf(e.Code),
		Detail:      detail,
		Unsupported: e.Code.Unchecked(),
		NeedsKey:    dependsOnPolicy(e.Code),
		NotBefore:   e.RecheckAt,
	}
}

// dependsOnPolicy reports whether an entry that is missing could accept a signature that others refuse
// with the code.
func dependsOnPolicy(code sigstore.Code) bool {
	switch code {
	case sigstore.Malformed, sigstore.UnsupportedVersion, sigstore.NotASignature, sigstore.MalformedPayload:
		return false
	default:
		return !code.Unchecked()
	}
}

// reasons are those of the codes. Any other code is InvalidSignature.
var reasons = map[sigstore.Code]string{
	sigstore.Malformed:            assayv1alpha1.ReasonMalformedSignature,
	sigstore.UnsupportedVersion:   assayv1alpha1.ReasonUnsupportedSignatureVersion,
	sigstore.InvalidPolicy:        assayv1alpha1.ReasonInvalidPolicy,
	sigstore.UntrustedKey:         assayv1alpha1.ReasonUntrustedKey,
	sigstore.NoCertificate:        assayv1alpha1.ReasonUntrustedKey,
	sigstore.WeakAlgorithm:        assayv1alpha1.ReasonWeakAlgorithm,
	sigstore.InvalidCertificate:   assayv1alpha1.ReasonInvalidCertificate,
	sigstore.NoLogEntry:           assayv1alpha1.ReasonNoLogEntry,
	sigstore.UntrustedLog:         assayv1alpha1.ReasonUntrustedLog,
	sigstore.InvalidLogEntry:      assayv1alpha1.ReasonInvalidLogEntry,
	sigstore.LogEntryMismatch:     assayv1alpha1.ReasonInvalidLogEntry,
	sigstore.InvalidTimestamp:     assayv1alpha1.ReasonInvalidTimestamp,
	sigstore.NoTrustedTime:        assayv1alpha1.ReasonNoTrustedTime,
	sigstore.SignedInFuture:       assayv1alpha1.ReasonSignatureInFuture,
	sigstore.UntrustedCertificate: assayv1alpha1.ReasonUntrustedCertificate,
	sigstore.CertificateExpired:   assayv1alpha1.ReasonCertificateExpired,
	sigstore.InvalidSCT:           assayv1alpha1.ReasonUntrustedCertificate,
	sigstore.RootsUnavailable:     assayv1alpha1.ReasonRootsUnavailable,
	sigstore.ContentUnavailable:   assayv1alpha1.ReasonUnsupportedAlgorithm,
	sigstore.OverBudget:           assayv1alpha1.ReasonOverBudget,
	sigstore.SignerMismatch:       assayv1alpha1.ReasonSignerMismatch,
	sigstore.NotASignature:        assayv1alpha1.ReasonNotASignature,
	sigstore.MalformedPayload:     assayv1alpha1.ReasonMalformedPayload,
}

// reasonOf returns the reason for the code of an error.
func reasonOf(code sigstore.Code) string {
	if reason, ok := reasons[code]; ok {
		return reason
	}
	return assayv1alpha1.ReasonInvalidSignature
}
