// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
