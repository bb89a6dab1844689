// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"testing"
	"time"
)

// TestTurns checks how an Image that is changed again and again falls behind, and how it recovers.
func TestTurns(t *testing.T) {
	const name = "looped"
	var turns Turns
	next := func(at time.Duration, wantPriority int, wantDelay time.Duration) {
		t.Helper()
		priority, delay := turns.Next(name, testNow.Add(at))
		if priority != wantPriority || delay != wantDelay {
			t.Errorf("after %s: priority %d, delay %s, want %d and %s", at, priority, delay, wantPriority, wantDelay)
		}
	}
	next(0, 0, 0)
	for range freeTurns - 1 {
		turns.Take(name, testNow)
	}
	next(0, 1-freeTurns, 0)
	turns.Take(name, testNow)
	next(0, -freeTurns, firstDelay)
	for range 100 {
		turns.Take(name, testNow)
	}
	next(0, -maxTurns, 32*time.Second)
	next(turnRecovery-1, -maxTurns, 32*time.Second)
	next(turnRecovery, 1-maxTurns, 16*time.Second)
	next(maxTurns*turnRecovery-1, -1, 0)
	next(maxTurns*turnRecovery, 0, 0)
	next(-24*time.Hour, -maxTurns, 32*time.Second)
	if priority, delay := turns.Next("another", testNow); priority != 0 || delay != 0 {
		t.Errorf("another Image has priority %d and waits %s", priority, delay)
	}

	// After the clock was set back, the turns are forgotten as from then on.
	turns.Take(name, testNow.Add(-24*time.Hour))
	next(maxTurns*turnRecovery-24*time.Hour, 0, 0)
}

// TestTurnsAreForgotten checks that what is remembered of Images stays as small as the number of
// those that had a turn lately.
func TestTurnsAreForgotten(t *testing.T) {
	var turns Turns
	const images = 50 * turnsSwept
	for i := range images {
		turns.Take(fmt.Sprint(i), testNow.Add(time.Duration(i)*turnRecovery/100))
	}
	if got := len(turns.byName); got > turnsSwept {
		t.Errorf("%d of %d Images are remembered, and 100 had a turn lately", got, images)
	}
}
