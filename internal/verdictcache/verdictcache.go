// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package verdictcache remembers the verdict of this process on each Image, for the
// allowlist that admission reads. The allowlist is derived from it and not from the Images'
// status: a stored verdict is output, never input, so that forging one admits nothing.
package verdictcache

import (
	"crypto/sha256"
	"slices"
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
	// listed counts the Images that vouch for an entry.
	listed map[string]int
	// changes has an event when something has changed since the last one was taken.
	changes chan event.GenericEvent
}

// Inputs identifies all of an Image that its verdict depends on: two Images with the same Inputs
// get the same verdict from the same policies at the same time.
type Inputs [sha256.Size]byte

// Verdict is the result of evaluating one Image, and what it was evaluated from.
type Verdict struct {
	// UID and Inputs are the state of the Image.
	UID    types.UID
	Inputs Inputs
	// Written are the Inputs that the Image has once the verdict is stored in it.
	Written Inputs
	// Revision is the state of policies and keys: trust.Snapshot.Revision.
	Revision uint64

	// Entry is <repository>@<digest>, by which Pods name the image; empty when it is not
	// verified.
	Entry string
	// Pending is the entry that the Image would have if it were verified, for an incomplete verdict
	// on one whose status says so.
	Pending string
	// Tags are those of the image, as <repository>:<tag>, for which the verdict is the same: a Pod may
	// name it by one of them and the digest.
	Tags []string
	// Scope is the one by whose policies the Image was evaluated.
	Scope string
	// Index is what an index lists, whether or not it is verified.
	Index Index
	// RecheckAt is when the clock alone may change the verdict; zero for never.
	RecheckAt time.Time
	// Cost is about what making the verdict takes, in microseconds.
	Cost int
	// Incomplete: not all signatures were checked, so that a better verdict follows.
	Incomplete bool
}

// isOf reports whether the verdict is on this state of an Image.
func (v *Verdict) isOf(uid types.UID, inputs Inputs) bool {
	return v.UID == uid && (v.Inputs == inputs || v.Written == inputs)
}

// New returns an empty cache.
func New() *Cache {
	return &Cache{byName: map[string]Verdict{}, listed: map[string]int{}, changes: make(chan event.GenericEvent, 1)}
}

// Record remembers the verdict on an Image. Callers do so right after the decision and before
// any write: an API server that refuses the write must not keep an image on the allowlist. Record
// reports whether the verdict has an entry that no Image had before.
func (c *Cache) Record(name string, verdict Verdict) (added bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, ok := c.byName[name]
	c.byName[name] = verdict
	added = verdict.Entry != "" && c.listed[verdict.Entry] == 0
	c.count(verdict.Entry, 1)
	c.count(before.Entry, -1)
	// The children of one index do not change.
	if !ok || before.UID != verdict.UID || before.Incomplete != verdict.Incomplete ||
		before.Entry != verdict.Entry || before.Scope != verdict.Scope || before.Index.Name != verdict.Index.Name || !slices.Equal(before.Tags, verdict.Tags) {
		c.Notify()
	}
	return added
}

// count adds to the number of Images with an entry.
func (c *Cache) count(entry string, n int) {
	if entry == "" {
		return
	}
	if c.listed[entry] += n; c.listed[entry] == 0 {
		delete(c.listed, entry)
	}
}

// ExpectWritten makes the last verdict on an Image count for what the Image is once the verdict is
// stored in it. Callers do so before the write, whose event may come at once.
func (c *Cache) ExpectWritten(name string, uid types.UID, inputs Inputs) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if verdict, ok := c.byName[name]; ok && verdict.UID == uid {
		verdict.Written = inputs
		c.byName[name] = verdict
	}
}

// Forget removes an Image that no longer exists.
func (c *Cache) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if verdict, ok := c.byName[name]; ok {
		c.count(verdict.Entry, -1)
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

// Evaluated reports whether an Image has been evaluated, in whatever state, completely or not.
func (c *Cache) Evaluated(name string, uid types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	verdict, ok := c.byName[name]
	return ok && verdict.UID == uid
}

// Verified reports whether the last verdict on an Image of this name has an entry, and what making
// the verdict took.
func (c *Cache) Verified(name string) (verified bool, cost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	verdict := c.byName[name]
	return verdict.Entry != "", verdict.Cost
}

// IsOf reports whether the last verdict is on this state of an Image, by whatever policies and
// keys.
func (c *Cache) IsOf(name string, uid types.UID, inputs Inputs) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	verdict, ok := c.byName[name]
	return ok && verdict.isOf(uid, inputs)
}

// Current reports whether the last verdict is on this state of an Image and this revision of
// policies and keys, and whether it is complete.
func (c *Cache) Current(name string, uid types.UID, inputs Inputs, revision uint64) (current, complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	verdict, ok := c.byName[name]
	ok = ok && verdict.isOf(uid, inputs) && verdict.Revision == revision
	return ok, ok && !verdict.Incomplete
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
	return entriesOf(c.byName, hasScope)
}

// Pending returns what Entries would if all Images were verified whose verdict is incomplete.
func (c *Cache) Pending(hasScope func(entry string) bool) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	supposed := make(map[string]Verdict, len(c.byName))
	for name, verdict := range c.byName {
		if verdict.Pending != "" {
			verdict.Entry = verdict.Pending
		}
		supposed[name] = verdict
	}
	return entriesOf(supposed, hasScope)
}

func entriesOf(byName map[string]Verdict, hasScope func(entry string) bool) []string {
	entries := make([]string, 0, len(byName))
	for _, verdict := range byName {
		if verdict.isVerified(hasScope) {
			entries = append(entries, verdict.Entry)
		}
	}
	return append(entries, derive(byName, hasScope)...)
}

// Tags returns the entry of each tag of a verified Image, by <repository>:<tag>. While a tag moves, two
// Images may have it, of which either is a right answer; it is the same one each time.
func (c *Cache) Tags(hasScope func(entry string) bool) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	tags := map[string]string{}
	for _, verdict := range c.byName {
		if len(verdict.Tags) == 0 || !verdict.isVerified(hasScope) {
			continue
		}
		for _, tag := range verdict.Tags {
			if verdict.Entry > tags[tag] {
				tags[tag] = verdict.Entry
			}
		}
	}
	return tags
}
