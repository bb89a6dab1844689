// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"container/list"
	"context"
	"sync"
)

const (
	// lanesPerHost is how many images are fetched from one host at the same time.
	lanesPerHost = 4
	// maxLanes bounds how many images are fetched in all.
	maxLanes = 64
)

// job is an image whose stores are to be asked.
type job struct {
	name string
	// urgent jobs go before others: the image is new, and somebody waits for it.
	urgent bool
	// owner is the namespace that the image is fetched for, empty when that is not known.
	owner string
	// arrival orders the jobs of an owner, the highest first.
	arrival uint64
	plan    *plan
	run     func(context.Context)

	// sequence orders all jobs by when they came. index and place are where the job waits.
	sequence uint64
	index    int
	place    *list.Element
}

// lanes run jobs, by the hosts that they ask: one that is slow delays the images that have a store on it,
// and no others. Workers of the queue wait for none of them.
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

// lane is what is to be fetched from one host.
type lane struct {
	backlog
	running int
	waits   bool
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
		h = &lane{}
		l.byHost[host] = h
	}
	h.push(j)
	l.start(ctx, host, h)
	return true
}

// start runs the next job of a host if there is room, or lets the host wait for some.
func (l *lanes) start(ctx context.Context, host string, h *lane) {
	for h.len() > 0 && h.running < lanesPerHost {
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
	if h.len() == 0 && h.running == 0 && !h.waits {
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
