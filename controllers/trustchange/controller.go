// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trustchange evaluates the Images that a change of policies or keys affects, and
// writes nothing into them. Writing thousands of verdicts takes minutes, and the allowlist
// does not wait for that: a revoked key admits nothing more at once.
package trustchange

import (
	"context"
	"errors"
	"runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/image"
	"github.com/assay-project/assay/internal/trust"
)

// busyRetry is how long to wait while keys are parsed.
const busyRetry = 100 * time.Millisecond

// Reconciler evaluates Images when policies or keys change.
type Reconciler struct {
	// Client reads Images and TrustPolicies from a cache.
	Client client.Reader
	// Evaluator makes the verdicts and records them for the allowlist.
	Evaluator *image.Evaluator
}

// SetupWithManager registers the reconciler with its event sources. It needs the indexes of
// package trust.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	enqueuer := &trust.Enqueuer{Client: r.Client, Store: r.Evaluator.Trust}
	return ctrl.NewControllerManagedBy(mgr).
		Named("trustchange").
		Watches(&assayv1alpha1.TrustPolicy{}, enqueuer.OnPolicies()).
		Watches(&corev1.Secret{}, enqueuer.OnKeySources(trust.SecretKind)).
		Watches(&corev1.ConfigMap{}, enqueuer.OnKeySources(trust.ConfigMapKind)).
		WithOptions(controller.Options{MaxConcurrentReconciles: runtime.GOMAXPROCS(0)}).
		Complete(r)
}

// Reconcile evaluates one Image, unless that was done since policies and keys changed.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	_, err := r.Evaluator.Evaluate(ctx, req.NamespacedName, func(image *imagev1.Image, snapshot *trust.Snapshot, _ time.Time) bool {
		return r.Evaluator.Current(image, snapshot)
	})
	if errors.Is(err, image.ErrBusy) {
		return ctrl.Result{RequeueAfter: busyRetry}, nil
	}
	return ctrl.Result{}, err
}
