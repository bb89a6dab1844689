// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package allowlist writes the allowlist that admission reads, from the verdicts of this
// process: controller.go decides when, write.go what differs.
package allowlist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
)

// +kubebuilder:rbac:groups="",namespace=assay-system,resources=configmaps,verbs=create;update;delete
// +kubebuilder:rbac:groups=assay.dev,namespace=assay-system,resources=allowlists,verbs=update
// The fence is a Role of one name. RBAC lets nobody grant what he does not hold himself.
// +kubebuilder:rbac:groups=assay.dev,namespace=assay-system,resources=allowlists,verbs=use
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,namespace=assay-system,resources=roles;rolebindings,verbs=create
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,namespace=assay-system,resources=roles;rolebindings,resourceNames=assay-allowlist,verbs=list;watch;update

const (
	// writeInterval is the shortest time between two writes of the allowlist, so that thousands
	// of verdicts cost one write a second.
	writeInterval = time.Second

	// writeRate bounds the bytes that are written in a second, on average. etcd keeps every
	// version of a ConfigMap until it is compacted, usually for five minutes, and by default
	// holds no more than 2 GiB.
	writeRate = 1 << 20

	// patience is how long after a start an image stays listed whose Image takes long to evaluate.
	// It bounds how long somebody can keep an image listed that is no longer verified, by Images of
	// it that take long.
	patience = 30 * time.Second
)

// Reconciler writes the allowlist that admission reads: ConfigMaps in the operator's
// namespace, in the format that internal/allowlist describes.
//
// The allowlist is reconciled as one object. After a start it is left as it is until every
// Image has been evaluated, so that no verified image is missing meanwhile.
type Reconciler struct {
	client.Client

	// Trust holds the policies, whose scopes are on the allowlist.
	Trust *trust.Store
	// Verdicts holds the verdicts on all Images.
	Verdicts *verdictcache.Cache
	// Namespace is the operator's own.
	Namespace string
	// Clock returns the present time.
	Clock clock.PassiveClock
	// TTL is how long the allowlist is valid when it is not renewed; zero is for ever.
	TTL time.Duration
	// Leads asks the API server whether this process leads; nil is a single process, which does.
	Leads func(context.Context) (bool, error)

	// confirmed: this process leads, and did since the shards of this run were read.
	confirmed bool

	complete    bool      // Every Image that was there at the start has been evaluated.
	completedAt time.Time // When that was first found.
	lastChecked time.Time // When that was last found not to be so.
	// awaited are the Images that were there at the start and that have not been evaluated; nil
	// before the first look.
	awaited   map[types.UID]bool
	lastWrite time.Time
	pause     time.Duration // How long to write nothing after lastWrite.

	// supersededSince has the epochs that no shard has any more and that still count, by name in
	// the fence, with the time when that was first seen.
	supersededSince map[string]time.Time
	// pending are the epochs of shards that are not stored with them yet, by shard.
	pending map[string]string
}

// SetupWithManager registers the reconciler with its event sources.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	toAllowlist := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: r.Namespace, Name: allowlist.LabelValue}}}
	})
	isShard := predicate.NewPredicateFuncs(func(obj client.Object) bool {
		_, isShard := allowlist.CountOf(obj.GetName())
		_, isTable := allowlist.TablesOf(obj.GetName())
		return isShard || isTable
	})
	isFence := predicate.NewPredicateFuncs(func(obj client.Object) bool { return obj.GetName() == FenceRole })
	r.Verdicts.Notify() // An empty cluster has an allowlist, too.
	return ctrl.NewControllerManagedBy(mgr).
		Named("allowlist").
		Watches(&corev1.ConfigMap{}, toAllowlist, builder.WithPredicates(isShard)).
		Watches(&rbacv1.Role{}, toAllowlist, builder.WithPredicates(isFence)).
		Watches(&rbacv1.RoleBinding{}, toAllowlist, builder.WithPredicates(isFence)).
		Watches(&assayv1alpha1.TrustPolicy{}, toAllowlist, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Channel(r.Verdicts.Changes(), toAllowlist)).
		Complete(r)
}

// Reconcile writes the shards that differ.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	now := r.Clock.Now()
	if wait := r.lastWrite.Add(r.pause).Sub(now); wait > 0 && wait <= r.pause {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	stored, err := r.storedShards(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.confirmed = false
	// Exported even when writes fail: that is when an alert needs it.
	setTime(validUntilGauge, earliestExpiry(stored))
	if ok, err := r.isComplete(ctx, now); err != nil || !ok {
		return ctrl.Result{RequeueAfter: writeInterval}, cmp.Or(err, r.withdrawSuperseded(ctx, stored, now))
	}
	snapshot, err := r.Trust.Snapshot(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	data := dataOf(stored)
	state := fit(ctx, r.state(snapshot, data, now), data, snapshot)
	shards, err := allowlist.Encode(state, currentCount(stored))
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("encoding the allowlist, which stays as it is: %w", err)
	}
	wrote, size, err := r.store(ctx, stored, shards, now)
	if err == nil {
		// After the shards: an image is listed before a Pod gets its digest.
		wroteTags, tagsSize, failed := r.writeTags(ctx, state, snapshot)
		wrote, size, err = wrote+wroteTags, size+tagsSize, failed
	}
	switch {
	case errors.Is(err, errFenceFirst):
		return ctrl.Result{RequeueAfter: fenceLead}, nil
	case errors.Is(err, errNotLeading):
		logf.FromContext(ctx).Info("Not writing the allowlist: another process leads")
		return ctrl.Result{RequeueAfter: writeInterval}, nil
	}
	if wrote > 0 || err != nil {
		r.lastWrite, r.pause = now, max(writeInterval, time.Duration(size)*time.Second/writeRate)
		writesTotal.Add(float64(wrote))
		// The next run finds what others wrote meanwhile, and removes shards of an earlier set.
		return ctrl.Result{RequeueAfter: r.pause}, ignoreConflict(err)
	}
	entriesGauge.Set(float64(len(state.Images)))
	shardsGauge.Set(float64(len(shards)))
	return ctrl.Result{RequeueAfter: r.nextRun(now)}, nil
}

// nextRun returns when the allowlist is reconciled without any event, zero for never.
func (r *Reconciler) nextRun(now time.Time) time.Duration {
	next := r.TTL / renewals
	for _, wait := range []time.Duration{r.nextWithdrawal(now), r.completedAt.Add(patience).Sub(now)} {
		if wait > 0 && (next == 0 || wait < next) {
			next = wait
		}
	}
	return next
}

// errFenceFirst says that the fence was written, and the shards are not yet.
var errFenceFirst = errors.New("the fence was written first")

// store writes the fence and then, in another run, the shards: an epoch counts before a shard
// has it.
func (r *Reconciler) store(ctx context.Context, stored map[string]*corev1.ConfigMap, shards []allowlist.Shard, now time.Time) (wrote, size int, err error) {
	names, err := r.fenceNames(ctx)
	if err != nil {
		return 0, 0, err
	}
	r.assignEpochs(shards, stored, names)
	if added, err := r.updateFence(ctx, shards, stored, names, now); err != nil || added {
		return 0, 0, cmp.Or(err, errFenceFirst)
	}
	wrote, size, err = r.write(ctx, stored, shards, now)
	if wrote > 0 {
		logf.FromContext(ctx).Info("Wrote allowlist", "shards", len(shards), "writes", wrote, "bytes", size)
	}
	return wrote, size, err
}

// dataOf returns the data of the stored shards, in the order of their names.
func dataOf(stored map[string]*corev1.ConfigMap) []map[string]string {
	data := make([]map[string]string, 0, len(stored))
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		data = append(data, stored[name].Data)
	}
	return data
}

// fit leaves out what the allowlist cannot hold, and tells the metric.
func fit(ctx context.Context, state allowlist.State, stored []map[string]string, snapshot *trust.Snapshot) allowlist.State {
	fitting, images, scopes := allowlist.Fit(state, stored, scopeOf(snapshot))
	droppedGauge.WithLabelValues("image").Set(float64(images))
	droppedGauge.WithLabelValues("scope").Set(float64(scopes))
	if images+scopes > 0 {
		logf.FromContext(ctx).Info("Allowlist is full; verified images or new scopes are left out", "images", images, "scopes", scopes)
	}
	return fitting
}

// scopeOf returns a function for the scope of an image in canonical form, by tag or digest.
func scopeOf(snapshot *trust.Snapshot) func(image string) string {
	return func(image string) string {
		named, err := reference.ParseNamed(image)
		if err != nil {
			return "" // It is in canonical form.
		}
		return snapshot.ScopeFor(named)
	}
}

// isComplete reports whether every Image that was there at the start has been evaluated, completely
// or not. It does not wait for Images that are created later: whoever creates them without end would
// keep the allowlist of the previous process in force. Every verdict triggers the reconciler, and
// listing all Images after each would take longer than evaluating them.
func (r *Reconciler) isComplete(ctx context.Context, now time.Time) (bool, error) {
	if r.complete {
		return true, nil
	}
	if since := now.Sub(r.lastChecked); since >= 0 && since < writeInterval {
		return false, nil
	}
	r.lastChecked = now
	var list imagecache.ImageList
	if err := r.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("listing Images: %w", err)
	}
	awaited := map[types.UID]bool{}
	for i := range list.Items {
		image := &list.Items[i]
		if (r.awaited == nil || r.awaited[image.UID]) && image.DeletionTimestamp.IsZero() && !r.Verdicts.Evaluated(image.Name, image.UID) {
			awaited[image.UID] = true
		}
	}
	r.awaited = awaited
	if len(awaited) == 0 {
		r.complete, r.completedAt = true, now
	}
	return r.complete, nil
}

// state returns the content of the allowlist: the scopes of all policies, each with the
// strictest level that one of its policies sets, and the verified images.
//
// Shortly after a start, images that are stored stay if the verdict on an Image of theirs is
// incomplete: evaluating them may take long.
func (r *Reconciler) state(snapshot *trust.Snapshot, stored []map[string]string, now time.Time) allowlist.State {
	scopes := map[string]allowlist.Level{}
	for _, policy := range snapshot.Policies() {
		for _, scope := range policy.Scopes {
			level := allowlist.Level(policy.Spec.Enforcement)
			if other, ok := scopes[scope.String()]; ok {
				level = allowlist.Stricter(level, other)
			}
			scopes[scope.String()] = level
		}
	}
	hasScope := func(entry string) bool {
		_, ok := scopes[entry]
		return ok
	}
	images := r.Verdicts.Entries(hasScope)
	if since := now.Sub(r.completedAt); since >= 0 && since < patience {
		for _, entry := range r.Verdicts.Pending(hasScope) {
			if allowlist.Contains(stored, entry) {
				images = append(images, entry)
			}
		}
	}
	return allowlist.State{Images: images, Scopes: scopes}
}
