// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package eventmemory

import (
	"fmt"
	"testing"
	"time"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestMemory(t *testing.T) {
	var m Memory
	if m.Seen("a", "Down", t0) {
		t.Error("an event is seen that was not added")
	}
	m.Add("a", "Down", t0)
	for name, tt := range map[string]struct {
		object, reason string
		after          time.Duration
		want           bool
	}{
		"the same":              {"a", "Down", 0, true},
		"just before its end":   {"a", "Down", Lifetime - 1, true},
		"gone":                  {"a", "Down", Lifetime, false},
		"of another object":     {"b", "Down", 0, false},
		"for another reason":    {"a", "Up", 0, false},
		"the clock is set back": {"a", "Down", -2 * Lifetime, false},
	} {
		if got := m.Seen(tt.object, tt.reason, t0.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestMemoryIsBounded checks that what is too old makes room, and that what is not does not grow without
// end.
func TestMemoryIsBounded(t *testing.T) {
	var m Memory
	for i := range 3 * maxEvents {
		m.Add(fmt.Sprint(i), "Down", t0)
	}
	if len(m.seen) != maxEvents || !m.Seen("0", "Down", t0) {
		t.Errorf("%d events", len(m.seen))
	}
	m.Add("new", "Down", t0.Add(Lifetime))
	if len(m.seen) != 1 || !m.Seen("new", "Down", t0.Add(Lifetime)) {
		t.Errorf("%d events", len(m.seen))
	}
}
