// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imageref"
)

// Enqueuer enqueues the Images that a change of policies or keys can affect. It invalidates
// the Store first, so that the next reconciler sees the change. It needs the indexes of
// RegisterIndexes.
type Enqueuer struct {
	Client client.Reader
	Store  *Store
	// Delay is how long the Images wait.
	Delay time.Duration
	// Priority returns the priority of an Image; nil is handler.LowPriority for all.
	Priority func(image *imagecache.Image) int
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// OnPolicies enqueues the Images in the scopes that a policy has or had. A change of the keys
// that it lists as revoked can affect the Images of any policy.
func (e *Enqueuer) OnPolicies() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, ev event.CreateEvent, q requestQueue) {
			e.policyChanged(ctx, q, nil, ev.Object)
		},
		UpdateFunc: func(ctx context.Context, ev event.UpdateEvent, q requestQueue) {
			// Status writes leave the generation as it is, and change no verdict.
			if ev.ObjectOld.GetGeneration() != ev.ObjectNew.GetGeneration() || ev.ObjectOld.GetUID() != ev.ObjectNew.GetUID() {
				e.policyChanged(ctx, q, ev.ObjectOld, ev.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, ev event.DeleteEvent, q requestQueue) {
			e.policyChanged(ctx, q, ev.Object, nil)
		},
	}
}

// OnKeySources enqueues the Images of the policies that read keys from an object.
func (e *Enqueuer) OnKeySources(kind string) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, ev event.CreateEvent, q requestQueue) {
			e.keySourceChanged(ctx, q, kind, ev.Object)
		},
		UpdateFunc: func(ctx context.Context, ev event.UpdateEvent, q requestQueue) {
			if ev.ObjectOld.GetResourceVersion() != ev.ObjectNew.GetResourceVersion() {
				e.keySourceChanged(ctx, q, kind, ev.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, ev event.DeleteEvent, q requestQueue) {
			e.keySourceChanged(ctx, q, kind, ev.Object)
		},
	}
}

// policyChanged enqueues what a policy that was before, is now, or both, can affect.
func (e *Enqueuer) policyChanged(ctx context.Context, q requestQueue, before, after client.Object) {
	e.Store.Invalidate()
	if slices.Equal(specOf(before).RevokedKeys, specOf(after).RevokedKeys) {
		e.enqueueScopes(ctx, q, specOf(before).Scopes, specOf(after).Scopes)
		return
	}
	if err := e.enqueueImages(ctx, q); err != nil {
		logf.FromContext(ctx).Error(err, "Cannot list Images")
	}
}

// specOf returns the spec of a policy, an empty one for none.
func specOf(obj client.Object) *assayv1alpha1.TrustPolicySpec {
	if policy, ok := obj.(*assayv1alpha1.TrustPolicy); ok && policy != nil {
		return &policy.Spec
	}
	return &assayv1alpha1.TrustPolicySpec{}
}

func (e *Enqueuer) keySourceChanged(ctx context.Context, q requestQueue, kind string, obj client.Object) {
	policies, err := PoliciesReading(ctx, e.Client, kind, obj.GetName())
	if err != nil {
		e.Store.Invalidate()
		logf.FromContext(ctx).Error(err, "Cannot find the TrustPolicies that read a key source", "kind", kind, "name", obj.GetName())
		return
	}
	// A policy that does not name the object yet causes an event of its own when it does.
	if len(policies) == 0 {
		return
	}
	e.Store.Invalidate()
	scopes := make([][]assayv1alpha1.Scope, len(policies))
	for i := range policies {
		scopes[i] = policies[i].Spec.Scopes
	}
	e.enqueueScopes(ctx, q, scopes...)
}

// enqueueScopes enqueues the Images in any of the scopes.
func (e *Enqueuer) enqueueScopes(ctx context.Context, q requestQueue, lists ...[]assayv1alpha1.Scope) {
	scopes := map[string]struct{}{}
	for _, text := range slices.Concat(lists...) {
		if scope, err := imageref.CanonicalScope(string(text)); err == nil {
			scopes[scope.String()] = struct{}{}
		}
	}
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		if err := e.enqueueImages(ctx, q, client.MatchingFields{ScopeIndex: scope}); err != nil {
			logf.FromContext(ctx).Error(err, "Cannot find the Images of a scope", "scope", scope)
		}
	}
}

// enqueueImages enqueues the Images that the options select.
func (e *Enqueuer) enqueueImages(ctx context.Context, q requestQueue, options ...client.ListOption) error {
	var list imagecache.ImageList
	if err := e.Client.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		return err
	}
	for i := range list.Items {
		request := ctrl.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}}
		if pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
			priority := handler.LowPriority
			if e.Priority != nil {
				priority = e.Priority(&list.Items[i])
			}
			pq.AddWithOpts(priorityqueue.AddOpts{Priority: &priority, After: e.Delay}, request)
		} else {
			q.Add(request)
		}
	}
	return nil
}
