// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package eventmemory keeps a state that changes to and fro from emitting the same events again and
// again. An API server keeps an event for an hour, in which another one like it says nothing new.
package eventmemory

import (
	"maps"
	"sync"
	"time"
)

const (
	// Lifetime is how long an event is remembered: as long as an API server keeps it by default
	// (--event-ttl).
	Lifetime = time.Hour
	// maxEvents bounds what is remembered. More than these are emitted in an hour by nobody who
	// bounds his events.
	maxEvents = 1 << 15
	// pruneInterval is how often what is too old is dropped.
	pruneInterval = time.Minute
)

// Memory remembers the events of this process. The zero value is ready to use, and safe for concurrent
// use.
type Memory struct {
	mu   sync.Mutex
	seen map[key]time.Time
	// pruned is when what was too old was last dropped.
	pruned time.Time
}

// key is what makes two events the same.
type key struct{ object, reason string }

// Seen reports whether the event of an object with a reason was added less than Lifetime before. object
// is unique among all that are added, such as a UID.
func (m *Memory) Seen(object, reason string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.seen[key{object, reason}]
	return ok && isFresh(at, now)
}

// Add remembers an event that was emitted. What there is no room for is not remembered.
func (m *Memory) Add(object, reason string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[key]time.Time{}
	}
	if now.Sub(m.pruned).Abs() >= pruneInterval {
		m.pruned = now
		maps.DeleteFunc(m.seen, func(_ key, at time.Time) bool { return !isFresh(at, now) })
	}
	if len(m.seen) < maxEvents {
		m.seen[key{object, reason}] = now
	}
}

// isFresh reports whether an event is still there. A clock that was set back makes none last longer.
func isFresh(at, now time.Time) bool { return now.Sub(at).Abs() < Lifetime }
