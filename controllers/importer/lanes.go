// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// lanesPerHost is how many images are fetched from one host at the same time.
	lanesPerHost = 4
	// maxLanes bounds how many images are fetched in all.
	maxLanes = 64
	// patience is how long a job may take while a host that has none running waits for room. The
	// signatures of an image come in less, unless a host is slow.
	patience = 15 * time.Second
	// roomCheck is how often jobs that have taken longer are broken off for hosts that wait.
	roomCheck = time.Second
)

// errOutOfPatience breaks a job off. What it waited for did not answer in time.
var errOutOfPatience = fmt.Errorf("hosts wait that have no job running: %w", context.DeadlineExceeded)

// job is an image whose stores are due.
type job struct {
	name string
	// urgent jobs go before others: the image is new, and somebody waits for it.
	urgent bool
	// owner is the namespace that the image is fetched for, empty when that is not known.
	owner string
	// arrival orders the jobs of an owner, the highest first.
	arrival uint64
	// run gets a context that ends with the cause errOutOfPatience when the job is broken off.
	run func(context.Context)
	// ended is called when another job for the image can be added.
	ended func()

	// sequence orders all jobs by when they came. lane, index and place are where the job waits; place
	// is nil when it does not.
	sequence uint64
	lane     *lane
	index    int
	place    *list.Element

	// started is when it began to run, and breakOff ends it; nil when that was done.
	started  time.Time
	breakOff context.CancelCauseFunc
}

// lanes run jobs, by the hosts that they ask: one that is slow delays the images that have a store on it,
// and no others. Where all room is taken, slow jobs are broken off for hosts that have none running, so
// that slow hosts do not keep it, however many they are. Workers of the queue wait for none of them.
type lanes struct {
	mu       sync.Mutex
	byHost   map[string]*lane
	running  int
	sequence uint64
	// waiting are those that have jobs and may run one more, in the order in which they came.
	waiting []*lane
	// check is set while waiting lanes have none running.
	check *time.Timer
	// names are the images that are queued or under way.
	names map[string]*job
	group sync.WaitGroup
}

// lane has the jobs of one host.
type lane struct {
	host string
	backlog
	running []*job
	waits   bool
}

// isIdle reports whether nothing runs for the host.
func (h *lane) isIdle() bool { return len(h.running) == 0 }

// add queues a job for a host unless one for the same image is queued or under way, and reports
// whether it did. One that waits elsewhere takes the place that it has now, and has waited since then.
func (l *lanes) add(ctx context.Context, host string, j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	known := l.names[j.name]
	if known != nil {
		if known.place == nil || known.lane.host == host && known.owner == j.owner && known.arrival == j.arrival {
			return false
		}
		l.withdraw(known)
		j.sequence, j.urgent = known.sequence, j.urgent || known.urgent
	} else {
		l.sequence++
		j.sequence = l.sequence
	}
	if l.names == nil {
		l.names, l.byHost = map[string]*job{}, map[string]*lane{}
	}
	l.names[j.name] = j
	h := l.byHost[host]
	if h == nil {
		h = &lane{host: host}
		l.byHost[host] = h
	}
	j.lane = h
	h.push(j)
	l.queue(h)
	l.start(ctx)
	return known == nil
}

// withdraw takes out a job that waits.
func (l *lanes) withdraw(j *job) {
	h := j.lane
	h.remove(j)
	if h.len() > 0 {
		return
	}
	if h.waits {
		l.waiting = slices.DeleteFunc(l.waiting, func(other *lane) bool { return other == h })
		h.waits = false
	}
	if h.isIdle() {
		delete(l.byHost, h.host)
	}
}

// isWaiting reports whether a job waits for its turn.
func (l *lanes) isWaiting(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.names[name]
	return j != nil && j.place != nil
}

// queue lets a host wait for room if it may run one more job.
func (l *lanes) queue(h *lane) {
	if !h.waits && h.len() > 0 && len(h.running) < lanesPerHost {
		h.waits = true
		l.waiting = append(l.waiting, h)
	}
}

// start runs jobs as long as there is room: first for hosts that have none running.
func (l *lanes) start(ctx context.Context) {
	for len(l.waiting) > 0 && l.running < maxLanes {
		next := max(0, slices.IndexFunc(l.waiting, (*lane).isIdle))
		h := l.waiting[next]
		l.waiting, h.waits = slices.Delete(l.waiting, next, next+1), false
		l.run(ctx, h)
		l.queue(h)
	}
	if l.check == nil && slices.ContainsFunc(l.waiting, (*lane).isIdle) {
		l.check = time.AfterFunc(roomCheck, func() { l.makeRoom(ctx) })
	}
}

// run runs the next job of a host.
func (l *lanes) run(ctx context.Context, h *lane) {
	j := h.pop()
	h.running = append(h.running, j)
	l.running++
	limited, cancel := context.WithCancelCause(ctx)
	j.started, j.breakOff = time.Now(), cancel
	l.group.Go(func() {
		defer cancel(nil)
		j.run(limited)
		l.done(ctx, h, j)
		if j.ended != nil && ctx.Err() == nil {
			j.ended()
		}
	})
}

// done makes room for the next jobs.
func (l *lanes) done(ctx context.Context, h *lane, j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.names, j.name)
	h.running = slices.DeleteFunc(h.running, func(other *job) bool { return other == j })
	l.running--
	if ctx.Err() != nil {
		return
	}
	l.queue(h)
	l.start(ctx)
	if h.len() == 0 && h.isIdle() {
		delete(l.byHost, h.host)
	}
}

// makeRoom breaks off a job for each host that waits and has none running, if jobs have run for long
// enough.
func (l *lanes) makeRoom(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.check = nil; ctx.Err() != nil {
		return
	}
	now := time.Now()
	for _, h := range l.waiting {
		if !h.isIdle() {
			continue
		}
		slow := l.slowest(now)
		if slow == nil {
			break
		}
		slow.breakOff(errOutOfPatience)
		slow.breakOff = nil
	}
	l.start(ctx)
}

// slowest returns the job that runs the longest of the hosts that run the most, nil if none has run for
// long.
func (l *lanes) slowest(now time.Time) *job {
	var slowest *job
	most := 0
	for _, h := range l.byHost {
		for _, j := range h.running {
			if j.breakOff == nil || now.Sub(j.started) < patience {
				continue
			}
			if slowest == nil || cmp.Or(cmp.Compare(most, len(h.running)), j.started.Compare(slowest.started), cmp.Compare(j.sequence, slowest.sequence)) < 0 {
				slowest, most = j, len(h.running)
			}
		}
	}
	return slowest
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
