// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package refusals remembers which signatures this process has refused, for each Image. An Image
// that somebody writes again and again is evaluated as often, and its refused signatures need not
// be verified each time. verify.Refusals says why it is safe to go by what is remembered.
//
// Nothing in here is needed: what is forgotten is checked again. That bounds the memory.
package refusals

import (
	"sync"

	"github.com/assay-project/assay/internal/verify"
)

// Bounds in bytes, by verify.Refusal.Size. An Image with 128 refused signatures under one policy
// takes 70,000 as a rule.
const (
	// maxImage bounds what is remembered of one Image, so that none takes the place of all others.
	maxImage = 256 << 10
	// maxAll bounds what is remembered of all. The manager has 512 MiB.
	maxAll = 16 << 20
)

// Cache remembers refusals by the name of the Image. It is safe for concurrent use. The zero value
// is empty and ready to use.
type Cache struct {
	mu     sync.Mutex
	byName map[string]remembered
	size   int
}

// remembered is what is known of one Image. It is not changed once it is in the cache.
type remembered struct {
	refusals map[verify.RefusalKey]*verify.Refusal
	size     int
}

// Of returns the memory of one Image for one evaluation. No two may go on at the same time.
func (c *Cache) Of(name string) *Memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Memory{cache: c, name: name, before: c.byName[name].refusals}
}

// Forget forgets an Image.
func (c *Cache) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(name)
}

func (c *Cache) remove(name string) {
	c.size -= c.byName[name].size
	delete(c.byName, name)
}

// replace remembers what an evaluation has found instead of what was known before. Where there is
// no room, other Images are forgotten, whichever a map has first: with a fixed order, many Images
// in turn would each be forgotten just before they are needed.
func (c *Cache) replace(name string, now remembered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(name)
	if len(now.refusals) == 0 {
		return
	}
	for other := range c.byName {
		if c.size+now.size <= maxAll {
			break
		}
		c.remove(other)
	}
	if c.byName == nil {
		c.byName = map[string]remembered{}
	}
	c.byName[name] = now
	c.size += now.size
}

// Memory is what is remembered of one Image during an evaluation. It implements verify.Refusals.
type Memory struct {
	cache  *Cache
	name   string
	before map[verify.RefusalKey]*verify.Refusal
	now    remembered
}

// Len returns how many refusals an earlier evaluation has left.
func (m *Memory) Len() int { return len(m.before) }

// Find returns a refusal that an earlier evaluation has left. What is not asked for is forgotten.
func (m *Memory) Find(key verify.RefusalKey) *verify.Refusal {
	found := m.before[key]
	if found != nil {
		m.Remember(key, found)
	}
	return found
}

// Remember keeps a refusal for later evaluations, instead of an earlier one with the key.
func (m *Memory) Remember(key verify.RefusalKey, refusal *verify.Refusal) {
	if m.now.refusals == nil {
		m.now.refusals = map[verify.RefusalKey]*verify.Refusal{}
	}
	if before := m.now.refusals[key]; before != nil {
		m.now.size -= before.Size()
		delete(m.now.refusals, key)
	}
	if size := refusal.Size(); m.now.size+size <= maxImage {
		m.now.refusals[key] = refusal
		m.now.size += size
	}
}

// Keep ends the evaluation, and keeps what it has asked for or remembered.
func (m *Memory) Keep() { m.cache.replace(m.name, m.now) }
