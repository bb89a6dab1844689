// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
)

// +kubebuilder:rbac:groups=assay.dev,resources=trustpolicies/status,verbs=patch

// TrustPolicyReconciler reports in the status of TrustPolicies what became of their keys,
// and counts the images that they were applied to.
type TrustPolicyReconciler struct {
	client.Client

	// Trust holds the policies and keys.
	Trust *TrustStore
	// Recorder emits an event when a policy becomes ready or stops being so.
	Recorder events.EventRecorder
	// Clock tells the present time.
	Clock clock.PassiveClock
}

// SetupWithManager registers the reconciler and what wakes it. It relies on the indexes
// that ImageReconciler registers.
func (r *TrustPolicyReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("trustpolicy").
		For(&assayv1alpha1.TrustPolicy{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.readersOf(secretKind))).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.readersOf(configMapKind))).
		Watches(&imagecache.Image{}, onVerdicts()).
		Complete(r)
}

// readersOf maps a Secret or ConfigMap to the policies that read keys from it.
func (r *TrustPolicyReconciler) readersOf(kind string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		policies, err := policiesReading(ctx, r.Client, kind, obj.GetName())
		if err != nil || len(policies) > 0 {
			r.Trust.Changed()
		}
		if err != nil {
			logf.FromContext(ctx).Error(err, "Cannot find the TrustPolicies that read a key source", "kind", kind, "name", obj.GetName())
			return nil
		}
		requests := make([]reconcile.Request, len(policies))
		for i := range policies {
			requests[i].NamespacedName = types.NamespacedName{Name: policies[i].GetName()}
		}
		return requests
	}
}

// Reconcile writes the status of one TrustPolicy where it differs.
func (r *TrustPolicyReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var stored assayv1alpha1.TrustPolicy
	if err := r.Get(ctx, req.NamespacedName, &stored); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !stored.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	trusted, err := r.trusted(ctx, &stored)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := metav1.NewTime(r.Clock.Now().Truncate(time.Second))
	policy := stored.DeepCopy()
	nextChange := applyPolicyStatus(policy, trusted, now)
	if policy.Status.Images, err = countImages(ctx, r.Client, policy.Name); err != nil {
		return ctrl.Result{}, err
	}

	if !equality.Semantic.DeepEqual(stored.Status, policy.Status) {
		patch := client.MergeFromWithOptions(stored.DeepCopy(), client.MergeFromWithOptimisticLock{})
		if err := r.Status().Patch(ctx, policy, patch); err != nil {
			if apierrors.IsConflict(err) {
				return ctrl.Result{RequeueAfter: conflictRetry}, nil
			}
			return ctrl.Result{}, client.IgnoreNotFound(fmt.Errorf("writing status: %w", err))
		}
		r.announce(&stored, policy)
	}
	if nextChange.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(nextChange.Sub(now.Time)+time.Second, time.Second)}, nil
}

// trusted returns the policy with its keys, at the generation at which it was read.
func (r *TrustPolicyReconciler) trusted(ctx context.Context, policy *assayv1alpha1.TrustPolicy) (*trustedPolicy, error) {
	for range 2 {
		trust, err := r.Trust.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		if p := trust.policies[policy.Name]; p != nil && p.uid == policy.UID && p.generation >= policy.Generation {
			return p, nil
		}
		// The event has come here before it came to whoever says that something changed.
		r.Trust.Changed()
	}
	return nil, fmt.Errorf("generation %d of TrustPolicy %s is not in the cache any more", policy.Generation, policy.Name)
}

// announce emits an event when the policy becomes ready or stops being so.
func (r *TrustPolicyReconciler) announce(before, after *assayv1alpha1.TrustPolicy) {
	was := meta.FindStatusCondition(before.Status.Conditions, assayv1alpha1.ReadyCondition)
	is := meta.FindStatusCondition(after.Status.Conditions, assayv1alpha1.ReadyCondition)
	if was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return
	}
	eventType := corev1.EventTypeNormal
	if is.Reason != assayv1alpha1.ReasonKeysUsable {
		eventType = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(after, nil, eventType, is.Reason, "ReadKeys", "%s", is.Message)
}
