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
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/eventmemory"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

// +kubebuilder:rbac:groups=image.openshift.io,resources=images,verbs=list;watch;patch
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/status,verbs=patch
// The permission to write verdicts, which config/admission checks; it is not a resource.
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/verdict,verbs=update
// +kubebuilder:rbac:groups=assay.dev,resources=trustpolicies,verbs=list;watch
// +kubebuilder:rbac:groups="",namespace=assay-system,resources=secrets;configmaps,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

const (
	// firstFetch is how long a new Image is left without a verdict while its stores are asked.
	firstFetch = 5 * time.Second

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
	// Workers is how many Images that have changed are reconciled at the same time. Half as many
	// are for another reason.
	Workers int

	reconciled reconciledImages
	events     eventBudget
	emitted    eventmemory.Memory
	turns      Turns
	budget     writeBudget
	// The lanes of Images that have changed, that may have to be written for another reason, and
	// that take long.
	changed, bulk, slow *lane
}

// SetupWithManager registers the reconciler with its event sources, as three controllers: what
// happens in one lane keeps no Image of another lane waiting. It needs the indexes of package
// trust.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.changed, r.bulk, r.slow = newLane(), newLane(), newLane()
	r.Evaluator.OnIncomplete = func(ctx context.Context, name string) {
		priority, _ := r.turns.Next(name, r.Evaluator.Clock.Now())
		r.slow.add(ctx, name, priority, 0)
	}
	enqueuer := &trust.Enqueuer{
		Client: mgr.GetClient(), Store: r.Evaluator.Trust, Delay: bulkDelay, Priority: bulkPriority,
	}
	changes := ctrl.NewControllerManagedBy(mgr).
		Named("image").
		Watches(&imagecache.Image{}, r.turns.OnChanges(r.Evaluator.Clock.Now, true), builder.WithPredicates(Changed())).
		WatchesRawSource(r.changed.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(reconcile.Func(r.reconcileChanged))
	bulk := ctrl.NewControllerManagedBy(mgr).
		Named("image-bulk").
		Watches(&assayv1alpha1.TrustPolicy{}, enqueuer.OnPolicies()).
		Watches(&corev1.Secret{}, enqueuer.OnKeySources(trust.SecretKind)).
		Watches(&corev1.ConfigMap{}, enqueuer.OnKeySources(trust.ConfigMapKind)).
		WatchesRawSource(r.bulk.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: max(1, r.Workers/2)}).
		Complete(r)
	slow := ctrl.NewControllerManagedBy(mgr).
		Named("image-slow").
		WatchesRawSource(r.slow.source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(reconcile.Func(r.reconcileSlow))
	return errors.Join(changes, bulk, slow)
}

// bulkPriority orders the Images that a change of trust affects: a status that says verified may have
// to be corrected.
func bulkPriority(image *imagecache.Image) int {
	if claimsVerified(&image.Image) {
		return 0
	}
	return handler.LowPriority
}

// claimsVerified reports whether the status of an Image says that it is verified.
func claimsVerified(image *imagev1.Image) bool {
	return meta.IsStatusConditionTrue(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
}

// Recheck makes an Image be evaluated and written for another reason than a change of the Image: those
// first that were verified.
func (r *Reconciler) Recheck(ctx context.Context, name string) {
	priority := handler.LowPriority
	if verified, _ := r.Evaluator.Verdicts.Verified(name); verified {
		priority = 0
	}
	r.bulk.add(ctx, name, priority, bulkDelay)
}

// Prioritize puts a changed Image before others if its status says verified and the verdict does
// not, or if the verdict adds to the allowlist what was not on it.
func (r *Reconciler) Prioritize(ctx context.Context, e *Evaluation) {
	claimed := claimsVerified(e.Image)
	verified := e.Verdict.Outcome == verify.Verified
	switch {
	case !e.Counts:
	case claimed && !verified:
		r.changed.add(ctx, e.Image.Name, withdrawPriority, 0)
	case e.Added && !claimed:
		r.changed.add(ctx, e.Image.Name, addedPriority, 0)
	}
}

// reconcileChanged reconciles an Image that has changed.
func (r *Reconciler) reconcileChanged(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	return r.leaveToBulk(ctx, req, verify.QuickEffort)
}

// reconcileSlow reconciles an Image with all the effort that is ever spent on one.
func (r *Reconciler) reconcileSlow(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	return r.leaveToBulk(ctx, req, verify.FullEffort)
}

// leaveToBulk reconciles an Image. What is to be done at a later time is left to the bulk lane, so
// that it does not wait for Images of this lane then; what is tried again stays.
func (r *Reconciler) leaveToBulk(ctx context.Context, req ctrl.Request, effort verify.Effort) (ctrl.Result, error) {
	result, err := r.reconcile(ctx, req, effort)
	if err == nil && result.Priority != nil {
		r.bulk.add(ctx, req.Name, *result.Priority, result.RequeueAfter)
		return ctrl.Result{}, nil
	}
	return result, err
}

// Reconcile evaluates one Image and writes what differs: the signatures in one patch, then
// the status in another. Both are guarded by the resource version, so that neither can undo
// another writer's change, and stopping between them leaves nothing that the next run does
// not complete.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	return r.reconcile(ctx, req, verify.QuickEffort)
}

func (r *Reconciler) reconcile(ctx context.Context, req ctrl.Request, effort verify.Effort) (ctrl.Result, error) {
	var rest time.Duration
	postponed := false
	e, err := r.Evaluator.Evaluate(ctx, req.NamespacedName, effort, func(s *Subject) bool {
		rest = r.reconciled.remaining(s)
		postponed = effort == verify.QuickEffort && r.Evaluator.Postponed(s) && !claimsVerified(s.Image)
		return rest > 0 || postponed
	})
	switch {
	case errors.Is(err, ErrBusy):
		return ctrl.Result{RequeueAfter: busyRetry}, nil
	case err != nil:
		return ctrl.Result{}, err
	case e == nil && rest > 0:
		return requeueLowPriority(rest), nil
	case e == nil && postponed:
		return ctrl.Result{}, nil
	case e == nil:
		r.reconciled.forget(req.Name)
		r.budget.forget(req.Name)
		return ctrl.Result{}, nil
	}
	r.turns.Take(req.Name, e.Now.Time)
	if e.Verdict.Incomplete && effort == verify.QuickEffort {
		return r.postpone(ctx, e)
	}
	observeVerdict(&e.Verdict, e.Took)
	logf.FromContext(ctx).V(1).Info("Evaluated", "outcome", e.Verdict.Outcome.String(), "reason", e.Verdict.Reason,
		"signatures", len(e.Verdict.Signatures), "verified", e.Verdict.VerifiedSignatures())
	return r.store(ctx, e)
}

// postpone leaves an Image to the slow lane, which may take long to come to it: meanwhile its status
// does not say verified, unless that is still so.
func (r *Reconciler) postpone(ctx context.Context, e *Evaluation) (ctrl.Result, error) {
	logf.FromContext(ctx).V(1).Info("Takes long", "signatures", len(e.Verdict.Signatures))
	if !e.Counts {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.withdraw(ctx, e))
}

// store writes a verdict where it differs from what is stored.
func (r *Reconciler) store(ctx context.Context, e *Evaluation) (ctrl.Result, error) {
	image := e.Image.DeepCopy()
	applySignatures(image, &e.Verdict, e.Now, r.recheckDue(image, e.Now.Time))
	if wait := r.waits(e, image); wait > 0 {
		return requeueLowPriority(wait), nil
	}
	written := inputsOf(e.cached, image)
	r.Evaluator.Verdicts.ExpectWritten(image.Name, image.UID, written)
	if err := r.write(ctx, e.Image, image, &e.Verdict, e.Now); err != nil {
		if apierrors.IsConflict(err) {
			if r.reconciled.overtaken(&e.Subject) {
				return requeueLowPriority(conflictRetry), nil
			}
			return ctrl.Result{RequeueAfter: conflictRetry}, client.IgnoreNotFound(r.withdraw(ctx, e))
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	r.recordTransition(ctx, e.Image, image)
	wait := r.nextCheck(image, &e.Verdict, e.Now.Time)
	r.reconciled.record(image, stateOf(e.cached, image, written), e.Trust, e.Now.Time, wait)
	return requeueLowPriority(wait), nil
}

// waits returns how long a verdict waits until it is written: the first one on an Image for its
// signatures, and one on a large Image for the others. One that takes something away does not wait.
func (r *Reconciler) waits(e *Evaluation, image *imagev1.Image) time.Duration {
	if wait := awaitsFetch(e); wait > 0 {
		return wait
	}
	if e.cached.Size < largeObject || claimsVerified(e.Image) && e.Verdict.Outcome != verify.Verified {
		return 0
	}
	after := image.DeepCopy()
	applyStatus(after, &e.Verdict, e.Now)
	if equality.Semantic.DeepEqual(e.Image.Signatures, after.Signatures) && equality.Semantic.DeepEqual(e.Image.Status, after.Status) {
		return 0
	}
	return r.budget.wait(image.Name, e.cached.Size, e.Now.Time)
}

// awaitsFetch returns how long a new Image may still wait for the first answer of its stores, which
// comes with a write. That nothing is known until then need not be written as well.
func awaitsFetch(e *Evaluation) time.Duration {
	status := &e.Image.Status
	if status.Import != nil || status.ObservedGeneration != 0 || e.Verdict.Reason != assayv1alpha1.ReasonSignaturesUnavailable {
		return 0
	}
	age := e.Now.Time.Sub(e.Image.CreationTimestamp.Time)
	if age < -firstFetch { // The clocks disagree.
		return 0
	}
	return max(firstFetch-age, 0)
}

// requeueLowPriority requeues an Image behind new and changed ones. The queue keeps the
// highest priority that an Image was queued with, which would be that of the last event.
func requeueLowPriority(wait time.Duration) ctrl.Result {
	low := handler.LowPriority
	return ctrl.Result{RequeueAfter: wait, Priority: &low}
}

// Changed passes what may change a verdict or needs repair: everything but changes to
// other metadata. The reconciler's own writes pass as well and find nothing to do.
func Changed() predicate.Predicate {
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
