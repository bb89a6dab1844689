// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagejson"
)

// keptAnnotations are those that Assay reads, and the one by which a bookmark ends the initial
// events of a streamed list.
var keptAnnotations = []string{
	assayv1alpha1.RecheckRequestedAtAnnotation, assayv1alpha1.ImportAnnotation, metav1.InitialEventsAnnotationKey,
}

// maxRest bounds what is read behind a list, so that its connection can be used again.
const maxRest = 64 << 10

// listerWatcher lists and watches Images.
type listerWatcher struct {
	client rest.Interface
	label  labels.Selector
	field  fields.Selector
	// room is what is kept of the Images; nil is all.
	room *room
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

// ListWithContext returns one page of Images, as the options ask for. It reads them one by one,
// so that no more than one is in memory as a whole.
func (lw *listerWatcher) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	body, err := lw.request(options).Stream(ctx)
	if err != nil {
		return nil, err
	}
	if options.Continue == "" {
		lw.room.clear()
	}
	defer body.Close() //nolint:errcheck // It was read.
	list := &ImageList{Items: []Image{}}
	list.ListMeta, err = imagejson.DecodeList(body, func(e imagejson.Entry) {
		if e.Image.Name == "" {
			logUnnamed(ctx, e)
			return
		}
		list.Items = append(list.Items, lw.room.keep(e))
	}, keptAnnotations...)
	if err != nil {
		return nil, err
	}
	_, _ = io.CopyN(io.Discard, body, maxRest)
	return list, nil
}

// WatchWithContext starts a watch. The events have Images, or the Status of an error.
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
	if options.SendInitialEvents != nil && *options.SendInitialEvents {
		lw.room.clear()
	}
	source := &eventSource{ctx: ctx, body: body, events: imagejson.NewWatch(body, keptAnnotations...), room: lw.room}
	reporter := apierrors.NewClientErrorReporter(http.StatusInternalServerError, http.MethodGet, "ClientWatchDecoding")
	return watch.NewStreamWatcherWithLogger(logf.FromContext(ctx), source, reporter), nil
}

func (lw *listerWatcher) request(options metav1.ListOptions) *rest.Request {
	if lw.label != nil {
		options.LabelSelector = lw.label.String()
	}
	if lw.field != nil {
		options.FieldSelector = lw.field.String()
	}
	return lw.client.Get().Resource("images").VersionedParams(&options, metav1.ParameterCodec)
}

// eventSource is a watch.Decoder for Images.
type eventSource struct {
	ctx    context.Context //nolint:containedctx // It carries the logger.
	body   io.ReadCloser
	events *imagejson.Watch
	room   *room
}

// Decode implements watch.Decoder. Errors that end the connection are returned as they are.
func (s *eventSource) Decode() (watch.EventType, runtime.Object, error) {
	for {
		event, err := s.events.Next()
		switch {
		case err != nil:
			return "", nil, err
		case event.Type == watch.Error:
			status := &metav1.Status{}
			if err := json.Unmarshal(event.Status, status); err != nil {
				return "", nil, fmt.Errorf("reading an error event: %w", err)
			}
			return event.Type, status, nil
		case event.Type != watch.Bookmark && event.Entry.Image.Name == "":
			logUnnamed(s.ctx, event.Entry)
		default:
			image := s.room.keep(event.Entry)
			if event.Type == watch.Deleted {
				s.room.leave(image.UID)
			}
			return event.Type, &image, nil
		}
	}
}

// Close implements watch.Decoder.
func (s *eventSource) Close() { _ = s.body.Close() }

// logUnnamed logs what cannot be an Image of an API server, which names everything, and what
// nothing can be done with.
func logUnnamed(ctx context.Context, e imagejson.Entry) {
	logf.FromContext(ctx).Error(e.Fault, "Ignoring an Image without a name")
}
