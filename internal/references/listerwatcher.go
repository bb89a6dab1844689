// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// newClient returns a client that asks for protobuf.
func newClient(config *rest.Config, httpClient *http.Client) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.APIPath = "/"
	config.GroupVersion = &schema.GroupVersion{}
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
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

// listerWatcher lists and watches the objects of a kind in all namespaces.
type listerWatcher struct {
	client rest.Interface
	kind   Kind
	// open is the watch that is open, nil for none.
	open atomic.Pointer[eventSource]
}

var (
	_ toolscache.ListerWatcher            = &listerWatcher{}
	_ toolscache.ListerWatcherWithContext = &listerWatcher{}
)

// List implements toolscache.Lister.
func (lw *listerWatcher) List(options metav1.ListOptions) (runtime.Object, error) {
	return lw.ListWithContext(context.Background(), options)
}

// Watch implements toolscache.Watcher.
func (lw *listerWatcher) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return lw.WatchWithContext(context.Background(), options)
}

// ListWithContext returns one page of objects, as the options ask for.
func (lw *listerWatcher) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	body, err := lw.request(options).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // It was read.
	list := &objectList{Items: []Object{}}
	list.ListMeta, err = newStream(&lw.kind, body, lw.logSkipped(ctx)).list(func(o *Object) {
		list.Items = append(list.Items, *o)
	})
	if err != nil {
		return nil, fmt.Errorf("reading a list of %s: %w", lw.kind.Resource, err)
	}
	return list, nil
}

// WatchWithContext starts a watch. The events have Objects, or the Status of an error.
func (lw *listerWatcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	body, err := lw.request(options).Stream(ctx)
	switch {
	case err != nil && (net.IsProbableEOF(err) || net.IsTimeout(err)):
		// As rest.Request.Watch does: the connection was lost, and nothing happened yet.
		return watch.NewEmptyWatch(), nil
	case err != nil:
		return nil, err
	}
	source := &eventSource{owner: lw, body: body, events: newStream(&lw.kind, body, lw.logSkipped(ctx))}
	lw.open.Store(source)
	reporter := apierrors.NewClientErrorReporter(http.StatusInternalServerError, http.MethodGet, "ClientWatchDecoding")
	return watch.NewStreamWatcherWithLogger(logf.FromContext(ctx), source, reporter), nil
}

func (lw *listerWatcher) request(options metav1.ListOptions) *rest.Request {
	return lw.client.Get().AbsPath(lw.kind.path, lw.kind.Resource).VersionedParams(&options, metav1.ParameterCodec)
}

func (lw *listerWatcher) logSkipped(ctx context.Context) func(reason string) {
	return func(reason string) {
		logf.FromContext(ctx).Info("Ignoring an object of a list or watch", "resource", lw.kind.Resource, "reason", reason)
	}
}

// eventSource is a watch.Decoder.
type eventSource struct {
	owner  *listerWatcher
	body   io.ReadCloser
	events *stream
}

// Decode implements watch.Decoder. Errors that end the connection are returned as they are.
func (s *eventSource) Decode() (watch.EventType, runtime.Object, error) {
	eventType, object, status, err := s.events.next()
	switch {
	case err != nil:
		return "", nil, err
	case status != nil:
		return eventType, status, nil
	default:
		return eventType, object, nil
	}
}

// Close implements watch.Decoder.
func (s *eventSource) Close() {
	s.owner.open.CompareAndSwap(s, nil)
	_ = s.body.Close()
}
