// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// An API server stores an Image as a whole with each write, and etcd keeps every version for some
// minutes. Whoever may create Images can fill etcd with large ones, and the two writes of each
// verdict must not do so three times as fast, for him or when a key of all of them changes.
const (
	// largeObject is the size from which on an Image is large, in bytes of JSON. Usual ones have
	// less than 40 KiB.
	largeObject = 64 << 10
	// largeWriteRate bounds what the writes of large Images store in a second, in bytes, and
	// largeWriteBurst what they store at once.
	largeWriteRate  = 1 << 20
	largeWriteBurst = 64 << 20
	// writesOfVerdict is how often an Image is stored for a verdict.
	writesOfVerdict = 2
)

// writeBudget decides when verdicts on large Images are written. Each gets its time when it first
// asks, so that all come in turn. The zero value is ready to use.
type writeBudget struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	// turns are the times of Images that wait, by name.
	turns map[string]time.Time
}

// wait returns how long an Image of a size waits until it is written, zero if it need not.
func (b *writeBudget) wait(name string, size int, now time.Time) time.Duration {
	if size < largeObject {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limiter == nil {
		b.limiter, b.turns = rate.NewLimiter(largeWriteRate, largeWriteBurst), map[string]time.Time{}
	}
	if turn, ok := b.turns[name]; ok && turn.After(now) {
		return turn.Sub(now)
	} else if ok {
		delete(b.turns, name)
		return 0
	}
	wait := b.limiter.ReserveN(now, min(writesOfVerdict*size, largeWriteBurst)).DelayFrom(now)
	if wait > 0 {
		b.turns[name] = now.Add(wait)
	}
	return wait
}

// forget forgets an Image that no longer exists.
func (b *writeBudget) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.turns, name)
}
