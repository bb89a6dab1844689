// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/imagecache"
)

// +kubebuilder:rbac:groups="",namespace=assay-system,resources=configmaps,verbs=create;update;delete
// +kubebuilder:rbac:groups=assay.dev,namespace=assay-system,resources=projections,verbs=update

const (
	// listInterval is the least time between two writes of the list, so that thousands of
	// verdicts cost a write a second and not one each.
	listInterval = time.Second

	// listRate is how many bytes of the list are written in a second, in the mean. etcd keeps
	// every version of a ConfigMap until it is compacted, usually for five minutes, and takes
	// no more than 2 GiB in all by default.
	listRate = 1 << 20
)

// ProjectionReconciler writes the list of verified images that admission reads: ConfigMaps
// in the operator's namespace, in the form that package projection describes.
//
// The list is one object to reconcile. After a start it is left as it is until every Image
// that there is has been decided about, so that no verified image is missing meanwhile.
type ProjectionReconciler struct {
	client.Client

	// Trust holds the policies, whose scopes are in the list.
	Trust *TrustStore
	// Verified is what was decided about the Images.
	Verified *VerifiedImages
	// Namespace is the operator's own.
	Namespace string
	// Clock tells the present time.
	Clock clock.PassiveClock
	// ValidFor is how long the list holds when it is not renewed; zero is for ever.
	ValidFor time.Duration

	complete  bool      // Every Image has been decided about once.
	looked    time.Time // When it was last found that this is not so.
	lastWrite time.Time
	pause     time.Duration // How long to write nothing after lastWrite.
}

// SetupWithManager registers the reconciler and what wakes it.
func (r *ProjectionReconciler) SetupWithManager(mgr ctrl.Manager) error {
	toList := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: r.Namespace, Name: allowlist.LabelValue}}}
	})
	isShard := predicate.NewPredicateFuncs(func(obj client.Object) bool {
		_, ok := allowlist.CountOf(obj.GetName())
		return ok
	})
	r.Verified.signal() // An empty cluster has a list, too.
	return ctrl.NewControllerManagedBy(mgr).
		Named("projection").
		Watches(&corev1.ConfigMap{}, toList, builder.WithPredicates(isShard)).
		Watches(&assayv1alpha1.TrustPolicy{}, toList, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Channel(r.Verified.changed, toList)).
		Complete(r)
}

// Reconcile writes what differs of the list.
func (r *ProjectionReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	now := r.Clock.Now()
	if wait := r.lastWrite.Add(r.pause).Sub(now); wait > 0 && wait <= r.pause {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	stored, err := r.storedShards(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	// Also for as long as nothing can be written: that is when somebody has to know.
	setTime(projectionValidUntil, firstEnd(stored))
	if ok, err := r.isComplete(ctx, now); err != nil || !ok {
		return ctrl.Result{RequeueAfter: listInterval}, err
	}
	trust, err := r.Trust.snapshot(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	state := r.state(trust)
	shards, err := allowlist.Encode(state, currentCount(stored))
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("the list of verified images cannot be written, and stays as it is: %w", err)
	}
	wrote, size, err := r.write(ctx, stored, shards, now)
	if wrote > 0 || err != nil {
		r.lastWrite, r.pause = now, max(listInterval, time.Duration(size)*time.Second/listRate)
		projectionWritesTotal.Add(float64(wrote))
		// Another look finds what others wrote meanwhile, and removes what is left of an earlier set.
		return ctrl.Result{RequeueAfter: r.pause}, ignoreConflict(err)
	}
	projectionImages.Set(float64(len(state.Images)))
	projectionShards.Set(float64(len(shards)))
	return ctrl.Result{RequeueAfter: r.ValidFor / renewals}, nil
}

// isComplete tells whether every Image has been decided about since the start. New ones
// that come later are not waited for. Every decision wakes the reconciler, and looking at
// all Images after each would take longer than deciding.
func (r *ProjectionReconciler) isComplete(ctx context.Context, now time.Time) (bool, error) {
	if r.complete {
		return true, nil
	}
	if since := now.Sub(r.looked); since >= 0 && since < listInterval {
		return false, nil
	}
	r.looked = now
	var list imagecache.ImageList
	if err := r.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("listing Images: %w", err)
	}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp.IsZero() && !r.Verified.judged(&list.Items[i].Image) {
			return false, nil
		}
	}
	r.complete = true
	return true, nil
}

// state returns what admission is to know: the scopes of all policies, each with the
// strictest level that one of its policies asks for, and the verified images.
func (r *ProjectionReconciler) state(trust *trustSnapshot) allowlist.State {
	scopes := map[string]allowlist.Level{}
	for _, policy := range trust.policies {
		for _, scope := range policy.scopes {
			level := allowlist.Level(policy.spec.Enforcement)
			if other, ok := scopes[scope.String()]; ok {
				level = allowlist.Stricter(level, other)
			}
			scopes[scope.String()] = level
		}
	}
	images := r.Verified.entries(func(entry string) bool {
		_, ok := scopes[entry]
		return ok
	})
	return allowlist.State{Images: images, Scopes: scopes}
}
