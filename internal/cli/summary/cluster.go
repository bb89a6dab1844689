// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package summary

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/apiserverstatus"
	"github.com/assay-project/assay/internal/importstatus"
	"github.com/assay-project/assay/internal/objectcache"
)

const (
	asTable = "application/json;as=Table;v=v1;g=meta.k8s.io"

	// pageSize is the number of objects per request, as in kubectl.
	pageSize = 500
)

var (
	// ErrStale means that the cluster must be read again, because a watch has ended or a list took
	// too long.
	ErrStale = errors.New("the data is stale")
	// ErrNotShown marks an error of the caller's function in an error of Read.
	ErrNotShown = errors.New("showing the status")
)

// Reader reads a cluster. It needs to list Images and TrustPolicies and, for Watch, to watch them.
// The same for RegistryConfigs and for ConfigMaps of the operator's namespace is optional.
type Reader struct {
	images, core *rest.RESTClient
	policies     *objectcache.ListerWatcher[*assayv1alpha1.TrustPolicy]
	registries   *objectcache.ListerWatcher[*assayv1alpha1.RegistryConfig]
	// Namespace is the operator's.
	Namespace string
	// Interval is the minimum time between two calls after changes.
	Interval time.Duration
	// Progress is called after each page with the number of Images read and whether there are more.
	// It may be nil.
	Progress func(images int, more bool)
}

// NewReader returns a reader of a cluster.
func NewReader(config *rest.Config) (*Reader, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(
		metav1.AddMetaToScheme(scheme), corev1.AddToScheme(scheme), imagev1.AddToScheme(scheme), assayv1alpha1.AddToScheme(scheme),
	); err != nil {
		return nil, err
	}
	codecs := serializer.NewCodecFactory(scheme).WithoutConversion()
	client := func(gv schema.GroupVersion, path string) (*rest.RESTClient, error) {
		c := rest.CopyConfig(config)
		c.GroupVersion, c.APIPath, c.NegotiatedSerializer = &gv, path, codecs
		c.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
		c.QPS = -1 // One page after the other; the API server limits the rate.
		return rest.RESTClientFor(c)
	}
	images, err := client(imagev1.GroupVersion, "/apis")
	if err != nil {
		return nil, err
	}
	assay, err := objectcache.NewClient(config, nil)
	if err != nil {
		return nil, err
	}
	core, err := client(corev1.SchemeGroupVersion, "/api")
	return &Reader{images: images, policies: objectcache.TrustPolicies(assay), registries: objectcache.RegistryConfigs(assay), core: core}, err
}

// Read reads everything and calls show with it. With follow it then calls show after changes, until
// ctx is done, whose error it returns, or until its data is stale: ErrStale.
func (r *Reader) Read(ctx context.Context, follow bool, show func(*Cluster) error) error {
	c := newCluster()
	columns, at, err := r.list(ctx, c)
	if err != nil {
		return err
	}
	seen := func() error {
		if err := show(c); err != nil {
			return fmt.Errorf("%w: %w", ErrNotShown, err)
		}
		return nil
	}
	if err := seen(); err != nil || !follow {
		return err
	}
	watches, err := r.watch(ctx, at)
	defer watches.stop()
	if err != nil {
		return err
	}
	return c.follow(ctx, columns, watches, seen, r.Interval)
}

// versions are the resource versions of what was listed; empty for what may not be read.
type versions struct{ images, policies, registries, servers, imports string }

// list reads everything.
func (r *Reader) list(ctx context.Context, c *Cluster) (columns columns, at versions, err error) {
	if at.policies, err = r.listPolicies(ctx, c); err != nil {
		return columns, at, explain("trustpolicies", err)
	}
	if at.registries, err = r.listRegistries(ctx, c); err != nil {
		return columns, at, explain("registryconfigs", err)
	}
	if columns, at.images, err = r.listImages(ctx, c); err != nil {
		return columns, at, explain("images", err)
	}
	if at.servers, err = r.listConfigMap(ctx, c, apiserverstatus.Name); err == nil {
		at.imports, err = r.listConfigMap(ctx, c, importstatus.Name)
	}
	if err != nil {
		return columns, at, explain("configmaps", err)
	}
	return columns, at, nil
}

// watch watches everything. What has begun must be stopped, also after an error.
func (r *Reader) watch(ctx context.Context, at versions) (*watches, error) {
	w := &watches{}
	for _, begin := range []struct {
		resource string
		to       *watch.Interface
		watch    func() (watch.Interface, error)
	}{
		{"trustpolicies", &w.policies, func() (watch.Interface, error) {
			return r.policies.WatchWithContext(ctx, metav1.ListOptions{ResourceVersion: at.policies, AllowWatchBookmarks: true})
		}},
		{"registryconfigs", &w.registries, func() (watch.Interface, error) { return r.watchRegistries(ctx, at.registries) }},
		{"configmaps", &w.servers, func() (watch.Interface, error) { return r.watchConfigMap(ctx, apiserverstatus.Name, at.servers) }},
		{"configmaps", &w.imports, func() (watch.Interface, error) { return r.watchConfigMap(ctx, importstatus.Name, at.imports) }},
		{"images", &w.images, func() (watch.Interface, error) { return start(ctx, r.images, "images", at.images, asTable) }},
	} {
		begun, err := begin.watch()
		if err != nil {
			return w, explain(begin.resource, err)
		}
		*begin.to = begun
	}
	return w, nil
}

func (r *Reader) listPolicies(ctx context.Context, c *Cluster) (resourceVersion string, err error) {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := r.policies.Page(ctx, options)
		if err != nil {
			return "", err
		}
		for _, policy := range list.Items {
			c.policies[policy.Name] = *policy
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return list.ResourceVersion, nil
		}
	}
}

func (r *Reader) listImages(ctx context.Context, c *Cluster) (columns columns, resourceVersion string, err error) {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		var table metav1.Table
		err := r.images.Get().Resource("images").SetHeader("Accept", asTable).Param("includeObject", string(metav1.IncludeNone)).
			VersionedParams(&options, metav1.ParameterCodec).Do(ctx).Into(&table)
		if err != nil {
			return columns, "", err
		}
		// The first page has the column definitions for all pages.
		if len(table.ColumnDefinitions) > 0 {
			if columns, err = findColumns(table.ColumnDefinitions); err != nil {
				return columns, "", err
			}
		}
		for i := range table.Rows {
			image, err := columns.image(&table.Rows[i])
			if err != nil {
				return columns, "", err
			}
			c.images[image.Name] = image
		}
		if r.Progress != nil {
			r.Progress(len(c.images), table.Continue != "")
		}
		if options.Continue = table.Continue; options.Continue == "" {
			return columns, table.ResourceVersion, nil
		}
	}
}

func start(ctx context.Context, client *rest.RESTClient, resource, resourceVersion, accept string) (watch.Interface, error) {
	options := metav1.ListOptions{Watch: true, ResourceVersion: resourceVersion, AllowWatchBookmarks: true}
	return client.Get().Resource(resource).SetHeader("Accept", accept).Param("includeObject", string(metav1.IncludeNone)).
		VersionedParams(&options, metav1.ParameterCodec).Watch(ctx)
}

// watches are those of everything that is shown.
type watches struct{ images, policies, registries, servers, imports watch.Interface }

// stop ends the watches that have begun.
func (w *watches) stop() {
	for _, begun := range []watch.Interface{w.images, w.policies, w.registries, w.servers, w.imports} {
		if begun != nil {
			begun.Stop()
		}
	}
}

// follow applies events until one of the watches ends. It combines changes within the interval into
// one call of show.
func (c *Cluster) follow(ctx context.Context, columns columns, w *watches, changed func() error, interval time.Duration) error {
	var due <-chan time.Time
	for {
		var event watch.Event
		open := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due:
			due = nil
			if err := changed(); err != nil {
				return err
			}
			continue
		case event, open = <-w.images.ResultChan():
		case event, open = <-w.policies.ResultChan():
		case event, open = <-w.registries.ResultChan():
		case event, open = <-w.servers.ResultChan():
		case event, open = <-w.imports.ResultChan():
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !open || event.Type == watch.Error {
			return ErrStale
		}
		differs, err := c.apply(event, columns)
		if err != nil {
			return err
		}
		if differs && due == nil {
			due = time.After(interval)
		}
	}
}

func (c *Cluster) apply(event watch.Event, columns columns) (changed bool, err error) {
	if event.Type == watch.Bookmark {
		return false, nil
	}
	switch object := event.Object.(type) {
	case *corev1.ConfigMap:
		c.setConfigMap(object, event.Type == watch.Deleted)
		return true, nil
	case *assayv1alpha1.RegistryConfig:
		if event.Type == watch.Deleted {
			delete(c.registries, object.Name)
		} else {
			c.registries[object.Name] = *object
		}
		return true, nil
	case *assayv1alpha1.TrustPolicy:
		if event.Type == watch.Deleted {
			delete(c.policies, object.Name)
		} else {
			c.policies[object.Name] = *object
		}
		return true, nil
	case *metav1.Table:
		for i := range object.Rows {
			image, err := columns.image(&object.Rows[i])
			if err != nil {
				return changed, err
			}
			if event.Type == watch.Deleted {
				delete(c.images, image.Name)
				changed = true
				continue
			}
			// Most writes, such as those of probe times, do not change the summary.
			changed = changed || c.images[image.Name] != image
			c.images[image.Name] = image
		}
		return changed, nil
	default:
		return false, fmt.Errorf("the API server sent a %T in a watch", object)
	}
}

// explain adds advice to an error.
func explain(resource string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("this cluster has no %s: Assay is not installed in it (kubectl apply --server-side -k config/default): %w", resource, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("ask for a ClusterRoleBinding to the cluster role view, or to assay-image-viewer-role and assay-trustpolicy-viewer-role: %w", err)
	case apierrors.IsResourceExpired(err):
		return errors.Join(ErrStale, err)
	default:
		return fmt.Errorf("reading %s: %w", resource, err)
	}
}
