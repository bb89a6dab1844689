// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package metricsauth

import (
	"crypto/sha256"
	"testing"
	"time"
)

func digestOf(n int) [sha256.Size]byte {
	return sha256.Sum256([]byte{byte(n)})
}

// TestAllowancesAreBounded: the ones that expire first make room for new ones.
func TestAllowancesAreBounded(t *testing.T) {
	a := newAllowances()
	now := time.Unix(1_700_000_000, 0)
	for i := range maxAllowances + 2 {
		a.add(digestOf(i), now.Add(time.Duration(i)))
	}
	now = now.Add(maxAllowances + 2)
	if got := len(a.until); got != maxAllowances {
		t.Errorf("%d allowances, want %d", got, maxAllowances)
	}
	for i := range maxAllowances + 2 {
		if got, want := a.has(digestOf(i), now), i >= 2; got != want {
			t.Errorf("allowance %d is there: %t, want %t", i, got, want)
		}
	}
}

// TestAllowancesExpire: what has expired is removed with the next addition.
func TestAllowancesExpire(t *testing.T) {
	a := newAllowances()
	now := time.Unix(1_700_000_000, 0)
	a.add(digestOf(1), now)
	a.add(digestOf(2), now.Add(1))
	a.add(digestOf(3), now.Add(allowanceTTL))
	if len(a.until) != 2 || a.has(digestOf(1), now) || !a.has(digestOf(2), now) {
		t.Errorf("%d allowances, want the second and the third", len(a.until))
	}
}
