// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

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

// Bounds of the status, as its schema has them. Beyond them a status is cut rather than
// refused by the API server, which would leave an old verdict in place.
const (
	maxStatusPolicies     = 64
	maxProbeRequestLength = 256
)

// probeRequest returns the value of the annotation by which people ask for a check.
func probeRequest(image *imagev1.Image) string {
	value := image.Annotations[assayv1alpha1.ProbeRequestedAtAnnotation]
	return value[:min(len(value), maxProbeRequestLength)]
}

// applySignatures writes the verdicts into the signatures of an image. probe says that
// lastProbeTime is to be refreshed even where nothing else changes.
func applySignatures(image *imagev1.Image, verdict *verify.Verdict, now metav1.Time, probe bool) {
	for i := range image.Signatures {
		s, v := &image.Signatures[i], &verdict.Signatures[i]
		applyClaims(s, v)
		complete, failed := v.Outcome.Conditions()
		setSignatureCondition(s, imagev1.SignatureComplete, corev1.ConditionStatus(complete), v.Finding, now, probe)
		setSignatureCondition(s, imagev1.SignatureFailed, corev1.ConditionStatus(failed), v.Finding, now, probe)
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
	keyID := "0x" + v.Claims.Fingerprint
	signer := imagev1.SignatureGenericEntity{CommonName: v.Claims.UserID}
	if signer.CommonName == "" {
		signer.CommonName = keyID
	}
	created := metav1.NewTime(v.Claims.Created)
	s.ImageIdentity = v.Claims.Identity
	s.SignedClaims = v.Claims.Signed
	s.Created = &created
	// An OpenPGP key vouches for itself, and a TrustPolicy for the key.
	s.IssuedBy = &imagev1.SignatureIssuer{SignatureGenericEntity: signer}
	s.IssuedTo = &imagev1.SignatureSubject{SignatureGenericEntity: signer, PublicKeyID: keyID}
}

// setSignatureCondition writes one condition. lastTransitionTime changes only with the
// status; lastProbeTime when anything changes or a probe is due.
func setSignatureCondition(s *imagev1.ImageSignature, conditionType imagev1.SignatureConditionType,
	status corev1.ConditionStatus, finding verify.Finding, now metav1.Time, probe bool) {
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
		if unchanged && !probe && !have.LastProbeTime.IsZero() {
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
	meta.SetStatusCondition(&image.Status.Conditions, metav1.Condition{
		Type:               assayv1alpha1.VerifiedCondition,
		Status:             imageConditionStatus(verdict.Outcome),
		Reason:             verdict.Reason,
		Message:            verdict.Message,
		ObservedGeneration: image.Generation,
		LastTransitionTime: now,
	})
	image.Status.Digest = verdict.Digest.String()
	image.Status.SignatureSummary = fmt.Sprintf("%d/%d", verdict.VerifiedSignatures(), len(verdict.Signatures))
	image.Status.LastHandledProbeRequest = probeRequest(image)
	image.Status.Policies = nil
	for _, p := range verdict.Policies[:min(len(verdict.Policies), maxStatusPolicies)] {
		image.Status.Policies = append(image.Status.Policies, imagev1.AppliedPolicy{
			Name: p.Name, Scope: p.Scope, Status: imageConditionStatus(p.Outcome),
		})
	}
}

func imageConditionStatus(o verify.Outcome) metav1.ConditionStatus {
	complete, _ := o.Conditions()
	return metav1.ConditionStatus(complete)
}

// lastProbe returns the oldest lastProbeTime of an image's signatures, zero when one was
// never checked.
func lastProbe(image *imagev1.Image) time.Time {
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
