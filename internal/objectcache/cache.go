// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package objectcache

import (
	"context"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// NewClient returns a client for the API group assay.dev that asks for JSON. The HTTP client is that
// of a manager; nil makes one.
func NewClient(config *rest.Config, httpClient *http.Client) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.APIPath = "/apis"
	config.GroupVersion = &assayv1alpha1.GroupVersion
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	// It reads nothing but refusals, which are of the kind Status.
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	if config.UserAgent == "" {
		config.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	if httpClient == nil {
		return rest.RESTClientFor(config)
	}
	return rest.RESTClientForConfigAndClient(config, httpClient)
}

// TrustPolicies returns a ListerWatcher of TrustPolicies, by a client of NewClient.
func TrustPolicies(c rest.Interface) *ListerWatcher[*assayv1alpha1.TrustPolicy] {
	return NewListerWatcher(c, "trustpolicies", func() *assayv1alpha1.TrustPolicy { return &assayv1alpha1.TrustPolicy{} })
}

// RegistryConfigs returns a ListerWatcher of RegistryConfigs, by a client of NewClient.
func RegistryConfigs(c rest.Interface) *ListerWatcher[*assayv1alpha1.RegistryConfig] {
	return NewListerWatcher(c, "registryconfigs", func() *assayv1alpha1.RegistryConfig { return &assayv1alpha1.RegistryConfig{} })
}

// Over returns a cache.NewCacheFunc that lists and watches the kinds of this package in its own way,
// and leaves all others to next.
func Over(next cache.NewCacheFunc) cache.NewCacheFunc {
	return func(config *rest.Config, opts cache.Options) (cache.Cache, error) {
		c, err := NewClient(config, opts.HTTPClient)
		if err != nil {
			return nil, fmt.Errorf("a client for TrustPolicies: %w", err)
		}
		newInformer := opts.NewInformer
		if newInformer == nil {
			newInformer = toolscache.NewSharedIndexInformer
		}
		// This is the only place where controller-runtime lets go of how it lists and watches.
		opts.NewInformer = func(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
			switch obj.(type) {
			case *assayv1alpha1.TrustPolicy:
				lw = TrustPolicies(c)
			case *assayv1alpha1.RegistryConfig:
				lw = RegistryConfigs(c)
			}
			return newInformer(lw, obj, resync, indexers)
		}
		return next(config, opts)
	}
}

// PatchStatus stores the status of after, where it differs from that of before, unless somebody has
// written the object meanwhile. It asks for the metadata alone in the answer, which then is protobuf:
// the answer of a typed client could not be read for an object that only this package can read.
func PatchStatus(ctx context.Context, c client.Client, before, after client.Object) error {
	data, err := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}).Data(after)
	if err != nil {
		return err
	}
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: after.GetName()}}
	kind, err := c.GroupVersionKindFor(after)
	if err != nil {
		return err
	}
	answer.SetGroupVersionKind(kind)
	return c.Status().Patch(ctx, answer, client.RawPatch(types.MergePatchType, data))
}
