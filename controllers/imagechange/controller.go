// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imagechange evaluates Images at once when they are created or changed, and writes nothing
// into them: what admission needs of a new image does not wait until the verdicts on others are
// written. Verdicts that count most are then written first.
package imagechange

import (
	"context"
	"errors"
	"runtime"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/assay-project/assay/controllers/image"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/verify"
)

// busyRetry is how long to wait while keys are parsed.
const busyRetry = 100 * time.Millisecond

// Reconciler evaluates Images that have changed.
type Reconciler struct {
	// Evaluator makes the verdicts and records them for the allowlist.
	Evaluator *image.Evaluator
	// Prioritize is called with each new verdict, to have it written.
	Prioritize func(context.Context, *image.Evaluation)

	turns image.Turns
}

// SetupWithManager registers the reconciler with its event source.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("imagechange").
		Watches(&imagecache.Image{}, r.turns.OnChanges(r.Evaluator.Clock.Now, false),
			builder.WithPredicates(image.Changed())).
		WithOptions(controller.Options{MaxConcurrentReconciles: runtime.GOMAXPROCS(0)}).
		Complete(r)
}

// Reconcile evaluates one Image unless nothing has changed that a verdict depends on. Policies, keys
// and time are left to package trustchange.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	evaluation, err := r.Evaluator.Evaluate(ctx, req.NamespacedName, verify.QuickEffort, r.Evaluator.Evaluated)
	switch {
	case errors.Is(err, image.ErrBusy):
		return ctrl.Result{RequeueAfter: busyRetry}, nil
	case err != nil || evaluation == nil:
		return ctrl.Result{}, err
	}
	r.turns.Take(req.Name, evaluation.Now.Time)
	r.Prioritize(ctx, evaluation)
	return ctrl.Result{}, nil
}
