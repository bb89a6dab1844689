// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache

import (
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// New is a cache.NewCacheFunc, for the options of a manager, that keeps DefaultRoom of signatures. The
// scheme in opts has to know the types of this package.
func New(config *rest.Config, opts cache.Options) (cache.Cache, error) {
	return Within(DefaultRoom)(config, opts)
}

// Within returns a cache.NewCacheFunc as New, which keeps so many bytes of the signatures and indexes
// of all Images.
func Within(size int) cache.NewCacheFunc {
	return func(config *rest.Config, opts cache.Options) (cache.Cache, error) {
		return newCache(config, opts, newRoom(size))
	}
}

func newCache(config *rest.Config, opts cache.Options, room *room) (cache.Cache, error) {
	client, err := newClient(config, opts.HTTPClient)
	if err != nil {
		return nil, fmt.Errorf("a client for Images: %w", err)
	}
	images := &listerWatcher{client: client, room: room}
	images.label, images.field = selectors(opts)
	newInformer := opts.NewInformer
	if newInformer == nil {
		newInformer = toolscache.NewSharedIndexInformer
	}
	// This is the only place where controller-runtime lets go of how it lists and watches.
	opts.NewInformer = func(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		if _, ok := obj.(*Image); ok {
			lw = images
		}
		return newInformer(lw, obj, resync, indexers)
	}
	return cache.New(config, opts)
}

// newClient returns a client for the API group of Images that asks for JSON.
func newClient(config *rest.Config, httpClient *http.Client) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.APIPath = "/apis"
	config.GroupVersion = &imagev1.GroupVersion
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

// selectors returns what selects the Images that are cached, everything if nil. They are no
// part of the ListerWatcher that a cache hands to NewInformer, but hidden in it.
func selectors(opts cache.Options) (label labels.Selector, field fields.Selector) {
	label, field = opts.DefaultLabelSelector, opts.DefaultFieldSelector
	for obj, byObject := range opts.ByObject {
		if _, ok := obj.(*Image); !ok {
			continue
		}
		if byObject.Label != nil {
			label = byObject.Label
		}
		if byObject.Field != nil {
			field = byObject.Field
		}
	}
	return label, field
}
