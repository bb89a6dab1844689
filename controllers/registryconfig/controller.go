// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package registryconfig reports in the status of RegistryConfigs on their hosts (status.go), and
// counts the Images whose signatures are fetched by them (counts.go). It contacts no host: it goes
// by what the requests of package importer met with.
package registryconfig

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
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/importer"
	"github.com/assay-project/assay/internal/eventmemory"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/objectcache"
)

// +kubebuilder:rbac:groups=assay.dev,resources=registryconfigs/status,verbs=patch

const (
	// conflictRetry is how long to wait after a write that conflicted with another writer's.
	conflictRetry = 500 * time.Millisecond
	// statusDelay is how long a status waits for more Images, so that thousands of them cost one
	// write every few seconds.
	statusDelay = 3 * time.Second
)

// Reconciler writes the status of RegistryConfigs.
type Reconciler struct {
	client.Client

	// Configs are the RegistryConfigs, ready for use.
	Configs *importer.Configs
	// Recorder emits an event when the state of the hosts changes.
	Recorder events.EventRecorder
	// Clock returns the present time.
	Clock clock.PassiveClock

	// hosts has an element when what a host answers has changed.
	hosts   chan event.GenericEvent
	emitted eventmemory.Memory
}

// New returns a reconciler, whose Notify can be called at once.
func New(c client.Client, configs *importer.Configs, recorder events.EventRecorder, now clock.PassiveClock) *Reconciler {
	return &Reconciler{Client: c, Configs: configs, Recorder: recorder, Clock: now, hosts: make(chan event.GenericEvent, 1)}
}

// Notify has the status of all RegistryConfigs compared with how their hosts are. It does not wait: a
// comparison that has not begun sees this change as well.
func (r *Reconciler) Notify() {
	select {
	case r.hosts <- event.GenericEvent{Object: &assayv1alpha1.RegistryConfig{}}:
	default:
	}
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetupWithManager registers the reconciler with its event sources.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("registryconfig").
		For(&assayv1alpha1.RegistryConfig{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.naming)).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.naming)).
		Watches(&imagecache.Image{}, r.onImports()).
		// One that becomes valid or is deleted may free a scope for another.
		Watches(&assayv1alpha1.RegistryConfig{}, handler.EnqueueRequestsFromMapFunc(r.all)).
		WatchesRawSource(source.Channel(r.hosts, handler.Funcs{
			GenericFunc: func(ctx context.Context, _ event.GenericEvent, q requestQueue) {
				for _, request := range r.requests(ctx, every) {
					q.AddAfter(request, statusDelay)
				}
			},
		})).
		Complete(r)
}

// every is the choice of all RegistryConfigs.
func every(*assayv1alpha1.RegistryConfig) bool { return true }

// naming maps a Secret or ConfigMap to the RegistryConfigs that name it.
func (r *Reconciler) naming(ctx context.Context, obj client.Object) []reconcile.Request {
	r.Configs.Invalidate()
	return r.requests(ctx, func(config *assayv1alpha1.RegistryConfig) bool { return importer.Names(config, obj) })
}

// all maps to every RegistryConfig.
func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	r.Configs.Invalidate()
	return r.requests(ctx, every)
}

func (r *Reconciler) requests(ctx context.Context, wanted func(*assayv1alpha1.RegistryConfig) bool) []reconcile.Request {
	var list assayv1alpha1.RegistryConfigList
	if err := r.List(ctx, &list); err != nil {
		logf.FromContext(ctx).Error(err, "Cannot list RegistryConfigs")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if wanted(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
		}
	}
	return requests
}

// onImports enqueues, with a delay, the RegistryConfig by which the signatures of an Image are
// fetched, when what came of it changes.
func (r *Reconciler) onImports() handler.EventHandler {
	changed := func(ctx context.Context, q requestQueue, before, after client.Object) {
		if resultOf(before) == resultOf(after) {
			return
		}
		snapshot, err := r.Configs.Snapshot(ctx)
		if err != nil {
			logf.FromContext(ctx).Error(err, "Cannot read RegistryConfigs")
			return
		}
		for _, obj := range []client.Object{before, after} {
			if name := configOf(snapshot, obj); name != "" {
				q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, statusDelay)
				return
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requestQueue) { changed(ctx, q, nil, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) {
			changed(ctx, q, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) { changed(ctx, q, e.Object, nil) },
	}
}

// Reconcile writes the status of one RegistryConfig where it differs.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var stored assayv1alpha1.RegistryConfig
	if err := r.Get(ctx, req.NamespacedName, &stored); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !stored.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	snapshot, err := r.Configs.Snapshot(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	config := snapshot.ByName(stored.Name)
	if config == nil {
		// The event has come here before it came to the handler that invalidates the snapshot.
		r.Configs.Invalidate()
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	object := stored.DeepCopy()
	now := metav1.NewTime(r.Clock.Now().Truncate(time.Second))
	applyStatus(object, config, now)
	if object.Status.Images, err = r.count(ctx, snapshot, stored.Name); err != nil {
		return ctrl.Result{}, err
	}
	if equality.Semantic.DeepEqual(stored.Status, object.Status) {
		return ctrl.Result{}, nil
	}
	if err := objectcache.PatchStatus(ctx, r.Client, &stored, object); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: conflictRetry}, nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(fmt.Errorf("writing status: %w", err))
	}
	r.recordTransition(ctx, &stored, object)
	return ctrl.Result{}, nil
}

// recordTransition emits an event when the state of the hosts changes. One for the same reason is not
// repeated while it is still there: hosts may come and go.
func (r *Reconciler) recordTransition(ctx context.Context, before, after *assayv1alpha1.RegistryConfig) {
	was := meta.FindStatusCondition(before.Status.Conditions, assayv1alpha1.ReadyCondition)
	is := meta.FindStatusCondition(after.Status.Conditions, assayv1alpha1.ReadyCondition)
	if was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return
	}
	logf.FromContext(ctx).Info("Registry changed", "ready", is.Status, "reason", is.Reason)
	eventType := corev1.EventTypeNormal
	if is.Status == metav1.ConditionFalse {
		eventType = corev1.EventTypeWarning
	}
	now := r.Clock.Now()
	if r.emitted.Seen(string(after.UID), is.Reason, now) {
		return
	}
	r.emitted.Add(string(after.UID), is.Reason, now)
	r.Recorder.Eventf(after, nil, eventType, is.Reason, "Contact", "%s", is.Message)
}
