// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package importer fetches the signatures of Images from the stores that hold them: of those that
// discovery made, and of those whose annotation assay.dev/import asks for it.
//
// An Image comes in here (controller.go). What it is due for follows from its status and from what
// this process remembers (schedule.go), which stores are asked from TrustPolicies and
// RegistryConfigs (plan.go, configs.go). The requests are made beside the queue, by host (lanes.go,
// fetch.go). What they bring is set on the Image (apply.go) and stored (write.go).
//
// The package writes signatures, the manifest of an index, status.import and the condition
// Imported, and never a verdict. It removes no signature. Package image writes the verdicts, and
// nothing of the former. Each write is guarded by the resource version, so that neither undoes what
// the other wrote.
package importer

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/eventmemory"
	"github.com/assay-project/assay/internal/imagecache"
)

// +kubebuilder:rbac:groups=image.openshift.io,resources=images,verbs=list;watch;patch
// +kubebuilder:rbac:groups=image.openshift.io,resources=images/status,verbs=patch
// +kubebuilder:rbac:groups=assay.dev,resources=registryconfigs;trustpolicies,verbs=list;watch
// +kubebuilder:rbac:groups="",namespace=assay-system,resources=secrets;configmaps,verbs=list;watch

const (
	// conflictRetry is how long to wait after a write that conflicted with another writer's.
	conflictRetry = 500 * time.Millisecond
	// cacheLag is how long after a write a cache shows the Image as it was before, and maxCacheLag
	// while the API server is away. What was stored then is not asked for again.
	cacheLag    = 10 * time.Second
	maxCacheLag = 10 * time.Minute
	// eventBurst events are emitted at once, and eventsPerSecond in the long run.
	eventBurst      = 100
	eventsPerSecond = 5
	// workers reconcile Images. They wait for no registry.
	workers = 4
)

// Reconciler fetches the signatures of Images.
type Reconciler struct {
	client.Client

	// Planner finds the stores of an image.
	Planner *Planner
	// OriginOf returns a namespace whose workloads refer to an image, empty when none is known.
	// Namespaces take turns, so that none waits for the images of another; nil is one for all.
	// arrival orders the images of a namespace: those with the highest go first in its turns. It
	// orders and decides nothing.
	OriginOf func(reference string) (namespace string, arrival uint64)
	// Read returns a whole Image from the API server, nil if there is none. It is needed where the
	// cache leaves signatures out.
	Read func(ctx context.Context, name string) (*imagecache.Image, error)
	// Recorder emits an event when the result of an import changes.
	Recorder events.EventRecorder
	// Clock returns the present time.
	Clock clock.PassiveClock

	started time.Time
	lanes   lanes
	// events bounds the events: a registry that goes away is the same cause for thousands of
	// Images, and conditions and metrics show all of them.
	events  *rate.Limiter
	emitted eventmemory.Memory
	// storage bounds the writes of large results.
	storage *rate.Limiter

	mu       sync.Mutex
	attempts map[string]*attempt
	results  map[string]*result
	// written is the resource version of the last write, while the cache may be behind it.
	written map[string]writtenImage
	// requeue puts an Image into the queue.
	requeue func(name string)
	// lifetime ends the requests when this process stops to lead.
	lifetime context.Context //nolint:containedctx // Requests outlive the reconciliation that makes them.
}

// SetupWithManager registers the reconciler with its event sources. It needs the indexes of package
// trust.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.storage = newStorage()
	registerMetrics(&r.lanes, r.Planner.Configs.Network)
	return ctrl.NewControllerManagedBy(mgr).
		Named("importer").
		For(&imagecache.Image{}, builder.WithPredicates(fetched())).
		Watches(&assayv1alpha1.RegistryConfig{}, r.onConfigs()).
		Watches(&assayv1alpha1.TrustPolicy{}, r.onPolicies()).
		Watches(&corev1.Secret{}, r.onSources()).
		Watches(&corev1.ConfigMap{}, r.onSources()).
		WatchesRawSource(source.Func(r.Lead)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// fetched passes the Images whose signatures are fetched, and those that were and still say so.
func fetched() predicate.Predicate {
	of := func(obj client.Object) bool {
		image, ok := obj.(*imagecache.Image)
		return ok && (assayv1alpha1.IsImported(&image.Image) || image.Status.Import != nil)
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return of(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return of(e.ObjectOld) || of(e.ObjectNew) },
		DeleteFunc: func(e event.DeleteEvent) bool { return of(e.Object) },
	}
}

// Lead begins to import, until the context ends. Requests that are finished put their Image into
// the queue.
func (r *Reconciler) Lead(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started, r.lifetime, r.events = r.Clock.Now(), ctx, rate.NewLimiter(eventsPerSecond, eventBurst)
	r.requeue = func(name string) {
		queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	}
	return nil
}

// Reconcile stores what the stores have answered about one Image, or has them asked if it is time.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	image := &imagecache.Image{}
	if err := r.Get(ctx, req.NamespacedName, image); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	} else if err != nil || !image.DeletionTimestamp.IsZero() || image.Fault != nil {
		// The signatures that the Image has are unknown then, and cannot be written back.
		r.forget(req.Name)
		return ctrl.Result{}, nil
	}
	if !assayv1alpha1.IsImported(&image.Image) {
		r.forget(req.Name)
		return r.clear(ctx, image)
	}
	if r.isBehind(image) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	if image.Omitted != nil && r.hasResult(req.Name) {
		// What is added is added to all that there are.
		whole, err := r.Read(ctx, req.Name)
		if err != nil || whole == nil || whole.Fault != nil || !whole.DeletionTimestamp.IsZero() {
			return ctrl.Result{}, err // The event of the change comes.
		}
		image = whole
	}
	written, err := r.store(ctx, image)
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	case err != nil:
		return ctrl.Result{}, client.IgnoreNotFound(err)
	case written:
		// The event of the write brings it back.
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	return r.ask(ctx, image)
}

// ask has the stores of an Image asked when it is time, and else waits until then.
func (r *Reconciler) ask(ctx context.Context, image *imagecache.Image) (ctrl.Result, error) {
	p, err := r.Planner.plan(ctx, image)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.mu.Lock()
	last, running := r.attempts[image.Name], r.lifetime
	s := schedule{started: r.started, now: r.Clock.Now()}
	r.mu.Unlock()
	at, urgent, ok := s.due(&image.Image, last, p.id)
	switch {
	case !ok:
		r.settle(image.Name)
		return ctrl.Result{}, nil
	case at.After(s.now):
		low := handler.LowPriority
		return ctrl.Result{RequeueAfter: at.Sub(s.now), Priority: &low}, nil
	}
	next := attempt{uid: image.UID, planID: p.id, recheck: recheckRequest(&image.Image)}
	if last != nil && last.single == p.digest && last.recheck == next.recheck {
		p.wantIndex, next.single = false, p.digest
	}
	j := r.newJob(running, image, p, next)
	j.urgent = urgent
	r.lanes.add(running, p.lane(), j)
	return ctrl.Result{}, nil
}

// Reorder has an Image that waits for its turn take the place that OriginOf gives it now.
func (r *Reconciler) Reorder(name string) {
	r.mu.Lock()
	requeue := r.requeue
	r.mu.Unlock()
	if requeue != nil && r.lanes.isWaiting(name) {
		requeue(name)
	}
}

// newJob returns the job that has the stores of an Image asked.
func (r *Reconciler) newJob(lifetime context.Context, image *imagecache.Image, p *plan, a attempt) *job {
	j := &job{name: image.Name}
	if r.OriginOf != nil {
		j.owner, j.arrival = r.OriginOf(image.DockerImageReference)
	}
	j.run = func(ctx context.Context) {
		started := r.Clock.Now()
		done := fetch(ctx, p)
		if lifetime.Err() != nil {
			return // What broke off says nothing about the stores.
		}
		observeImport(done, r.Clock.Since(started))
		if r.awaitStorage(lifetime, done) != nil {
			return // This process does not lead any longer.
		}
		if done.single {
			a.single = p.digest
		}
		a.at, a.retryAfter = r.Clock.Now(), done.retryAfter
		r.finished(j.name, &a, done)
	}
	j.ended = func() { r.requeue(j.name) }
	return j
}

// finished keeps a result until it is stored. The Image is put into the queue once its job has ended,
// because it can have no other one before.
func (r *Reconciler) finished(name string, a *attempt, done *result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.attempts == nil {
		r.attempts, r.results = map[string]*attempt{}, map[string]*result{}
	}
	r.attempts[name], r.results[name] = a, done
}

// hasResult reports whether a result waits to be stored.
func (r *Reconciler) hasResult(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.results[name] != nil
}

// settle forgets what is remembered of an Image that needs nothing more.
func (r *Reconciler) settle(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.attempts, name)
}

// forget forgets an Image.
func (r *Reconciler) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.attempts, name)
	delete(r.results, name)
	delete(r.written, name)
}

// enqueue puts Images into the queue behind new and changed ones.
func enqueue(q workqueue.TypedRateLimitingInterface[reconcile.Request], name string) {
	request := reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
	low := handler.LowPriority
	if pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		pq.AddWithOpts(priorityqueue.AddOpts{Priority: &low}, request)
		return
	}
	q.Add(request)
}
