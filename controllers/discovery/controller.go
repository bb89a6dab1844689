// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package discovery makes Images for what workloads refer to, in the scopes of TrustPolicies: a
// policy alone makes the images of its scopes appear.
//
// The cluster's references are reconciled as one object. Each run gathers what workloads refer to
// and which Images there are (gather.go), decides what to do (plan.go, a pure function) and does
// it (apply.go). A run with everything in its place writes nothing and asks no registry.
package discovery

import (
	"context"
	"sync/atomic"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/types"
	toolsevents "k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/eventmemory"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/importstatus"
	"github.com/assay-project/assay/internal/references"
	"github.com/assay-project/assay/internal/trust"
)

// +kubebuilder:rbac:groups="",resources=namespaces;pods;replicationcontrollers,verbs=list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments;replicasets;statefulsets;daemonsets,verbs=list;watch
// +kubebuilder:rbac:groups=batch,resources=jobs;cronjobs,verbs=list;watch
// +kubebuilder:rbac:groups=image.openshift.io,resources=images,verbs=list;watch;create;delete
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/status,verbs=patch
// The permission to mark Images as discovered, which config/admission checks.
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/verdict,verbs=update

const (
	// minPause is the shortest time between two runs, and loadFactor how much longer than a run
	// the pause behind it is, so that a busy cluster costs a part of one processor.
	minPause   = 20 * time.Millisecond
	maxPause   = 2 * time.Second
	loadFactor = 4

	// syncRetry is how long to wait for the first lists.
	syncRetry = 100 * time.Millisecond
)

// request is the one object of the controller.
var request = reconcile.Request{NamespacedName: types.NamespacedName{Name: "references"}}

// Reconciler makes Images for what workloads refer to, and deletes those that are not used.
type Reconciler struct {
	client.Client

	// References are those of all workloads.
	References *references.Watcher
	// Trust holds the policies, in whose scopes Images are made.
	Trust *trust.Store
	// Resolver looks up tags; without it, references by tag are left alone.
	Resolver Resolver
	// Recorder emits an event when a namespace has too many references.
	Recorder toolsevents.EventRecorder
	// Clock returns the present time.
	Clock clock.PassiveClock
	// Retention is how long an Image is kept that no workload uses.
	Retention time.Duration

	// Moved is called with the name of an Image when a namespace has begun to refer to it, and OriginOf
	// returns that; nil is not called. It must not wait.
	Moved func(name string)
	// Reports is called when Report returns something else; nil is not called. It must not wait.
	Reports func()

	report  atomic.Pointer[importstatus.Discovery]
	images  *images
	tags    *tags
	origins atomic.Pointer[map[string]origin]
	changes chan event.GenericEvent

	// What follows belongs to Reconcile, of which one runs at a time.

	firstRun   time.Time
	lastRun    time.Time
	pause      time.Duration
	parsed     map[unique.Handle[string]]*parsedReference
	unusedFrom map[string]time.Time
	charges    map[string]charge
	retries    map[string]retry
	reported   map[string]bool // namespaces with an excess
	emitted    eventmemory.Memory
	newest     uint64 // arrival of an origin
}

// SetupWithManager registers the reconciler with its event sources, and runs them in the leader.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.images = newImages()
	r.changes = make(chan event.GenericEvent, 1)
	r.tags = newTags(r.Resolver, r.Clock, r.notify)
	r.parsed = map[unique.Handle[string]]*parsedReference{}
	r.retries, r.reported = map[string]retry{}, map[string]bool{}
	for _, run := range []func(context.Context) error{r.watch, r.tags.run} {
		if err := mgr.Add(manager.RunnableFunc(run)); err != nil {
			return err
		}
	}
	toOne := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{request}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("discovery").
		Watches(&imagecache.Image{}, r.onImages()).
		Watches(&assayv1alpha1.TrustPolicy{}, r.onPolicies(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Channel(r.changes, toOne)).
		Complete(r)
}

// watch follows the workloads until ctx ends.
func (r *Reconciler) watch(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.References.Run(ctx)
	}()
	for {
		select {
		case <-r.References.Changes():
			r.notify()
		case <-ctx.Done():
			<-done
			return nil
		}
	}
}

// notify causes a run. It does not wait: a run that has not begun sees this change as well.
func (r *Reconciler) notify() {
	select {
	case r.changes <- event.GenericEvent{Object: &imagev1.Image{}}:
	default:
	}
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// onImages keeps the facts about Images.
func (r *Reconciler) onImages() handler.EventHandler {
	put := func(obj client.Object, q requestQueue) {
		if image, ok := obj.(*imagecache.Image); ok && r.images.put(image) {
			q.Add(request)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q requestQueue) { put(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q requestQueue) { put(e.ObjectNew, q) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q requestQueue) {
			r.images.forget(e.Object.GetName())
			q.Add(request)
		},
	}
}

// onPolicies has the policies read anew before the run that a change causes.
func (r *Reconciler) onPolicies() handler.EventHandler {
	changed := func(q requestQueue) {
		r.Trust.Invalidate()
		q.Add(request)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q requestQueue) { changed(q) },
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q requestQueue) { changed(q) },
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q requestQueue) { changed(q) },
	}
}

// Reconcile does the next things of the plan, and runs again until there are none.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	started := r.Clock.Now()
	if wait := r.lastRun.Add(r.pause).Sub(started); wait > 0 && wait <= maxPause {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	r.exportSources()
	if !r.References.NamespacesSynced() {
		return ctrl.Result{RequeueAfter: syncRetry}, nil
	}
	in, err := r.gather(ctx, started)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.images.mu.Lock()
	p := decide(in)
	r.images.mu.Unlock()
	took := r.Clock.Since(started)
	r.unusedFrom, r.charges = p.unusedFrom, p.charges
	r.moveOrigins(p.origins)
	p.counts.export()
	r.reportExcess(p)
	r.updateReport(in, p)
	wait := soonest(p.wait, r.tags.lookUp(p.lookUp))
	left, retryIn := r.apply(ctx, p)
	r.lastRun, r.pause = r.Clock.Now(), min(max(loadFactor*took, minPause), maxPause)
	if left {
		return ctrl.Result{RequeueAfter: r.pause}, nil
	}
	return ctrl.Result{RequeueAfter: soonest(wait, retryIn)}, nil
}

// OriginOf returns a namespace whose workloads refer to an image that is not verified, by the reference
// of its Image: the one that has the fewest such images, empty when none is known. arrival orders the
// images of a namespace by when it began to refer to them; it is zero for since the start. A restart
// forgets it.
func (r *Reconciler) OriginOf(reference string) (namespace string, arrival uint64) {
	if origins := r.origins.Load(); origins != nil {
		from := (*origins)[reference]
		return from.namespace, from.arrival
	}
	return "", 0
}

// soonest returns the shorter of two times, of which zero stands for never.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

func (r *Reconciler) exportSources() {
	for resource, synced := range r.References.Synced() {
		value := 0.0
		if synced {
			value = 1
		}
		syncedGauge.WithLabelValues(resource).Set(value)
	}
	dropped := 0
	for _, n := range r.References.Stats().Dropped {
		dropped += n
	}
	droppedGauge.Set(float64(dropped))
}
