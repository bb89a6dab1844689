// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"container/heap"
	"context"
	"maps"
	"sync"
)

const (
	// lanesPerHost is how many images are fetched from one host at the same time.
	lanesPerHost = 4
	// maxLanes bounds how many images are fetched in all.
	maxLanes = 64
)

// job is an image whose stores are due.
type job struct {
	name string
	// urgent jobs go before others: the image is new, and somebody waits for it.
	urgent bool
	// owner is the namespace that the image is fetched for, empty when that is not known.
	owner string
	plan  *plan
	run   func(context.Context)

	// turn orders the jobs of one kind in a lane.
	turn, sequence uint64
}

// lanes run jobs, by host: a host that is slow delays the images that it has, and no others.
// Workers of the queue wait for none of them.
type lanes struct {
	mu       sync.Mutex
	byHost   map[string]*lane
	running  int
	sequence uint64
	// waiting are the hosts that have jobs and no room, in the order in which they came.
	waiting []string
	// names are the images that are queued or under way.
	names map[string]struct{}
	group sync.WaitGroup
}

// lane has the jobs of one host. Owners take turns: one with a single job waits for one
// of each other owner, and not for all that they have.
type lane struct {
	queue   jobs
	running int
	waits   bool
	// turn is the last one that has begun, and turns the last one that each owner has a job for.
	turn  uint64
	turns map[string]uint64
}

// push queues a job for the next turn of its owner.
func (h *lane) push(j *job) {
	j.turn = max(h.turn, h.turns[j.owner]+1)
	h.turns[j.owner] = j.turn
	heap.Push(&h.queue, j)
}

// pop takes the next job. Owners that have none waiting are forgotten.
func (h *lane) pop() *job {
	j, _ := heap.Pop(&h.queue).(*job)
	if j.turn > h.turn {
		h.turn = j.turn
		maps.DeleteFunc(h.turns, func(_ string, last uint64) bool { return last < h.turn })
	}
	return j
}

// add queues a job for a host unless one for the same image is queued or under way, and reports
// whether it did.
func (l *lanes) add(ctx context.Context, host string, j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.names[j.name]; ok || ctx.Err() != nil {
		return false
	}
	if l.names == nil {
		l.names, l.byHost = map[string]struct{}{}, map[string]*lane{}
	}
	l.names[j.name] = struct{}{}
	l.sequence++
	j.sequence = l.sequence
	h := l.byHost[host]
	if h == nil {
		h = &lane{turns: map[string]uint64{}}
		l.byHost[host] = h
	}
	h.push(j)
	l.start(ctx, host, h)
	return true
}

// start runs the next job of a host if there is room, or lets the host wait for some.
func (l *lanes) start(ctx context.Context, host string, h *lane) {
	for h.queue.Len() > 0 && h.running < lanesPerHost {
		if l.running >= maxLanes {
			if !h.waits {
				h.waits = true
				l.waiting = append(l.waiting, host)
			}
			return
		}
		j := h.pop()
		h.running++
		l.running++
		l.group.Go(func() {
			j.run(ctx)
			l.done(ctx, host, h, j)
		})
	}
}

// done makes room for the hosts that wait, and then for the next job of the same host.
func (l *lanes) done(ctx context.Context, host string, h *lane, j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.names, j.name)
	h.running--
	l.running--
	if ctx.Err() != nil {
		return
	}
	for waiting := l.waiting; len(waiting) > 0 && l.running < maxLanes; waiting = l.waiting {
		next := waiting[0]
		l.waiting = waiting[1:]
		l.byHost[next].waits = false
		l.start(ctx, next, l.byHost[next])
	}
	l.start(ctx, host, h)
	if h.queue.Len() == 0 && h.running == 0 && !h.waits {
		delete(l.byHost, host)
	}
}

// len is how many images are queued or under way.
func (l *lanes) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.names)
}

// wait waits until no job runs, after the context has ended.
func (l *lanes) wait() {
	l.mu.Lock()
	l.byHost, l.waiting = map[string]*lane{}, nil // None is started any longer.
	l.mu.Unlock()
	l.group.Wait()
}

// jobs is a heap: urgent ones first, and those of one kind by turns, in the order in which they came.
type jobs []*job

func (q jobs) Len() int      { return len(q) }
func (q jobs) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q jobs) Less(i, j int) bool {
	if q[i].urgent != q[j].urgent {
		return q[i].urgent
	}
	if q[i].turn != q[j].turn {
		return q[i].turn < q[j].turn
	}
	return q[i].sequence < q[j].sequence
}

// Push implements heap.Interface.
func (q *jobs) Push(x any) {
	if j, ok := x.(*job); ok {
		*q = append(*q, j)
	}
}

// Pop implements heap.Interface.
func (q *jobs) Pop() any {
	old := *q
	last := len(old) - 1
	j := old[last]
	old[last] = nil
	*q = old[:last]
	return j
}
