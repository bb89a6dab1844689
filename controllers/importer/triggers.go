// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/trust"
)

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// onConfigs enqueues the Images in the scopes that a RegistryConfig has or had.
func (r *Reconciler) onConfigs() handler.EventHandler {
	return onSpecs(func(ctx context.Context, q requestQueue, objects ...client.Object) {
		r.Planner.Configs.Invalidate()
		for _, obj := range objects {
			if config, ok := obj.(*assayv1alpha1.RegistryConfig); ok {
				r.enqueueConfig(ctx, q, config)
			}
		}
	})
}

// onPolicies enqueues the Images in the scopes that a TrustPolicy has or had: it allows to contact
// their registries.
func (r *Reconciler) onPolicies() handler.EventHandler {
	return onSpecs(func(ctx context.Context, q requestQueue, objects ...client.Object) {
		r.Planner.Trust.Invalidate()
		for _, obj := range objects {
			if policy, ok := obj.(*assayv1alpha1.TrustPolicy); ok {
				for _, scope := range policy.Spec.Scopes {
					r.enqueueScope(ctx, q, string(scope))
				}
			}
		}
	})
}

// onSpecs calls changed with the states that an object had and has, unless only its status differs.
func onSpecs(changed func(context.Context, requestQueue, ...client.Object)) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requestQueue) { changed(ctx, q, e.Object) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) { changed(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || e.ObjectOld.GetUID() != e.ObjectNew.GetUID() {
				changed(ctx, q, e.ObjectOld, e.ObjectNew)
			}
		},
	}
}

// onSources enqueues the Images of the RegistryConfigs that name a Secret or ConfigMap.
func (r *Reconciler) onSources() handler.EventHandler {
	changed := func(ctx context.Context, q requestQueue, obj client.Object) {
		var list assayv1alpha1.RegistryConfigList
		if err := r.List(ctx, &list); err != nil {
			logf.FromContext(ctx).Error(err, "Cannot list RegistryConfigs")
			return
		}
		for i := range list.Items {
			if Names(&list.Items[i], obj) {
				r.Planner.Configs.Invalidate()
				r.enqueueConfig(ctx, q, &list.Items[i])
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requestQueue) { changed(ctx, q, e.Object) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) { changed(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) {
			if e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion() {
				changed(ctx, q, e.ObjectNew)
			}
		},
	}
}

// Names reports whether a RegistryConfig names a Secret or ConfigMap.
func Names(config *assayv1alpha1.RegistryConfig, obj client.Object) bool {
	switch obj.(type) {
	case *corev1.Secret:
		return config.Spec.Credentials != nil && config.Spec.Credentials.SecretRef.Name == obj.GetName()
	case *corev1.ConfigMap:
		return config.Spec.CertificateAuthorities != nil && config.Spec.CertificateAuthorities.ConfigMapRef.Name == obj.GetName()
	}
	return false
}

func (r *Reconciler) enqueueConfig(ctx context.Context, q requestQueue, config *assayv1alpha1.RegistryConfig) {
	for _, scope := range config.Spec.Scopes {
		r.enqueueScope(ctx, q, string(scope))
	}
}

// enqueueScope enqueues the Images of a scope that are not verified.
func (r *Reconciler) enqueueScope(ctx context.Context, q requestQueue, text string) {
	scope, err := imageref.CanonicalScope(text)
	if err != nil {
		return
	}
	var list imagecache.ImageList
	if err := r.List(ctx, &list, client.MatchingFields{trust.ScopeIndex: scope.String()}, client.UnsafeDisableDeepCopy); err != nil {
		logf.FromContext(ctx).Error(err, "Cannot find the Images of a scope", "scope", scope.String())
		return
	}
	for i := range list.Items {
		if image := &list.Items[i].Image; assayv1alpha1.IsImported(image) && image.Status.Verified != metav1.ConditionTrue {
			enqueue(q, image.Name)
		}
	}
}

// lane is the host that a plan is about: the one whose answers take longest to come if it fails.
func (p *plan) lane() string {
	if p.err != nil || p.config == nil {
		return ""
	}
	if hosts := p.config.spec.Lookaside; hosts != "" && !p.asksRegistry() {
		return string(hosts)
	}
	if len(p.endpoints) > 0 {
		return p.endpoints[0].host()
	}
	return ""
}
