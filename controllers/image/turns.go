// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"sync"
	"time"
)

const (
	// turnRecovery is how long it takes until one turn of an Image is forgotten.
	turnRecovery = 10 * time.Second
	// freeTurns an Image has at once. Whatever creates an Image, signs it and labels it needs
	// fewer.
	freeTurns = 5
	// maxTurns bounds how many turns of an Image are remembered, and so for how long.
	maxTurns = 12
	// firstDelay is how long an Image waits that has had its free turns. Each further turn
	// doubles that, up to firstDelay << (maxTurns - freeTurns), half a minute.
	firstDelay = 250 * time.Millisecond
	// turnsSwept is how many Images are remembered at least before those that have recovered
	// are looked for.
	turnsSwept = 1024
)

// Turns remembers how often Images have had their turn lately. The more often, the later an Image
// comes: one that is written in a loop waits behind all that are not. The zero value is ready to
// use, and it is safe for concurrent use.
//
// An Image that was deleted is remembered like any other. One that is created again under the same
// name is no newcomer.
type Turns struct {
	mu     sync.Mutex
	byName map[string]turns
	// sweepAt is the size at which Images that have recovered are removed.
	sweepAt int
}

// turns are those that an Image had at a time. One is forgotten each turnRecovery.
type turns struct {
	n  int
	at time.Time
}

// now returns the turns that are remembered at a time. A clock that was set back forgets none.
func (t turns) now(now time.Time) turns {
	passed := int(max(0, now.Sub(t.at)) / turnRecovery)
	if passed >= t.n {
		return turns{at: now}
	}
	return turns{n: t.n - passed, at: t.at.Add(time.Duration(passed) * turnRecovery)}
}

// Take remembers that an Image has its turn.
func (t *Turns) Take(name string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byName) >= t.sweepAt {
		t.sweep(now)
	}
	had := t.byName[name].now(now)
	if had.at.After(now) {
		had.at = now
	}
	had.n = min(had.n+1, maxTurns)
	t.byName[name] = had
}

// sweep removes the Images that have recovered. It runs when their number has doubled.
func (t *Turns) sweep(now time.Time) {
	if t.byName == nil {
		t.byName = map[string]turns{}
	}
	for name, had := range t.byName {
		if had.now(now).n == 0 {
			delete(t.byName, name)
		}
	}
	t.sweepAt = max(turnsSwept, 2*len(t.byName))
}

// Next returns the priority of an Image's next turn, 0 for one without any lately and less for
// each, and how long it waits.
func (t *Turns) Next(name string, now time.Time) (priority int, delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byName[name].now(now).n
	if n >= freeTurns {
		delay = firstDelay << (n - freeTurns)
	}
	return -n, delay
}
