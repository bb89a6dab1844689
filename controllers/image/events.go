// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// eventBurst events are emitted at once, and eventsPerSecond in the long run. An event costs
// the API server about as much as a verdict, and a revoked key changes the verdicts of
// thousands of Images at once; the conditions and the metrics show all of them.
const (
	eventBurst      = 100
	eventsPerSecond = 5
)

// recordTransition emits an event when the verdict on the image has changed. While it is not verified, one
// for the same reason is not repeated as long as it is there: whether the signatures are missing or a store
// does not say may change again and again.
func (r *Reconciler) recordTransition(ctx context.Context, before, after *imagev1.Image) {
	was := meta.FindStatusCondition(before.Status.Conditions, assayv1alpha1.VerifiedCondition)
	is := meta.FindStatusCondition(after.Status.Conditions, assayv1alpha1.VerifiedCondition)
	if is == nil || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
		return
	}
	eventType := corev1.EventTypeNormal
	if is.Status == metav1.ConditionFalse {
		eventType = corev1.EventTypeWarning
	}
	from := metav1.ConditionStatus("")
	if was != nil {
		from = was.Status
	}
	logf.FromContext(ctx).Info("Verdict changed", "from", from, "to", is.Status, "reason", is.Reason)
	now := r.Evaluator.Clock.Now()
	stays := is.Status != metav1.ConditionTrue && from != metav1.ConditionTrue
	if stays && r.emitted.Seen(string(after.UID), is.Reason, now) {
		return
	}
	if !r.events.allow(eventType, now) {
		eventsDroppedTotal.WithLabelValues(eventType).Inc()
		return
	}
	r.emitted.Add(string(after.UID), is.Reason, now)
	r.Recorder.Eventf(after, nil, eventType, is.Reason, "Verify", "%s", is.Message)
}

// eventBudget bounds how many events are emitted, for each type by itself, so that good news leaves
// room for bad news. The zero value is ready to use.
type eventBudget struct {
	mu     sync.Mutex
	byType map[string]*rate.Limiter
}

func (b *eventBudget) allow(eventType string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter := b.byType[eventType]
	if limiter == nil {
		limiter = rate.NewLimiter(eventsPerSecond, eventBurst)
		if b.byType == nil {
			b.byType = map[string]*rate.Limiter{}
		}
		b.byType[eventType] = limiter
	}
	return limiter.AllowN(now, 1)
}
