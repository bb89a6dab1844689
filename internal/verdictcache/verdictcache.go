// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package verdictcache remembers what this process has decided about each Image, for the
// allowlist that admission reads. The allowlist is derived from it and not from the Images'
// status: a stored verdict is output, never input, so that forging one admits nothing.
package verdictcache

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// Cache holds the last verdict on each Image, by the Image's name. It is safe for concurrent
// use.
type Cache struct {
	mu     sync.Mutex
	byName map[string]Verdict
	// changes has an event when something has changed since the last one was taken.
	changes chan event.GenericEvent
}

// Verdict is what was decided about one Image, and from what.
type Verdict struct {
	// UID and ResourceVersion are the state of the Image.
	UID             types.UID
	ResourceVersion string
	// Revision is the state of policies and keys: trust.Snapshot.Revision.
	Revision uint64

	// Entry is <repository>@<digest>, by which Pods name the image; empty when it is not
	// verified.
	Entry string
	// Scope is the one by whose policies the Image was evaluated.
	Scope string
	// Index is what an index lists, whether or not it is verified.
	Index Index
	// RecheckAt is when the clock alone may change the verdict; zero for never.
	RecheckAt time.Time
}

// New returns an empty cache.
func New() *Cache {
	return &Cache{byName: map[string]Verdict{}, changes: make(chan event.GenericEvent, 1)}
}

// Record remembers the verdict on an Image. Callers do so right after the decision and before
// any write: an API server that refuses the write must not keep an image on the allowlist.
func (c *Cache) Record(name string, verdict Verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, ok := c.byName[name]
	c.byName[name] = verdict
	// The children of one index do not change.
	if !ok || before.UID != verdict.UID || before.Entry != verdict.Entry || before.Scope != verdict.Scope || before.Index.Name != verdict.Index.Name {
		c.Notify()
	}
}

// Forget removes an Image that no longer exists.
func (c *Cache) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byName[name]; ok {
		delete(c.byName, name)
		c.Notify()
	}
}

// Changes delivers an event after one or more changes of what the cache holds.
func (c *Cache) Changes() <-chan event.GenericEvent { return c.changes }

// Notify sends an event to Changes. It does not wait: an event that nobody has taken yet
// stands for this change as well.
func (c *Cache) Notify() {
	select {
	case c.changes <- event.GenericEvent{Object: &imagev1.Image{}}:
	default:
	}
}

// Evaluated reports whether an Image has been evaluated, in whatever state.
func (c *Cache) Evaluated(name string, uid types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	verdict, ok := c.byName[name]
	return ok && verdict.UID == uid
}

// Current reports whether the last verdict is on exactly this state of an Image and this
// revision of policies and keys.
func (c *Cache) Current(name string, uid types.UID, resourceVersion string, revision uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	verdict, ok := c.byName[name]
	return ok && verdict.UID == uid && verdict.ResourceVersion == resourceVersion && verdict.Revision == revision
}

// Due returns the names of the Images whose verdict the clock may have changed by now, in any
// order.
func (c *Cache) Due(now time.Time) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name, verdict := range c.byName {
		if verdict.isDue(now) {
			names = append(names, name)
		}
	}
	return names
}

// IsDue reports whether the clock may have changed the verdict on an Image by now.
func (c *Cache) IsDue(name string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	verdict, ok := c.byName[name]
	return ok && verdict.isDue(now)
}

// isDue leaves a second more, because times in OpenPGP are whole seconds and a key is valid in
// its last one.
func (v *Verdict) isDue(now time.Time) bool {
	return !v.RecheckAt.IsZero() && now.After(v.RecheckAt.Add(time.Second))
}

// Entries returns the entries of verified Images and what follows from them for indexes and their
// children, in any order and possibly more than once. What is derived is derived anew each time,
// so it goes with the verdict that it was derived from. hasScope reports which entries are scopes
// themselves: only Images that were evaluated by these are listed by such an entry.
func (c *Cache) Entries(hasScope func(entry string) bool) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := make([]string, 0, len(c.byName))
	for _, verdict := range c.byName {
		if verdict.isVerified(hasScope) {
			entries = append(entries, verdict.Entry)
		}
	}
	return append(entries, derive(c.byName, hasScope)...)
}
