// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trustpolicy reports in the status of TrustPolicies on their keys (status.go), warns
// of revocations that disappear (revocations.go) and of data that was skipped (skipped.go), and counts the Images that the policies were
// applied to (counts.go). It decides nothing about Images.
package trustpolicy

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
	"github.com/assay-project/assay/internal/objectcache"
	"github.com/assay-project/assay/internal/trust"
)

// +kubebuilder:rbac:groups=assay.dev,resources=trustpolicies/status,verbs=patch

// conflictRetry is how long to wait after a write that conflicted with another writer's.
const conflictRetry = 500 * time.Millisecond

// appliedPolicyIndex finds the Images that a TrustPolicy was applied to.
const appliedPolicyIndex = "assay.dev/policies"

// Reconciler reports the state of a TrustPolicy's keys in its status, and counts the Images
// that the policy was applied to.
type Reconciler struct {
	client.Client

	// Trust holds the policies and keys.
	Trust *trust.Store
	// Recorder emits an event when a policy becomes ready or stops being so.
	Recorder events.EventRecorder
	// Clock returns the present time.
	Clock clock.PassiveClock
}

// SetupWithManager registers the reconciler with its event sources and its index. It also
// needs the indexes of package trust.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &imagecache.Image{}, appliedPolicyIndex, policiesOfImage); err != nil {
		return fmt.Errorf("registering index %s: %w", appliedPolicyIndex, err)
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("trustpolicy").
		For(&assayv1alpha1.TrustPolicy{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.readersOf(trust.SecretKind))).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.readersOf(trust.ConfigMapKind))).
		Watches(&imagecache.Image{}, onVerdicts()).
		Watches(&assayv1alpha1.TrustPolicy{}, r.onRevokedKeys()).
		Complete(r)
}

func policiesOfImage(obj client.Object) []string {
	applied := appliedPolicies(obj)
	names := make([]string, len(applied))
	for i := range applied {
		names[i] = applied[i].Name
	}
	return names
}

// readersOf maps a Secret or ConfigMap to the policies that read keys from it.
func (r *Reconciler) readersOf(kind string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		policies, err := trust.PoliciesReading(ctx, r.Client, kind, obj.GetName())
		if err != nil || len(policies) > 0 {
			r.Trust.Invalidate()
		}
		if err != nil {
			logf.FromContext(ctx).Error(err, "Cannot find the TrustPolicies that read a key source", "kind", kind, "name", obj.GetName())
			return nil
		}
		requests := make([]reconcile.Request, len(policies))
		for i := range policies {
			requests[i].NamespacedName = types.NamespacedName{Name: policies[i].Name}
		}
		return requests
	}
}

// Reconcile writes the status of one TrustPolicy where it differs.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var stored assayv1alpha1.TrustPolicy
	if err := r.Get(ctx, req.NamespacedName, &stored); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !stored.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	trusted, snapshot, err := r.policy(ctx, &stored)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := metav1.NewTime(r.Clock.Now().Truncate(time.Second))
	policy := stored.DeepCopy()
	nextChange := applyStatus(policy, trusted, snapshot, now)
	if policy.Status.Images, err = countImages(ctx, r.Client, policy.Name); err != nil {
		return ctrl.Result{}, err
	}

	if !equality.Semantic.DeepEqual(stored.Status, policy.Status) {
		if err := objectcache.PatchStatus(ctx, r.Client, &stored, policy); err != nil {
			if apierrors.IsConflict(err) {
				return ctrl.Result{RequeueAfter: conflictRetry}, nil
			}
			return ctrl.Result{}, client.IgnoreNotFound(fmt.Errorf("writing status: %w", err))
		}
		r.recordTransition(ctx, &stored, policy)
	}
	if nextChange.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(nextChange.Sub(now.Time)+time.Second, time.Second)}, nil
}

// policy returns the policy with its keys, at the generation at which it was read.
func (r *Reconciler) policy(ctx context.Context, stored *assayv1alpha1.TrustPolicy) (*trust.Policy, *trust.Snapshot, error) {
	for range 2 {
		snapshot, err := r.Trust.Snapshot(ctx)
		if err != nil {
			return nil, nil, err
		}
		if p := snapshot.Policy(stored.Name); p != nil && p.UID == stored.UID && p.Generation >= stored.Generation {
			return p, snapshot, nil
		}
		// The event has come here before it came to the handler that invalidates the store.
		r.Trust.Invalidate()
	}
	return nil, nil, fmt.Errorf("the cache no longer has generation %d of TrustPolicy %s", stored.Generation, stored.Name)
}

// recordTransition emits an event when the policy becomes ready or stops being so, when a
// revocation is lost, and when data in a key source was skipped.
func (r *Reconciler) recordTransition(ctx context.Context, before, after *assayv1alpha1.TrustPolicy) {
	r.recordWarning(ctx, before, after, assayv1alpha1.RevocationLostCondition)
	r.recordWarning(ctx, before, after, assayv1alpha1.KeyDataSkippedCondition)
	was := meta.FindStatusCondition(before.Status.Conditions, assayv1alpha1.ReadyCondition)
	is := meta.FindStatusCondition(after.Status.Conditions, assayv1alpha1.ReadyCondition)
	if was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return
	}
	logf.FromContext(ctx).Info("Policy changed", "ready", is.Status, "reason", is.Reason, "keys", after.Status.KeySummary)
	eventType := corev1.EventTypeNormal
	if is.Reason != assayv1alpha1.ReasonKeysUsable {
		eventType = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(after, nil, eventType, is.Reason, "ReadKeys", "%s", is.Message)
}
