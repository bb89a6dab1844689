// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package image verifies the signatures of Images and records the verdicts: events come in
// here (controller.go), a verdict is made (gather.go and evaluate.go), set on the Image
// (apply.go) and stored (write.go).
package image

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
)

// +kubebuilder:rbac:groups=image.openshift.io,resources=images,verbs=list;watch;patch
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/status,verbs=patch
// The permission to write verdicts, which config/admission checks; it is not a resource.
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/verdict,verbs=update
// +kubebuilder:rbac:groups=assay.dev,resources=trustpolicies,verbs=list;watch
// +kubebuilder:rbac:groups="",namespace=assay-system,resources=secrets;configmaps,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

const (
	// conflictRetry is how long to wait after a write that conflicted with another writer's.
	// The other write causes an event as well; this is for when that came before.
	conflictRetry = 500 * time.Millisecond

	// busyRetry is how long to wait while keys are parsed.
	busyRetry = 200 * time.Millisecond

	// bulkDelay is how long the Images that a change of trust affects wait for their turn.
	// Package trustchange has evaluated most of them by then, and admission goes by that;
	// writing thousands of verdicts would take the processors from it.
	bulkDelay = time.Second
)

// Reconciler records the verdicts on Images.
type Reconciler struct {
	client.Client

	// Evaluator makes the verdicts.
	Evaluator *Evaluator
	// Recorder emits an event when a verdict changes.
	Recorder events.EventRecorder
	// RecheckInterval is how often a verdict that does not change is confirmed by a new
	// lastProbeTime.
	RecheckInterval time.Duration
	// Workers is how many Images are reconciled at the same time.
	Workers int

	reconciled reconciledImages
	events     eventBudget
}

// SetupWithManager registers the reconciler with its event sources. It needs the indexes of
// package trust.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	enqueuer := &trust.Enqueuer{Client: mgr.GetClient(), Store: r.Evaluator.Trust, Delay: bulkDelay}
	return ctrl.NewControllerManagedBy(mgr).
		Named("image").
		For(&imagecache.Image{}, builder.WithPredicates(imageChanged())).
		Watches(&assayv1alpha1.TrustPolicy{}, enqueuer.OnPolicies()).
		Watches(&corev1.Secret{}, enqueuer.OnKeySources(trust.SecretKind)).
		Watches(&corev1.ConfigMap{}, enqueuer.OnKeySources(trust.ConfigMapKind)).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// Reconcile evaluates one Image and writes what differs: the signatures in one patch, then
// the status in another. Both are guarded by the resource version, so that neither can undo
// another writer's change, and stopping between them leaves nothing that the next run does
// not complete.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var rest time.Duration
	e, err := r.Evaluator.Evaluate(ctx, req.NamespacedName, func(image *imagev1.Image, snapshot *trust.Snapshot, now time.Time) bool {
		rest = r.reconciled.remaining(image, snapshot, now)
		return rest > 0
	})
	switch {
	case errors.Is(err, ErrBusy):
		return requeueLowPriority(busyRetry), nil
	case err != nil:
		return ctrl.Result{}, err
	case e == nil && rest > 0:
		return requeueLowPriority(rest), nil
	case e == nil:
		r.reconciled.forget(req.Name)
		return ctrl.Result{}, nil
	}
	observeVerdict(&e.Verdict, e.Took)
	logf.FromContext(ctx).V(1).Info("Evaluated", "outcome", e.Verdict.Outcome.String(), "reason", e.Verdict.Reason,
		"signatures", len(e.Verdict.Signatures), "verified", e.Verdict.VerifiedSignatures())
	return r.store(ctx, e)
}

// store writes a verdict where it differs from what is stored.
func (r *Reconciler) store(ctx context.Context, e *Evaluation) (ctrl.Result, error) {
	image := e.Image.DeepCopy()
	applySignatures(image, &e.Verdict, e.Now, r.recheckDue(image, e.Now.Time))
	if err := r.write(ctx, e.Image, image, &e.Verdict, e.Now); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: conflictRetry}, client.IgnoreNotFound(r.withdraw(ctx, e))
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	r.recordTransition(ctx, e.Image, image)
	wait := r.nextCheck(image, &e.Verdict, e.Now.Time)
	r.reconciled.record(image, e.Trust, e.Now.Time, wait)
	return requeueLowPriority(wait), nil
}

// requeueLowPriority requeues an Image behind new and changed ones. The queue keeps the
// highest priority that an Image was queued with, which would be that of the last event.
func requeueLowPriority(wait time.Duration) ctrl.Result {
	low := handler.LowPriority
	return ctrl.Result{RequeueAfter: wait, Priority: &low}
}

// imageChanged passes what may change a verdict or needs repair: everything but changes to
// other metadata. The reconciler's own writes pass as well and find nothing to do.
func imageChanged() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, statusChanged())
}

// statusChanged passes updates whose status differs: status does not count for the
// generation, and one that another client wrote has to be corrected.
func statusChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*imagecache.Image)
		after, ok2 := e.ObjectNew.(*imagecache.Image)
		return !ok || !ok2 || !equality.Semantic.DeepEqual(before.Status, after.Status)
	}}
}
