// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package objectcache

import (
	"context"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/objectjson"
)

// maxRest bounds what is read behind a list, so that its connection can be used again.
const maxRest = 64 << 10

// List is a page of objects of one kind.
type List[T objectjson.Object] struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []T
}

// DeepCopyObject implements runtime.Object.
func (l *List[T]) DeepCopyObject() runtime.Object {
	c := &List[T]{TypeMeta: l.TypeMeta, Items: make([]T, 0, len(l.Items))}
	l.ListMeta.DeepCopyInto(&c.ListMeta)
	for _, item := range l.Items {
		if copied, ok := item.DeepCopyObject().(T); ok {
			c.Items = append(c.Items, copied)
		}
	}
	return c
}

// ListerWatcher lists and watches the objects of one kind.
type ListerWatcher[T objectjson.Object] struct {
	client    rest.Interface
	resource  string
	newObject func() T
}

// NewListerWatcher returns a ListerWatcher of a resource, by a client for its group. newObject makes
// an empty object.
func NewListerWatcher[T objectjson.Object](client rest.Interface, resource string, newObject func() T) *ListerWatcher[T] {
	return &ListerWatcher[T]{client: client, resource: resource, newObject: newObject}
}

// List implements toolscache.Lister.
func (lw *ListerWatcher[T]) List(options metav1.ListOptions) (runtime.Object, error) {
	return lw.ListWithContext(context.Background(), options)
}

// Watch implements toolscache.Watcher.
func (lw *ListerWatcher[T]) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return lw.WatchWithContext(context.Background(), options)
}

// ListWithContext implements toolscache.ListerWithContext. It returns a *List.
func (lw *ListerWatcher[T]) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	return lw.Page(ctx, options)
}

// Page returns one page of objects, as the options ask for.
func (lw *ListerWatcher[T]) Page(ctx context.Context, options metav1.ListOptions) (*List[T], error) {
	body, err := lw.request(options).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // It was read.
	list := &List[T]{Items: []T{}}
	list.ListMeta, err = objectjson.DecodeList(body, lw.newObject, func(obj T) { list.Items = append(list.Items, obj) })
	if err != nil {
		return nil, err
	}
	_, _ = io.CopyN(io.Discard, body, maxRest)
	return list, nil
}

// WatchWithContext starts a watch. The events have objects, or the Status of an error.
func (lw *ListerWatcher[T]) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	body, err := lw.request(options).Stream(ctx)
	switch {
	case err != nil && (net.IsProbableEOF(err) || net.IsTimeout(err)):
		// As rest.Request.Watch does: the connection was lost, and nothing happened yet.
		return watch.NewEmptyWatch(), nil
	case err != nil:
		return nil, err
	}
	source := &eventSource[T]{body: body, events: objectjson.NewWatch(body, lw.newObject)}
	reporter := apierrors.NewClientErrorReporter(http.StatusInternalServerError, http.MethodGet, "ClientWatchDecoding")
	return watch.NewStreamWatcherWithLogger(logf.FromContext(ctx), source, reporter), nil
}

func (lw *ListerWatcher[T]) request(options metav1.ListOptions) *rest.Request {
	return lw.client.Get().Resource(lw.resource).VersionedParams(&options, metav1.ParameterCodec)
}

// eventSource is a watch.Decoder.
type eventSource[T objectjson.Object] struct {
	body   io.ReadCloser
	events *objectjson.Watch[T]
}

// Decode implements watch.Decoder. Errors that end the connection are returned as they are.
func (s *eventSource[T]) Decode() (watch.EventType, runtime.Object, error) {
	event, err := s.events.Next()
	switch {
	case err != nil:
		return "", nil, err
	case event.Status != nil:
		return event.Type, event.Status, nil
	default:
		return event.Type, event.Object, nil
	}
}

// Close implements watch.Decoder.
func (s *eventSource[T]) Close() { _ = s.body.Close() }

var (
	_ toolscache.ListerWatcher            = &ListerWatcher[objectjson.Object]{}
	_ toolscache.ListerWatcherWithContext = &ListerWatcher[objectjson.Object]{}
)
