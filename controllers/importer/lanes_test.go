// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// TestMovedJob checks that an image that waits behind the backlog of one namespace takes the turn of another
// that begins to refer to it, and keeps its age; and that one that runs, or is in its place, stays.
func TestMovedJob(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &lanes{}
	release := make(chan struct{})
	for i := range lanesPerHost {
		l.add(ctx, "host", &job{name: fmt.Sprint("running-", i), run: func(context.Context) { <-release }})
	}
	add := func(host, name, owner string, arrival uint64) bool {
		return l.add(ctx, host, &job{name: name, owner: owner, arrival: arrival, run: func(context.Context) {}})
	}
	for i := range 10 {
		add("host", fmt.Sprint("a", i), "a", 0)
	}
	add("host", "b1", "b", 5)
	for range 2 {
		if add("host", "a8", "b", 7) || add("host", "running-0", "b", 8) || add("host", "a9", "a", 0) {
			t.Error("a job is queued twice")
		}
	}
	if l.isWaiting("running-0") || !l.isWaiting("a8") || l.isWaiting("other") {
		t.Error("what runs waits")
	}
	var got []string
	h := l.byHost["host"]
	l.mu.Lock()
	for h.len() > 0 {
		got = append(got, h.pop().name)
	}
	l.mu.Unlock()
	want := []string{"a0", "a8", "a1", "b1", "a2", "a3", "a4", "a5", "a6", "a7", "a9"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}

	cancel()
	close(release)
	l.wait()
}

// TestMovedLane checks that a host is forgotten when its only job has another one now.
func TestMovedLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lanes{}
		hang(t, l)
		ran := make(chan string, 2)
		l.add(t.Context(), "before", &job{name: "image", run: func(context.Context) { ran <- "before" }})
		l.add(t.Context(), "after", &job{name: "image", run: func(context.Context) { ran <- "after" }})
		if l.byHost["before"] != nil || len(l.waiting) != 1 {
			t.Errorf("%d hosts wait", len(l.waiting))
		}
		if got := <-ran; got != "after" || len(ran) != 0 {
			t.Errorf("ran %s", got)
		}
	})
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

// hang fills all room of lanes with jobs that hang until they are broken off. It returns a function that
// counts those, by host.
func hang(t *testing.T, l *lanes) (brokenOff func() map[string]int) {
	t.Helper()
	var mu sync.Mutex
	counts := map[string]int{}
	for i := range maxLanes {
		host := fmt.Sprint("slow-", i%(maxLanes/lanesPerHost))
		l.add(t.Context(), host, &job{name: fmt.Sprint("slow-", i), run: func(ctx context.Context) {
			<-ctx.Done()
			if errors.Is(context.Cause(ctx), errOutOfPatience) {
				mu.Lock()
				defer mu.Unlock()
				counts[host]++
			}
		}})
	}
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(counts)
	}
}

// TestSlowHostsGiveUpRoom checks that hosts whose jobs hang leave room to hosts that have none running,
// one job for each of these, and of the hosts that run the most.
func TestSlowHostsGiveUpRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lanes{}
		brokenOff := hang(t, l)
		var quick sync.WaitGroup
		for i := range 3 {
			for n := range 2 {
				quick.Add(1)
				l.add(t.Context(), fmt.Sprint("quick-", i), &job{name: fmt.Sprint("quick-", i, "-", n), run: func(context.Context) { quick.Done() }})
			}
		}
		quick.Wait()
		synctest.Wait()
		counts := brokenOff()
		if len(counts) != 3 {
			t.Errorf("broken off: %v", counts)
		}
		for host, n := range counts {
			if n != 1 {
				t.Errorf("%s: %d jobs are broken off", host, n)
			}
		}
	})
}

// TestManySlowHosts checks that more slow hosts than there is room for delay another host by their turns
// and no longer.
func TestManySlowHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &lanes{}
		begun := 0
		for i := range 2 * maxLanes {
			for n := range lanesPerHost {
				l.add(ctx, fmt.Sprint("slow-", i), &job{name: fmt.Sprint("slow-", i, "-", n), run: func(ctx context.Context) { <-ctx.Done() }})
			}
		}
		quick := make(chan struct{})
		l.add(ctx, "quick", &job{name: "quick", run: func(context.Context) {
			begun = 2*maxLanes*lanesPerHost + 1 - l.len()
			close(quick)
		}})
		<-quick
		if begun > 3*maxLanes {
			t.Errorf("%d jobs of slow hosts have gone before", begun)
		}
		cancel()
		l.wait()
	})
}

// TestPatience checks that nothing is broken off as long as hosts have jobs running, or jobs end in time.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &lanes{}
		var mu sync.Mutex
		ended, cut := 0, 0
		lasting := func(d time.Duration) func(context.Context) {
			return func(ctx context.Context) {
				timer := time.NewTimer(d)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
				mu.Lock()
				defer mu.Unlock()
				if ended++; ctx.Err() != nil {
					cut++
				}
			}
		}
		// Of these, as many run as there is room for. All hosts have one running.
		for i := range 2 * maxLanes {
			l.add(ctx, fmt.Sprint(i%maxLanes), &job{name: fmt.Sprint(i), run: lasting(10 * patience)})
		}
		l.group.Wait()
		if ended != 2*maxLanes || cut != 0 {
			t.Errorf("%d jobs ended, %d are broken off", ended, cut)
		}
		// A host waits, and room comes before patience ends.
		for i := range maxLanes + 1 {
			l.add(ctx, fmt.Sprint(i), &job{name: fmt.Sprint(i), run: lasting(patience - 1)})
		}
		l.group.Wait()
		if cut != 0 {
			t.Errorf("%d jobs are broken off", cut)
		}
		cancel()
	})
}

// TestJobThatHasEnded checks that the end of a job is told when the image can have another one: what was
// asked for meanwhile would be lost otherwise.
func TestJobThatHasEnded(t *testing.T) {
	l := &lanes{}
	again := make(chan bool)
	j := &job{name: "image", run: func(ctx context.Context) {
		if l.add(ctx, "host", &job{name: "image", run: func(context.Context) {}}) {
			t.Error("an image has two jobs")
		}
	}}
	j.ended = func() { again <- l.add(t.Context(), "host", &job{name: "image", run: func(context.Context) {}}) }
	l.add(t.Context(), "host", j)
	if !<-again {
		t.Error("the image cannot have another job")
	}
	l.wait()
}
