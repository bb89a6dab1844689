// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// The order within the lane of changed Images: what its status claims wrongly comes first, then
// what adds to the allowlist, then the others by their turns. Nobody without a trusted key can
// make Images of the first two kinds.
const (
	withdrawPriority = 200
	addedPriority    = 100
)

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// lane is the queue of a controller, for others to add to. A nil lane takes nothing.
type lane struct {
	started chan struct{} // Closed when queue is set.
	queue   requestQueue
}

func newLane() *lane { return &lane{started: make(chan struct{})} }

// source is an event source that hands the queue over when the controller starts.
func (l *lane) source() source.Source {
	return source.Func(func(_ context.Context, q requestQueue) error {
		l.queue = q
		close(l.started)
		return nil
	})
}

// add enqueues an Image. It waits until the controller has started.
func (l *lane) add(ctx context.Context, name string, priority int, after time.Duration) {
	if l == nil {
		return
	}
	select {
	case <-l.started:
		enqueue(l.queue, name, priority, after)
	case <-ctx.Done():
	}
}

func enqueue(q requestQueue, name string, priority int, after time.Duration) {
	request := reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
	if pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		pq.AddWithOpts(priorityqueue.AddOpts{Priority: &priority, After: after}, request)
		return
	}
	q.AddAfter(request, after)
}

// OnChanges enqueues changed Images by their turns, and those that a start finds behind all
// changes. With delay, an Image that has had too many turns waits.
func (t *Turns) OnChanges(now func() time.Time, delay bool) handler.EventHandler {
	add := func(q requestQueue, name string) {
		priority, after := t.Next(name, now())
		if !delay {
			after = 0
		}
		enqueue(q, name, priority, after)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q requestQueue) {
			if e.IsInInitialList {
				enqueue(q, e.Object.GetName(), handler.LowPriority, 0)
				return
			}
			add(q, e.Object.GetName())
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q requestQueue) { add(q, e.ObjectNew.GetName()) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q requestQueue) { add(q, e.Object.GetName()) },
	}
}
