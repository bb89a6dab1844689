// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/verify"
)

// TestConditions checks what is written for each outcome, one after the other into the same
// Image, so that nothing of the one before is left.
func TestConditions(t *testing.T) {
	finding := func(outcome verify.Outcome, reason string) verify.Finding {
		return verify.Finding{Outcome: outcome, Reason: reason, Message: "message of " + reason}
	}
	condition := func(conditionType string, status metav1.ConditionStatus, reason, message string, since time.Time) metav1.Condition {
		return metav1.Condition{
			Type: conditionType, Status: status, Reason: reason, Message: message,
			ObservedGeneration: 3, LastTransitionTime: metav1.NewTime(since),
		}
	}
	hour := func(n int) time.Time { return testNow.Add(time.Duration(n) * time.Hour) }
	steps := []struct {
		finding    verify.Finding
		verified   metav1.ConditionStatus
		conditions []metav1.Condition
	}{
		{finding(verify.CouldNotCheck, "KeysUnavailable"), "Unknown", []metav1.Condition{
			condition("Verified", "Unknown", "KeysUnavailable", "message of KeysUnavailable", hour(0)),
			condition("Ready", "Unknown", "KeysUnavailable", "message of KeysUnavailable", hour(0)),
		}},
		{finding(verify.Refused, "KeyExpired"), "False", []metav1.Condition{
			condition("Verified", "False", "KeyExpired", "message of KeyExpired", hour(1)),
			condition("Ready", "False", "KeyExpired", "", hour(1)),
			condition("Stalled", "True", "KeyExpired", "message of KeyExpired", hour(1)),
		}},
		{finding(verify.Refused, "KeyRevoked"), "False", []metav1.Condition{
			condition("Verified", "False", "KeyRevoked", "message of KeyRevoked", hour(1)),
			condition("Ready", "False", "KeyRevoked", "", hour(1)),
			condition("Stalled", "True", "KeyRevoked", "message of KeyRevoked", hour(1)),
		}},
		{finding(verify.Verified, "Verified"), "True", []metav1.Condition{
			condition("Verified", "True", "Verified", "message of Verified", hour(3)),
			condition("Ready", "True", "Verified", "", hour(3)),
		}},
	}
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
	for i, step := range steps {
		applyStatus(image, &verify.Verdict{Finding: step.finding}, metav1.NewTime(hour(i)))
		if diff := cmp.Diff(step.conditions, image.Status.Conditions); diff != "" {
			t.Errorf("conditions after %s (-want +got):\n%s", step.finding.Reason, diff)
		}
		if s := image.Status; s.Verified != step.verified || s.Reason != step.finding.Reason || s.ObservedGeneration != 3 {
			t.Errorf("after %s: verified %s, reason %s, observedGeneration %d", step.finding.Reason, s.Verified, s.Reason, s.ObservedGeneration)
		}
	}
}
