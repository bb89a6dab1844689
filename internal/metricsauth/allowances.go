// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package metricsauth

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"
)

// allowanceTTL is how long a token is allowed without another review, and thus how long a client
// may be served after its permission or its token has been revoked.
const allowanceTTL = time.Minute

// maxAllowances bounds the remembered tokens. A few clients scrape, and each gets a new token once
// an hour or so; only authorized clients get here.
const maxAllowances = 64

// allowances remembers which tokens are allowed, by their digest: the memory of the process holds no
// tokens.
type allowances struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

func newAllowances() *allowances {
	return &allowances{until: map[[sha256.Size]byte]time.Time{}}
}

// has reports whether the token with this digest is allowed at the time.
func (a *allowances) has(key [sha256.Size]byte, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Before(a.until[key])
}

// add allows the token with this digest from the time on. It removes what has expired, and the
// allowance that expires first if there are too many.
func (a *allowances) add(key [sha256.Size]byte, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.until, func(_ [sha256.Size]byte, until time.Time) bool { return !now.Before(until) })
	if len(a.until) >= maxAllowances {
		delete(a.until, a.first())
	}
	a.until[key] = now.Add(allowanceTTL)
}

// first returns the key of the allowance that expires first.
func (a *allowances) first() (first [sha256.Size]byte) {
	var earliest time.Time
	for key, until := range a.until {
		if earliest.IsZero() || until.Before(earliest) {
			first, earliest = key, until
		}
	}
	return first
}
