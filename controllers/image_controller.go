// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
)

// +kubebuilder:rbac:groups=image.openshift.io,resources=images,verbs=list;watch;patch
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/status,verbs=patch
// The permission to write verdicts, which config/admission asks for; it is no resource.
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/verdict,verbs=update
// +kubebuilder:rbac:groups=assay.dev,resources=trustpolicies,verbs=list;watch
// +kubebuilder:rbac:groups="",namespace=assay-system,resources=secrets;configmaps,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

// conflictRetry is how long to wait after a write that lost against another writer's.
// The other's write wakes the reconciler as well; this is for when that was seen already.
const conflictRetry = 500 * time.Millisecond

// ImageReconciler verifies the signatures of Images and records the verdicts.
type ImageReconciler struct {
	client.Client

	// Trust holds the policies and keys.
	Trust *TrustStore
	// Recorder emits an event when a verdict changes.
	Recorder events.EventRecorder
	// Clock tells the present time.
	Clock clock.PassiveClock
	// ProbeInterval is how often a verdict that does not change is confirmed by a new
	// lastProbeTime.
	ProbeInterval time.Duration
	// Workers is how many Images are reconciled at the same time.
	Workers int
	// Verified gets every verdict, for the list that admission reads; nil for none.
	Verified *VerifiedImages

	checked checkedImages
	events  eventBudget
	// deciding keeps two workers from deciding about the same Image at the same time.
	deciding stripedMutex
}

// SetupWithManager registers the reconciler and what wakes it.
func (r *ImageReconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := registerIndexes(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	wake := &imageWaker{client: mgr.GetClient(), trust: r.Trust, delay: bulkDelay}
	if err := r.setupRejudge(mgr); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("image").
		For(&imagecache.Image{}, builder.WithPredicates(imageChanged())).
		Watches(&assayv1alpha1.TrustPolicy{}, wake.onPolicies()).
		Watches(&corev1.Secret{}, wake.onKeySources(secretKind)).
		Watches(&corev1.ConfigMap{}, wake.onKeySources(configMapKind)).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// Reconcile makes the verdict about one Image anew and writes what differs: the
// signatures in one patch, then the status in another. Both are guarded by the resource
// version, so that neither can undo what somebody else wrote meanwhile, and stopping
// between them leaves nothing that the next run does not complete.
func (r *ImageReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var rest time.Duration
	j, err := r.judge(ctx, req.NamespacedName, func(image *imagev1.Image, trust *trustSnapshot, now time.Time) bool {
		rest = r.checked.wait(image, trust, now)
		return rest > 0
	})
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case j == nil && rest > 0:
		return later(rest), nil
	case j == nil:
		return ctrl.Result{}, nil
	}
	observeVerdict(&j.verdict, j.took)
	image := j.image.DeepCopy()
	applySignatures(image, &j.verdict, j.now, r.probeDue(image, j.now.Time))
	if err := r.write(ctx, j.image, image, &j.verdict, j.now); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: conflictRetry}, nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	r.announce(j.image, image)
	rest = r.nextCheck(image, &j.verdict, j.now.Time)
	r.checked.remember(image, j.trust, j.now.Time, rest)
	return later(rest), nil
}

// forget drops what is remembered of an image that is no more.
func (r *ImageReconciler) forget(name string) {
	r.checked.forget(name)
	r.Verified.forget(name)
}

// later asks for another look that new and changed images go before. The queue keeps the
// highest priority that an image was queued with, and would take it for the next bulk.
func later(wait time.Duration) ctrl.Result {
	low := handler.LowPriority
	return ctrl.Result{RequeueAfter: wait, Priority: &low}
}
