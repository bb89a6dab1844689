// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

func TestEventBudget(t *testing.T) {
	var budget eventBudget
	emitted := func(eventType string, now time.Time) (n int) {
		for range 10 * eventBurst {
			if budget.allow(eventType, now) {
				n++
			}
		}
		return n
	}
	if got := emitted(corev1.EventTypeNormal, testNow); got != eventBurst {
		t.Errorf("%d events at once, want %d", got, eventBurst)
	}
	if got := emitted(corev1.EventTypeWarning, testNow); got != eventBurst {
		t.Errorf("%d warnings after as many other events, want %d", got, eventBurst)
	}
	if got := emitted(corev1.EventTypeNormal, testNow.Add(10*time.Second)); got != 10*eventsPerSecond {
		t.Errorf("%d events ten seconds later, want %d", got, 10*eventsPerSecond)
	}
}

// TestEventsOncePerCause checks that an Image whose stores answer now and then emits one event for each
// reason, and that no event about an image that is verified, or was, is left out.
func TestEventsOncePerCause(t *testing.T) {
	verdict := func(status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: assayv1alpha1.VerifiedCondition, Status: status, Reason: reason}
	}
	missing := verdict(metav1.ConditionUnknown, assayv1alpha1.ReasonSignaturesUnavailable)
	none := verdict(metav1.ConditionFalse, assayv1alpha1.ReasonNoSignatures)
	verified := verdict(metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	for name, tt := range map[string]struct {
		verdicts []metav1.Condition
		want     []string
	}{
		"the same":       {[]metav1.Condition{none, none}, []string{none.Reason}},
		"flaps":          {[]metav1.Condition{missing, none, missing, none}, []string{missing.Reason, none.Reason}},
		"verified":       {[]metav1.Condition{missing, none, missing, verified}, []string{missing.Reason, none.Reason, verified.Reason}},
		"comes and goes": {[]metav1.Condition{none, verified, none, verified, none}, []string{none.Reason, verified.Reason, none.Reason, verified.Reason, none.Reason}},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(16)
			r := &Reconciler{Recorder: recorder, Evaluator: &Evaluator{Clock: clocktesting.NewFakePassiveClock(testNow)}}
			image := &imagev1.Image{}
			image.UID = "uid"
			for _, v := range tt.verdicts {
				before := image.DeepCopy()
				image.Status.Conditions = []metav1.Condition{v}
				r.recordTransition(t.Context(), before, image)
			}
			var got []string
			for len(recorder.Events) > 0 {
				got = append(got, strings.Fields(<-recorder.Events)[1])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("events %q, want %q", got, tt.want)
			}
		})
	}
}
