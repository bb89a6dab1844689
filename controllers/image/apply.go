// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/verify"
)

// Bounds of the status, as its schema has them. A longer status is truncated: the API server
// would refuse it, which would leave an old verdict in place.
const (
	maxStatusPolicies       = 64
	maxRecheckRequestLength = 256
)

// recheckRequest returns the value of the annotation by which people ask for a check.
func recheckRequest(image *imagev1.Image) string {
	value := image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation]
	return value[:min(len(value), maxRecheckRequestLength)]
}

// applySignatures writes the verdicts into the signatures of an image. With recheck,
// lastProbeTime is refreshed even where nothing else changes.
func applySignatures(image *imagev1.Image, verdict *verify.Verdict, now metav1.Time, recheck bool) {
	for i := range image.Signatures {
		s, v := &image.Signatures[i], &verdict.Signatures[i]
		applyClaims(s, v)
		complete, failed := v.Outcome.Conditions()
		setSignatureCondition(s, imagev1.SignatureComplete, corev1.ConditionStatus(complete), v.Finding, now, recheck)
		setSignatureCondition(s, imagev1.SignatureFailed, corev1.ConditionStatus(failed), v.Finding, now, recheck)
	}
}

// applyClaims fills the fields that are derived from the content, or clears them when
// the signature is not verified. issuedTo.publicKeyID is kept or, when there is none, set
// to the key that the content names, so that one sees which key is missing.
func applyClaims(s *imagev1.ImageSignature, v *verify.SignatureVerdict) {
	if v.Claims == nil {
		keyID := publicKeyID(s)
		if keyID == "" {
			keyID = v.ClaimedKeyID
		}
		s.ImageIdentity, s.SignedClaims, s.Created, s.IssuedBy, s.IssuedTo = "", nil, nil, nil, nil
		if keyID != "" {
			s.IssuedTo = &imagev1.SignatureSubject{PublicKeyID: keyID}
		}
		return
	}
	s.ImageIdentity = v.Claims.Identity
	s.SignedClaims = v.Claims.Signed
	s.Created = nil
	if created := metav1.NewTime(v.Claims.Created); !created.IsZero() {
		s.Created = &created
	}
	s.IssuedBy = &imagev1.SignatureIssuer{SignatureGenericEntity: genericEntity(v.Claims.Issuer, v.Claims.PublicKeyID)}
	s.IssuedTo = &imagev1.SignatureSubject{
		SignatureGenericEntity: genericEntity(v.Claims.Subject, v.Claims.PublicKeyID), PublicKeyID: v.Claims.PublicKeyID,
	}
}

// genericEntity names an entity. OpenShift's clients take a signature for verified when its
// issuer has a name, so that a nameless one is named after its key.
func genericEntity(e verify.Entity, keyID string) imagev1.SignatureGenericEntity {
	if e.CommonName == "" && e.Organization == "" {
		e.CommonName = keyID
	}
	return imagev1.SignatureGenericEntity{CommonName: e.CommonName, Organization: e.Organization}
}

// setSignatureCondition writes one condition. lastTransitionTime changes only with the
// status; lastProbeTime when anything changes or a recheck is due.
func setSignatureCondition(s *imagev1.ImageSignature, conditionType imagev1.SignatureConditionType,
	status corev1.ConditionStatus, finding verify.Finding, now metav1.Time, recheck bool) {
	want := imagev1.SignatureCondition{
		Type: conditionType, Status: status, Reason: finding.Reason, Message: finding.Message,
		LastProbeTime: now, LastTransitionTime: now,
	}
	have := findSignatureCondition(s, conditionType)
	if have == nil {
		s.Conditions = append(s.Conditions, want)
		return
	}
	if have.Status == status && !have.LastTransitionTime.IsZero() {
		want.LastTransitionTime = have.LastTransitionTime
		unchanged := have.Reason == want.Reason && have.Message == want.Message
		if unchanged && !recheck && !have.LastProbeTime.IsZero() {
			return
		}
	}
	*have = want
}

func findSignatureCondition(s *imagev1.ImageSignature, conditionType imagev1.SignatureConditionType) *imagev1.SignatureCondition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == conditionType {
			return &s.Conditions[i]
		}
	}
	return nil
}

// applyStatus writes the verdict into the status of an image.
func applyStatus(image *imagev1.Image, verdict *verify.Verdict, now metav1.Time) {
	applyConditions(image, verdict, now)
	image.Status.Verified = imageConditionStatus(verdict.Outcome)
	image.Status.Reason = verdict.Reason
	image.Status.ObservedGeneration = image.Generation
	image.Status.Digest = verdict.Digest.String()
	image.Status.SignatureSummary = fmt.Sprintf("%d/%d", verdict.VerifiedSignatures(), len(verdict.Signatures))
	image.Status.LastHandledRecheckRequest = recheckRequest(image)
	image.Status.Policies = nil
	for _, p := range verdict.Policies[:min(len(verdict.Policies), maxStatusPolicies)] {
		image.Status.Policies = append(image.Status.Policies, imagev1.AppliedPolicy{
			Name: p.Name, Scope: p.Scope, Status: imageConditionStatus(p.Outcome),
		})
	}
}

// applyConditions sets Verified, and what kstatus reads: it takes an image for failed when
// Stalled is True, for current when Ready is True, and else for in progress. Its message is
// that of Stalled or, for an image in progress, of Ready; there are no more copies of it,
// because there is a condition for each of very many images.
func applyConditions(image *imagev1.Image, verdict *verify.Verdict, now metav1.Time) {
	set := func(conditionType string, status metav1.ConditionStatus, message string) {
		meta.SetStatusCondition(&image.Status.Conditions, metav1.Condition{
			Type: conditionType, Status: status, Reason: verdict.Reason, Message: message,
			ObservedGeneration: image.Generation, LastTransitionTime: now,
		})
	}
	status := imageConditionStatus(verdict.Outcome)
	set(assayv1alpha1.VerifiedCondition, status, verdict.Message)
	ready := ""
	if verdict.Outcome == verify.CouldNotCheck {
		ready = verdict.Message
	}
	set(assayv1alpha1.ReadyCondition, status, ready)
	if verdict.Outcome == verify.Refused {
		set(assayv1alpha1.StalledCondition, metav1.ConditionTrue, verdict.Message)
	} else {
		meta.RemoveStatusCondition(&image.Status.Conditions, assayv1alpha1.StalledCondition)
	}
}

func imageConditionStatus(o verify.Outcome) metav1.ConditionStatus {
	complete, _ := o.Conditions()
	return metav1.ConditionStatus(complete)
}

// LastProbe returns the oldest lastProbeTime of an image's signatures, zero when one was
// never checked.
func LastProbe(image *imagev1.Image) time.Time {
	var oldest time.Time
	for i := range image.Signatures {
		for _, conditionType := range []imagev1.SignatureConditionType{imagev1.SignatureComplete, imagev1.SignatureFailed} {
			condition := findSignatureCondition(&image.Signatures[i], conditionType)
			if condition == nil || condition.LastProbeTime.IsZero() {
				return time.Time{}
			}
			if oldest.IsZero() || condition.LastProbeTime.Time.Before(oldest) {
				oldest = condition.LastProbeTime.Time
			}
		}
	}
	return oldest
}
