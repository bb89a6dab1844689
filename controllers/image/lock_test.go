// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestKeyedMutex checks that a name is locked once at a time, that names keep none of each other
// waiting, and that nothing is remembered of a name that nobody locks.
func TestKeyedMutex(t *testing.T) {
	var m keyedMutex
	unlock := m.lock("slow")
	const users = 100
	inside := map[string]*atomic.Int32{"a": {}, "b": {}}
	var running sync.WaitGroup
	for name, n := range inside {
		for range users {
			running.Go(func() {
				defer m.lock(name)()
				if n.Add(1) != 1 {
					t.Errorf("two have the lock of %s", name)
				}
				runtime.Gosched()
				n.Add(-1)
			})
		}
	}
	running.Wait()
	waits := make(chan struct{})
	running.Go(func() {
		defer m.lock("slow")()
		close(waits)
	})
	select {
	case <-waits:
		t.Error("two have the lock of a name")
	default:
	}
	unlock()
	running.Wait()
	if len(m.byName) != 0 {
		t.Errorf("%d names are remembered", len(m.byName))
	}
}
