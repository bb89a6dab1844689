// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import "sync"

// keyedMutex locks by name. It holds a lock for each name that somebody has or waits for. The zero
// value is ready to use.
//
// Names do not share locks: an Image that takes long would keep others waiting, and a stranger
// chooses the names of Images.
type keyedMutex struct {
	mu     sync.Mutex
	byName map[string]*nameLock
}

type nameLock struct {
	sync.Mutex
	users int
}

// lock waits for the lock of a name, and returns the function that releases it.
func (m *keyedMutex) lock(name string) (unlock func()) {
	m.mu.Lock()
	l := m.byName[name]
	if l == nil {
		l = &nameLock{}
		if m.byName == nil {
			m.byName = map[string]*nameLock{}
		}
		m.byName[name] = l
	}
	l.users++
	m.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		m.mu.Lock()
		defer m.mu.Unlock()
		l.users--
		if l.users == 0 {
			delete(m.byName, name)
		}
	}
}
