// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
)

// Bounds of the status, as its schema has them.
const (
	maxStatusKeys     = 256
	maxMessageLength  = 1024
	maxSourceLength   = 600
	maxListedProblems = 4
)

// applyPolicyStatus writes into the status of a policy what became of its keys, and
// returns when the clock alone may change this; zero for never.
func applyPolicyStatus(policy *assayv1alpha1.TrustPolicy, trusted *trustedPolicy, now metav1.Time) time.Time {
	keys, nextChange := keyStatuses(trusted, now.Time)
	usable := 0
	for i := range keys {
		if keys[i].Usable {
			usable++
		}
	}
	condition := readyCondition(trusted, keys, usable)
	condition.ObservedGeneration = policy.Generation
	condition.LastTransitionTime = now
	meta.SetStatusCondition(&policy.Status.Conditions, condition)
	policy.Status.KeySummary = fmt.Sprintf("%d/%d", usable, len(keys))
	policy.Status.Keys = keys[:min(len(keys), maxStatusKeys)]
	return nextChange
}

func readyCondition(trusted *trustedPolicy, keys []assayv1alpha1.KeyStatus, usable int) metav1.Condition {
	condition := metav1.Condition{Type: assayv1alpha1.ReadyCondition, Status: metav1.ConditionTrue}
	switch {
	case trusted.problem != "":
		condition.Status = metav1.ConditionFalse
		condition.Reason = assayv1alpha1.ReasonInvalidPolicy
		condition.Message = cut(trusted.problem, maxMessageLength)
	case len(keys) == 0:
		condition.Status = metav1.ConditionFalse
		condition.Reason = assayv1alpha1.ReasonNoUsableKeys
		condition.Message = "the sources in spec.keys hold revocations only; add a key"
	case usable == 0:
		condition.Status = metav1.ConditionFalse
		condition.Reason = assayv1alpha1.ReasonNoUsableKeys
		condition.Message = "no key can verify signatures: " + unusableKeys(keys)
	case usable < len(keys):
		condition.Reason = assayv1alpha1.ReasonSomeKeysUnusable
		condition.Message = fmt.Sprintf("%d of %d keys can verify signatures; not usable: %s", usable, len(keys), unusableKeys(keys))
	default:
		condition.Reason = assayv1alpha1.ReasonKeysUsable
		condition.Message = fmt.Sprintf("all %d keys can verify signatures", usable)
		if usable == 1 {
			condition.Message = "the key can verify signatures"
		}
	}
	return condition
}

// unusableKeys lists the first keys that are not usable, with their reasons.
func unusableKeys(keys []assayv1alpha1.KeyStatus) string {
	var listed []string
	more := 0
	for i := range keys {
		switch {
		case keys[i].Usable:
		case len(listed) == maxListedProblems:
			more++
		default:
			listed = append(listed, fmt.Sprintf("%s (%s)", keys[i].Name, keys[i].Reason))
		}
	}
	text := strings.Join(listed, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// keyStatuses returns one entry for each certificate, and for each file that holds none,
// in the order of the spec.
func keyStatuses(trusted *trustedPolicy, now time.Time) (keys []assayv1alpha1.KeyStatus, nextChange time.Time) {
	// What the keyring made of all files together counts: a revocation in one file is one
	// for the same key in another.
	merged := map[string]*openpgp.Certificate{}
	for _, certificate := range trusted.keyring.Certificates() {
		merged[certificate.Fingerprint()] = certificate
	}
	acceptExpired := trusted.spec.ExpiredKeys == assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry
	for _, source := range trusted.sources {
		for _, file := range source.files {
			entry := assayv1alpha1.KeyStatus{Name: source.name, Source: cut(file.source, maxSourceLength)}
			if file.parsed == nil {
				entry.Reason, entry.Message = file.reason, cut(file.problem, maxMessageLength)
				keys = append(keys, entry)
				continue
			}
			for _, certificate := range file.parsed.Certificates {
				certificate = merged[certificate.Fingerprint()]
				keys = append(keys, keyStatus(entry, certificate, now, acceptExpired))
				if next := certificate.NextChange(now); !next.IsZero() && (nextChange.IsZero() || next.Before(nextChange)) {
					nextChange = next
				}
			}
		}
	}
	return keys, nextChange
}

// keyStatus describes one certificate. It expires when no key of it may sign any more: with
// a primary key that never expires, that is when its last signing subkey does. An expired key stays usable where signatures from before its expiry are accepted.
func keyStatus(entry assayv1alpha1.KeyStatus, certificate *openpgp.Certificate, now time.Time, acceptExpired bool) assayv1alpha1.KeyStatus {
	created := metav1.NewTime(certificate.Created())
	entry.Fingerprint = certificate.Fingerprint()
	entry.UserID = certificate.UserID()
	entry.Algorithm = certificate.Algorithm()
	entry.Created = &created
	expires := certificate.SigningUntil(now)
	if certificate.Check(now) != nil {
		expires = certificate.Expires()
	}
	if !expires.IsZero() {
		t := metav1.NewTime(expires)
		entry.Expires = &t
	}
	err := certificate.Check(now)
	entry.Usable = err == nil
	if err != nil {
		entry.Reason, entry.Message = keyProblem(err)
	}
	if entry.Reason == assayv1alpha1.ReasonKeyExpired && acceptExpired {
		entry.Usable = true
		entry.Message = "the key has expired; signatures that were made before are accepted"
	}
	return entry
}

// keyProblem gives the reason and message for a certificate that cannot be used.
func keyProblem(err error) (reason, message string) {
	message = cut(err.Error(), maxMessageLength)
	var problem *openpgp.Error
	if !errors.As(err, &problem) {
		return assayv1alpha1.ReasonUnusableKey, message
	}
	switch problem.Problem {
	case openpgp.KeyExpired:
		return assayv1alpha1.ReasonKeyExpired, message
	case openpgp.KeyRevoked:
		return assayv1alpha1.ReasonKeyRevoked, message
	case openpgp.WeakAlgorithm:
		return assayv1alpha1.ReasonWeakAlgorithm, message
	default:
		return assayv1alpha1.ReasonUnusableKey, message
	}
}

// cut bounds a text at a character boundary.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
