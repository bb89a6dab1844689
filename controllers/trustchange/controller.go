// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trustchange evaluates the Images that a change of policies or keys affects, or whose
// verdict the clock may change, and writes nothing into them. Writing thousands of verdicts
// takes minutes, and the allowlist does not wait for that: a revoked or expired key admits
// nothing more at once. Its queue is its own: nothing that happens to an Image enters it, so
// that no writer of Images can delay what trust and time take away.
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
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/image"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
)

// busyRetry is how long to wait while keys are parsed.
const busyRetry = 100 * time.Millisecond

// clockInterval is how often the cache of verdicts is searched for those that are due.
const clockInterval = time.Second

// Reconciler evaluates Images when policies or keys change, or time passes.
type Reconciler struct {
	// Client reads Images and TrustPolicies from a cache.
	Client client.Reader
	// Evaluator makes the verdicts and records them for the allowlist.
	Evaluator *image.Evaluator

	// due delivers the Images to evaluate: all at the start, and later those whose verdict the clock
	// may have changed.
	due chan event.GenericEvent
}

// SetupWithManager registers the reconciler with its event sources. It needs the indexes of
// package trust.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	enqueuer := &trust.Enqueuer{Client: r.Client, Store: r.Evaluator.Trust}
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

// watchClock delivers all Images once, and then those whose verdict is due, until ctx ends. The
// allowlist waits for the Images that are there at the start, and in the queue of the Images'
// own controller they come after those that somebody creates.
func (r *Reconciler) watchClock(ctx context.Context) error {
	var list imagecache.ImageList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing Images: %w", err)
	}
	for i := range list.Items {
		r.deliver(ctx, list.Items[i].Name)
	}
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		for _, name := range r.Evaluator.Verdicts.Due(r.Evaluator.Clock.Now()) {
			r.deliver(ctx, name)
		}
	}, clockInterval)
	return nil
}

// deliver enqueues an Image, unless ctx ends first.
func (r *Reconciler) deliver(ctx context.Context, name string) {
	select {
	case r.due <- event.GenericEvent{Object: &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}}}:
	case <-ctx.Done():
	}
}

// Reconcile evaluates one Image, unless that was done since policies, keys and time changed.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	_, err := r.Evaluator.Evaluate(ctx, req.NamespacedName, func(image *imagev1.Image, snapshot *trust.Snapshot, now time.Time) bool {
		return r.Evaluator.Current(image, snapshot) && !r.Evaluator.Verdicts.IsDue(image.Name, now)
	})
	if errors.Is(err, image.ErrBusy) {
		return ctrl.Result{RequeueAfter: busyRetry}, nil
	}
	return ctrl.Result{}, err
}
