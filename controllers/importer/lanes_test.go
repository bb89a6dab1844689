// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLanes checks that urgent jobs of a host go first, that a job is queued once, and that a host
// whose jobs hang delays no other host.
func TestLanes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &lanes{}
	hang := make(chan struct{})
	var mu sync.Mutex
	var order []string
	var started sync.WaitGroup
	started.Add(lanesPerHost)
	for i := range lanesPerHost {
		l.add(ctx, "slow", &job{name: fmt.Sprintf("slow-%d", i), run: func(context.Context) { started.Done(); <-hang }})
	}
	started.Wait()
	note := func(name string) func(context.Context) {
		return func(context.Context) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
		}
	}
	var finished sync.WaitGroup
	finished.Add(1)
	l.add(ctx, "slow", &job{name: "backlog-1", run: note("backlog-1")})
	l.add(ctx, "slow", &job{name: "backlog-2", run: note("backlog-2")})
	l.add(ctx, "slow", &job{name: "new", urgent: true, run: note("new")})
	if l.add(ctx, "slow", &job{name: "new", run: note("twice")}) {
		t.Error("a job is queued twice")
	}
	if !l.add(ctx, "fast", &job{name: "other", run: func(context.Context) { finished.Done() }}) {
		t.Error("a job for another host is not queued")
	}
	finished.Wait() // While the other host hangs.
	if n := l.len(); n < lanesPerHost+3 {
		t.Errorf("%d jobs", n)
	}
	// One at a time, so that the order is that of the queue.
	var last sync.WaitGroup
	last.Add(1)
	l.add(ctx, "slow", &job{name: "last", run: func(context.Context) { last.Done() }})
	hang <- struct{}{}
	last.Wait()
	mu.Lock()
	if diff := cmp.Diff([]string{"new", "backlog-1", "backlog-2"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	mu.Unlock()
	cancel()
	close(hang)
	l.wait()
	if l.add(ctx, "fast", &job{name: "late", run: note("late")}) {
		t.Error("a job is queued after the end")
	}
}

// TestLanesHaveRoomForAll checks that hosts take turns where there are more than run at a time.
func TestLanesHaveRoomForAll(t *testing.T) {
	l := &lanes{}
	var done sync.WaitGroup
	var mu sync.Mutex
	now, most := 0, 0
	for host := range 50 {
		for i := range 10 {
			done.Add(1)
			l.add(t.Context(), fmt.Sprint(host), &job{name: fmt.Sprint(host, "/", i), run: func(context.Context) {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				mu.Lock()
				now--
				mu.Unlock()
				done.Done()
			}})
		}
	}
	done.Wait()
	l.group.Wait()
	if most > maxLanes || l.len() != 0 || len(l.byHost) != 0 {
		t.Errorf("%d at a time, %d left, %d hosts left", most, l.len(), len(l.byHost))
	}
}
