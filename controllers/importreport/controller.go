// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package importreport stores how discovery and import stand, for `assay status`: the hosts that
// rest or fail, the Images that wait (pending.go), and what discovery counts. It is one ConfigMap in
// the operator's namespace, because hosts need not belong to a RegistryConfig.
//
// The ConfigMap is written when something changes, and not more than once in three seconds. What a
// leader before this one has met with stands until this one knows better, so that a restart at rest
// writes nothing.
package importreport

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/importstatus"
	"github.com/assay-project/assay/internal/registry"
)

const (
	// delay is how long a report waits for further changes.
	delay = 3 * time.Second
	// remembered is how long after its rest a host of an earlier process is reported: a host that
	// Images need is asked again within an hour or so.
	remembered = 2 * time.Hour
)

// labels are on the ConfigMap.
var labels = map[string]string{
	"app.kubernetes.io/name":       "assay",
	"app.kubernetes.io/managed-by": "assay",
	allowlist.Label:                importstatus.LabelValue,
}

// Discovery is what discovery counts.
type Discovery interface {
	// Report returns how discovery stands, nil before that is known.
	Report() *importstatus.Discovery
}

// Reconciler writes the ConfigMap.
type Reconciler struct {
	client.Client

	// Namespace is the operator's own.
	Namespace string
	// Network knows the hosts.
	Network *registry.Network
	// Discovery counts references.
	Discovery Discovery
	// Clock returns the present time.
	Clock clock.PassiveClock

	changes chan event.GenericEvent
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// New returns a reconciler, whose Notify can be called at once.
func New(c client.Client, namespace string, network *registry.Network, discovery Discovery, now clock.PassiveClock) *Reconciler {
	return &Reconciler{
		Client: c, Namespace: namespace, Network: network, Discovery: discovery, Clock: now,
		changes: make(chan event.GenericEvent, 1),
	}
}

// Notify causes a report. It does not wait: a report that has not begun sees this change as well.
func (r *Reconciler) Notify() {
	select {
	case r.changes <- event.GenericEvent{Object: &corev1.ConfigMap{}}:
	default:
	}
}

// SetupWithManager registers the reconciler with its event sources.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	own := func(obj client.Object) bool {
		return obj.GetName() == importstatus.Name && obj.GetNamespace() == r.Namespace
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("importreport").
		Watches(&imagecache.Image{}, r.onImages()).
		Watches(&corev1.ConfigMap{}, handler.Funcs{
			UpdateFunc: func(_ context.Context, e event.UpdateEvent, q requestQueue) {
				if own(e.ObjectNew) {
					r.enqueue(q)
				}
			},
			DeleteFunc: func(_ context.Context, e event.DeleteEvent, q requestQueue) {
				if own(e.Object) {
					r.enqueue(q)
				}
			},
		}).
		WatchesRawSource(source.Channel(r.changes, handler.Funcs{
			GenericFunc: func(_ context.Context, _ event.GenericEvent, q requestQueue) { r.enqueue(q) },
		})).
		Complete(r)
}

func (r *Reconciler) enqueue(q requestQueue) {
	q.AddAfter(reconcile.Request{NamespacedName: r.key()}, delay)
}

func (r *Reconciler) key() client.ObjectKey {
	return client.ObjectKey{Namespace: r.Namespace, Name: importstatus.Name}
}

// Reconcile writes the ConfigMap if it differs.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	stored := &corev1.ConfigMap{}
	err := r.Get(ctx, r.key(), stored)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	exists := err == nil
	before := &importstatus.Status{}
	if exists {
		if before, err = importstatus.Decode(stored.Data); err != nil {
			logf.FromContext(ctx).Error(err, "Cannot read the status of imports; it is written anew")
			before = &importstatus.Status{}
		}
	}
	status, err := r.status(ctx, before)
	if err != nil {
		return ctrl.Result{}, err
	}
	data, err := importstatus.Encode(status)
	if err != nil {
		return ctrl.Result{}, err
	}
	next := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: importstatus.Name, Labels: labels}, Data: data,
	}
	switch {
	case !exists && status.IsZero():
		return ctrl.Result{}, nil
	case !exists:
		err = r.Create(ctx, next)
	case maps.Equal(stored.Data, data) && maps.Equal(stored.Labels, labels) && len(stored.BinaryData) == 0:
		return ctrl.Result{}, nil
	default:
		next.ResourceVersion = stored.ResourceVersion
		err = r.Update(ctx, next)
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return ctrl.Result{RequeueAfter: delay}, nil // The cache is behind.
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("storing the status of imports: %w", err)
	}
	return ctrl.Result{}, nil
}

// status returns what is known now, and of what is not known yet what was known before.
func (r *Reconciler) status(ctx context.Context, before *importstatus.Status) (*importstatus.Status, error) {
	pending, err := r.pending(ctx)
	if err != nil {
		return nil, err
	}
	status := &importstatus.Status{Hosts: []importstatus.Host{}, Pending: *pending, Discovery: r.Discovery.Report()}
	if status.Discovery == nil {
		status.Discovery = before.Discovery
	}
	known := map[string]bool{}
	for _, h := range r.Network.Troubled() {
		known[h.Host] = true
		status.Hosts = append(status.Hosts, hostOf(&h))
	}
	for i := range before.Hosts {
		h := &before.Hosts[i]
		if !known[h.Host] && r.Network.Outcome(h.Host).Time.IsZero() && r.Clock.Now().Before(lastSeen(h).Add(remembered)) {
			status.Hosts = append(status.Hosts, *h)
		}
	}
	sortHosts(status.Hosts)
	return status, nil
}

func lastSeen(h *importstatus.Host) time.Time {
	if h.Until != nil {
		return h.Until.Time
	}
	return h.Since.Time
}

// hostOf is what is stored of a host. Times have full seconds, as they have when they are read.
func hostOf(h *registry.HostState) importstatus.Host {
	host := importstatus.Host{
		Host: h.Host, Reason: reasonOf(h.Err.Code), Message: h.Err.Detail, Since: metav1.NewTime(h.Since.Truncate(time.Second)),
	}
	if !h.Until.IsZero() {
		until := metav1.NewTime(h.Until.Truncate(time.Second))
		host.Until = &until
	}
	return host
}

func reasonOf(code registry.Code) string {
	switch code {
	case registry.Unauthorized:
		return assayv1alpha1.ReasonUnauthorized
	case registry.RateLimited:
		return assayv1alpha1.ReasonRateLimited
	case registry.TLSError:
		return assayv1alpha1.ReasonTLSError
	case registry.HostNotAllowed:
		return assayv1alpha1.ReasonHostNotAllowed
	default:
		return assayv1alpha1.ReasonUnavailable
	}
}
