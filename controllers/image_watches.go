// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imageref"
)

const (
	// scopeIndex finds the Images that a scope covers: each is indexed under the scopes of
	// its reference, which are as many as the reference is deep.
	scopeIndex = "assay.dev/scopes"
	// appliedPolicyIndex finds the Images that a TrustPolicy was applied to.
	appliedPolicyIndex = "assay.dev/policies"
	// keySourceIndex finds the TrustPolicies that read a Secret or ConfigMap.
	keySourceIndex = "assay.dev/key-sources"

	secretKind    = "Secret"
	configMapKind = "ConfigMap"
)

// registerIndexes registers the indexes by which a change finds what it affects.
func registerIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}{
		{&imagecache.Image{}, scopeIndex, scopesOfImage},
		{&imagecache.Image{}, appliedPolicyIndex, policiesOfImage},
		{&assayv1alpha1.TrustPolicy{}, keySourceIndex, keySourcesOfPolicy},
	} {
		if err := indexer.IndexField(ctx, index.object, index.name, index.values); err != nil {
			return fmt.Errorf("registering index %s: %w", index.name, err)
		}
	}
	return nil
}

func scopesOfImage(obj client.Object) []string {
	image, ok := obj.(*imagecache.Image)
	if !ok {
		return nil
	}
	ref, err := imageref.ParseImage(image.DockerImageReference)
	if err != nil {
		return nil
	}
	return imageref.ScopesOf(ref)
}

func policiesOfImage(obj client.Object) []string {
	applied := appliedPolicies(obj)
	names := make([]string, len(applied))
	for i := range applied {
		names[i] = applied[i].Name
	}
	return names
}

// keySourcesOfPolicy names the objects that a policy reads keys from.
func keySourcesOfPolicy(obj client.Object) []string {
	policy, ok := obj.(*assayv1alpha1.TrustPolicy)
	if !ok {
		return nil
	}
	var sources []string
	for _, key := range policy.Spec.Keys {
		if key.SecretRef != nil {
			sources = append(sources, sourceName(secretKind, key.SecretRef.Name, ""))
		}
		if key.ConfigMapRef != nil {
			sources = append(sources, sourceName(configMapKind, key.ConfigMapRef.Name, ""))
		}
	}
	return sources
}

// imageChanged lets through what may change a verdict or needs mending: everything but
// changes to other metadata. The reconciler's own writes pass as well and find nothing to do.
func imageChanged() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, statusChanged())
}

// statusChanged lets updates through whose status differs: status does not count for the
// generation, and one that somebody else wrote is to be put right.
func statusChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*imagecache.Image)
		after, ok2 := e.ObjectNew.(*imagecache.Image)
		return !ok || !ok2 || !equality.Semantic.DeepEqual(before.Status, after.Status)
	}}
}

// imageWaker enqueues the Images that a change of policies or keys can affect. It tells
// the TrustStore of the change first, so that whoever reconciles next sees it.
type imageWaker struct {
	client client.Reader
	trust  *TrustStore
	// delay is how long the images wait.
	delay time.Duration
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// onPolicies wakes the images in the scopes that a policy has or had.
func (w *imageWaker) onPolicies() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requestQueue) {
			w.policyChanged(ctx, q, e.Object)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) {
			// Status writes leave the generation as it is, and change no verdict.
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || e.ObjectOld.GetUID() != e.ObjectNew.GetUID() {
				w.policyChanged(ctx, q, e.ObjectOld, e.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) {
			w.policyChanged(ctx, q, e.Object)
		},
	}
}

// onKeySources wakes the images of the policies that read keys from an object.
func (w *imageWaker) onKeySources(kind string) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requestQueue) {
			w.keySourceChanged(ctx, q, kind, e.Object)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) {
			if e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion() {
				w.keySourceChanged(ctx, q, kind, e.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) {
			w.keySourceChanged(ctx, q, kind, e.Object)
		},
	}
}

func (w *imageWaker) keySourceChanged(ctx context.Context, q requestQueue, kind string, obj client.Object) {
	policies, err := policiesReading(ctx, w.client, kind, obj.GetName())
	if err != nil {
		w.trust.Changed()
		logf.FromContext(ctx).Error(err, "Cannot find the TrustPolicies that read a key source", "kind", kind, "name", obj.GetName())
		return
	}
	// A policy that does not name the object yet says so itself when it does.
	if len(policies) > 0 {
		w.policyChanged(ctx, q, policies...)
	}
}

// policiesReading returns the TrustPolicies that read keys from a Secret or ConfigMap.
func policiesReading(ctx context.Context, reader client.Reader, kind, name string) ([]client.Object, error) {
	var list assayv1alpha1.TrustPolicyList
	if err := reader.List(ctx, &list, client.MatchingFields{keySourceIndex: sourceName(kind, name, "")}); err != nil {
		return nil, err
	}
	policies := make([]client.Object, len(list.Items))
	for i := range list.Items {
		policies[i] = &list.Items[i]
	}
	return policies, nil
}

func (w *imageWaker) policyChanged(ctx context.Context, q requestQueue, policies ...client.Object) {
	w.trust.Changed()
	scopes := map[string]struct{}{}
	for _, obj := range policies {
		if policy, ok := obj.(*assayv1alpha1.TrustPolicy); ok {
			for _, text := range policy.Spec.Scopes {
				if scope, err := imageref.ParseScope(text); err == nil {
					scopes[scope.String()] = struct{}{}
				}
			}
		}
	}
	for _, scope := range sortedKeys(scopes) {
		if err := w.enqueueScope(ctx, q, scope); err != nil {
			logf.FromContext(ctx).Error(err, "Cannot find the Images of a scope", "scope", scope)
		}
	}
}

// bulkDelay is how long the images that a change of trust affects wait for their turn. The
// controller that only decides has most of them done by then, and admission goes by that;
// writing thousands of verdicts would take the processors from it.
const bulkDelay = time.Second

// enqueueScope enqueues the images that a scope covers, behind new and changed ones.
func (w *imageWaker) enqueueScope(ctx context.Context, q requestQueue, scope string) error {
	var list imagecache.ImageList
	if err := w.client.List(ctx, &list, client.MatchingFields{scopeIndex: scope}, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	low := handler.LowPriority
	for i := range list.Items {
		request := ctrl.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}}
		if pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
			pq.AddWithOpts(priorityqueue.AddOpts{Priority: &low, After: w.delay}, request)
		} else {
			q.Add(request)
		}
	}
	return nil
}
