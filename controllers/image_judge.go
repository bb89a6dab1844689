// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"hash/fnv"
	"runtime"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/verify"
)

// judgement is a decision about an Image with what it was made from.
type judgement struct {
	image   *imagev1.Image
	trust   *trustSnapshot
	now     metav1.Time
	verdict verify.Verdict
	took    time.Duration
}

// judge decides about an Image, and takes down for admission what came of it. It returns
// nil for an Image that is no more, and for one about which skip says that there is nothing
// to do.
//
// Only one at a time decides about an Image, so that what is taken down last was read last.
func (r *ImageReconciler) judge(ctx context.Context, name types.NamespacedName,
	skip func(*imagev1.Image, *trustSnapshot, time.Time) bool) (*judgement, error) {
	defer r.deciding.lock(name.Name)()
	cached := &imagecache.Image{}
	if err := r.Get(ctx, name, cached); client.IgnoreNotFound(err) != nil {
		return nil, err
	} else if err != nil || !cached.DeletionTimestamp.IsZero() {
		r.forget(name.Name)
		return nil, nil
	}
	image := &cached.Image
	trust, err := r.Trust.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	now := metav1.NewTime(r.Clock.Now().Truncate(time.Second))
	if skip(image, trust, now.Time) {
		return nil, nil
	}
	started := r.Clock.Now()
	j := &judgement{image: image, trust: trust, now: now, verdict: verify.Check(gather(cached, trust, now.Time))}
	j.took = r.Clock.Since(started)
	r.Verified.record(image, trust, &j.verdict)
	return j, nil
}

// setupRejudge registers a controller beside the reconciler's own that decides about the
// Images that a change of policies or keys affects, and writes nothing into them. Writing
// thousands of verdicts takes minutes, and the list that admission reads is not to wait
// for it: a revoked key is to admit nothing more at once.
func (r *ImageReconciler) setupRejudge(mgr ctrl.Manager) error {
	wake := &imageWaker{client: mgr.GetClient(), trust: r.Trust}
	return ctrl.NewControllerManagedBy(mgr).
		Named("trust-change").
		Watches(&assayv1alpha1.TrustPolicy{}, wake.onPolicies()).
		Watches(&corev1.Secret{}, wake.onKeySources(secretKind)).
		Watches(&corev1.ConfigMap{}, wake.onKeySources(configMapKind)).
		WithOptions(controller.Options{MaxConcurrentReconciles: runtime.GOMAXPROCS(0)}).
		Complete(reconcile.Func(func(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
			return ctrl.Result{}, r.rejudge(ctx, req.NamespacedName)
		}))
}

// rejudge decides about an Image, unless that was done since policies and keys changed.
func (r *ImageReconciler) rejudge(ctx context.Context, name types.NamespacedName) error {
	_, err := r.judge(ctx, name, func(image *imagev1.Image, trust *trustSnapshot, _ time.Time) bool {
		return r.Verified.current(image, trust)
	})
	return err
}

// stripedMutex locks by name. Names share locks, which bounds them. The zero value is ready
// to use.
type stripedMutex [64]sync.Mutex

// lock waits for the lock of a name, and returns the function that gives it back.
func (m *stripedMutex) lock(name string) (unlock func()) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	stripe := &m[h.Sum32()%uint32(len(m))]
	stripe.Lock()
	return stripe.Unlock
}
