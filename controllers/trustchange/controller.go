// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trustchange evaluates the Images that a change of policies or keys affects, or whose
// verdict the clock may change, and writes nothing into them. Writing thousands of verdicts
// takes minutes, and the allowlist does not wait for that: a revoked or expired key admits
// nothing more at once. Its queue is its own: nothing that happens to an Image enters it, so
// that no writer of Images can delay what trust and time take away. Images that are verified come
// first, since there is nothing to take from the others, and none takes more than a quick effort.
package trustchange

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/image"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

// busyRetry is how long to wait while keys are parsed.
const busyRetry = 100 * time.Millisecond

const (
	// clockInterval is how often the cache of verdicts is searched for those that are due.
	clockInterval = time.Second
	// clockJump is how far the clock may go in that time, on a machine that is busy. When it has
	// gone farther or back, it was set, or the process did not run.
	clockJump = time.Minute
)

// Reconciler evaluates Images when policies or keys change, or time passes.
type Reconciler struct {
	// Client reads Images and TrustPolicies from a cache.
	Client client.Reader
	// Evaluator makes the verdicts and records them for the allowlist.
	Evaluator *image.Evaluator
	// Recheck makes an Image's verdict be written; nil writes none.
	Recheck func(ctx context.Context, name string)

	// due delivers the Images to evaluate: all at the start, and later those whose verdict the clock
	// may have changed.
	due chan event.GenericEvent
}

// SetupWithManager registers the reconciler with its event sources. It needs the indexes of
// package trust.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	enqueuer := &trust.Enqueuer{Client: r.Client, Store: r.Evaluator.Trust, Priority: r.priority}
	r.due = make(chan event.GenericEvent)
	if err := mgr.Add(manager.RunnableFunc(r.watchClock)); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("trustchange").
		Watches(&assayv1alpha1.TrustPolicy{}, enqueuer.OnPolicies()).
		Watches(&corev1.Secret{}, enqueuer.OnKeySources(trust.SecretKind)).
		Watches(&corev1.ConfigMap{}, enqueuer.OnKeySources(trust.ConfigMapKind)).
		WatchesRawSource(source.Channel(r.due, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: runtime.GOMAXPROCS(0)}).
		Complete(r)
}

// priority orders the Images that a change affects: those that are verified come before the others,
// and among them those that take little before those that take long, whose number anybody can
// increase by copies.
func (r *Reconciler) priority(cached *imagecache.Image) int {
	verified, cost := r.Evaluator.Verdicts.Verified(cached.Name)
	if !verified {
		return handler.LowPriority
	}
	const millisecond = 1000
	return max(-cost/millisecond, handler.LowPriority+1)
}

// watchClock delivers all Images once, and then those whose verdict is due, until ctx ends. The
// allowlist waits for the Images that are there at the start, and in the queue of changed Images
// they come after those that somebody creates.
func (r *Reconciler) watchClock(ctx context.Context) error {
	// Of the wall clock: the monotonic one never jumps.
	now := func() time.Time { return r.Evaluator.Clock.Now().Round(0) }
	last := now()
	var list imagecache.ImageList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing Images: %w", err)
	}
	for i := range list.Items {
		r.enqueue(ctx, list.Items[i].Name)
	}
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		passed := now().Sub(last)
		last = last.Add(passed)
		if passed < 0 || passed > clockJump {
			r.clockJumped(ctx, passed)
		}
		for _, name := range r.Evaluator.Verdicts.Due(last) {
			r.deliver(ctx, name)
		}
	}, clockInterval)
	return nil
}

// clockJumped evaluates all Images anew, those first that are verified. A clock that was set back
// makes verdicts hold again, and what timers wait for comes at another time than they were set for.
func (r *Reconciler) clockJumped(ctx context.Context, by time.Duration) {
	logf.FromContext(ctx).Info("The clock has jumped; all Images are evaluated again", "seconds", by.Seconds())
	r.Evaluator.Trust.Invalidate()
	r.Evaluator.Verdicts.Notify()
	var list imagecache.ImageList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		logf.FromContext(ctx).Error(err, "Cannot list Images")
		return
	}
	for _, verified := range []bool{true, false} {
		for i := range list.Items {
			name := list.Items[i].Name
			if is, _ := r.Evaluator.Verdicts.Verified(name); is == verified {
				r.deliver(ctx, name)
			}
		}
	}
}

// deliver enqueues an Image, here and to be written.
func (r *Reconciler) deliver(ctx context.Context, name string) {
	if r.Recheck != nil {
		r.Recheck(ctx, name)
	}
	r.enqueue(ctx, name)
}

// enqueue enqueues an Image here, unless ctx ends first.
func (r *Reconciler) enqueue(ctx context.Context, name string) {
	select {
	case r.due <- event.GenericEvent{Object: &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}}}:
	case <-ctx.Done():
	}
}

// Reconcile evaluates one Image, unless that was done since policies, keys and time changed.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	_, err := r.Evaluator.Evaluate(ctx, req.NamespacedName, verify.QuickEffort, r.Evaluator.Current)
	if errors.Is(err, image.ErrBusy) {
		return ctrl.Result{RequeueAfter: busyRetry}, nil
	}
	return ctrl.Result{}, err
}
