// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
)

// reasonsByStage lists the reasons that a signature can stop with, from the first check
// to the last.
var reasonsByStage = []string{
	assayv1alpha1.ReasonUnsupportedType,
	assayv1alpha1.ReasonMalformedSignature,
	assayv1alpha1.ReasonUnsupportedSignatureVersion,
	assayv1alpha1.ReasonInvalidImage,
	assayv1alpha1.ReasonNoTrustPolicy,
	assayv1alpha1.ReasonInvalidPolicy,
	assayv1alpha1.ReasonUntrustedKey,
	assayv1alpha1.ReasonKeysUnavailable,
	assayv1alpha1.ReasonWeakAlgorithm,
	assayv1alpha1.ReasonInvalidSignature,
	assayv1alpha1.ReasonKeyRevoked,
	assayv1alpha1.ReasonKeyExpired,
	assayv1alpha1.ReasonSignatureExpired,
	assayv1alpha1.ReasonSignatureInFuture,
	assayv1alpha1.ReasonPublicKeyIDMismatch,
	assayv1alpha1.ReasonMalformedPayload,
	assayv1alpha1.ReasonDigestUnknown,
	assayv1alpha1.ReasonDigestMismatch,
	assayv1alpha1.ReasonIdentityMismatch,
}

// reasonOf gives the reason for a problem with a message, signature or key.
func reasonOf(p openpgp.Problem) string {
	switch p {
	case openpgp.UnsupportedVersion:
		return assayv1alpha1.ReasonUnsupportedSignatureVersion
	case openpgp.WeakAlgorithm:
		return assayv1alpha1.ReasonWeakAlgorithm
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
