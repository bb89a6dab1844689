// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verdictcache_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assay-project/assay/internal/verdictcache"
)

const (
	app   = "registry.example.com/app@sha256:a"
	other = "registry.example.com/other@sha256:b"
	scope = "registry.example.com"
)

// verified is a verdict that lists an entry.
func verified(entry string) verdictcache.Verdict {
	return verdictcache.Verdict{UID: "1", Inputs: state(10), Revision: 3, Entry: entry, Scope: scope}
}

// state is the n-th state of an Image.
func state(n byte) verdictcache.Inputs { return verdictcache.Inputs{0: n} }

// notified reports whether an event is waiting, and takes it.
func notified(c *verdictcache.Cache) bool {
	select {
	case <-c.Changes():
		return true
	default:
		return false
	}
}

// TestChangesOfTheAllowlist checks which records cause an event: those that change what the
// allowlist holds, or which Images were evaluated, and no confirmation of a verdict.
func TestChangesOfTheAllowlist(t *testing.T) {
	confirmed := verified(app)
	confirmed.Inputs, confirmed.Revision = state(11), 4
	recreated := confirmed
	recreated.UID = "2"
	moved := recreated
	moved.Scope = "registry.example.com/app"
	refused := moved
	refused.Entry, refused.Scope = "", ""
	incomplete := refused
	incomplete.Incomplete = true
	c := verdictcache.New()
	if notified(c) {
		t.Error("an event before anything was recorded")
	}
	steps := []struct {
		name    string
		verdict verdictcache.Verdict
		event   bool
		entries []string
	}{
		{"the first verdict", verified(app), true, []string{app}},
		{"the same again", verified(app), false, []string{app}},
		{"a newer state", confirmed, false, []string{app}},
		{"another object of the name", recreated, true, []string{app}},
		{"another scope", moved, true, []string{app}},
		{"a refusal", refused, true, nil},
		{"a refusal again", refused, false, nil},
		{"an incomplete verdict", incomplete, true, nil},
		{"an incomplete verdict again", incomplete, false, nil},
		{"another entry", verified(other), true, []string{other}},
	}
	for _, step := range steps {
		c.Record("app", step.verdict)
		if got := notified(c); got != step.event {
			t.Errorf("%s: event %v, want %v", step.name, got, step.event)
		}
		if diff := cmp.Diff(step.entries, entries(c)); diff != "" {
			t.Errorf("%s: entries (-want +got):\n%s", step.name, diff)
		}
	}
	for _, want := range []bool{true, false} {
		c.Forget("app")
		if got := notified(c); got != want {
			t.Errorf("forgotten: event %v, want %v", got, want)
		}
	}
	if got := entries(c); len(got) != 0 {
		t.Errorf("entries %v of an Image that is forgotten", got)
	}
}

// entries are those of a cluster whose scopes are no entries, sorted.
func entries(c *verdictcache.Cache) []string {
	got := c.Entries(func(string) bool { return false })
	slices.Sort(got)
	if len(got) == 0 {
		return nil
	}
	return got
}

// TestEventsDoNotPileUp checks that one event stands for many changes, and that a change
// after it was taken causes another.
func TestEventsDoNotPileUp(t *testing.T) {
	c := verdictcache.New()
	for i := range 100 {
		c.Record(fmt.Sprint(i), verified(app))
	}
	c.Notify()
	if !notified(c) || notified(c) {
		t.Error("want exactly one event for many changes")
	}
	c.Forget("7")
	if !notified(c) {
		t.Error("no event for a change after the last one was taken")
	}
}

// TestCurrent checks that a verdict counts for exactly the state that it was made from.
func TestCurrent(t *testing.T) {
	c := verdictcache.New()
	c.Record("app", verified(app))
	tests := map[string]struct {
		name, uid                  string
		inputs                     byte
		revision                   uint64
		current, isOf, isEvaluated bool
	}{
		"the state":               {"app", "1", 10, 3, true, true, true},
		"what is written":         {"app", "1", 11, 3, true, true, true},
		"another state":           {"app", "1", 9, 3, false, false, true},
		"newer policies":          {"app", "1", 10, 4, false, true, true},
		"an object created again": {"app", "2", 10, 3, false, false, false},
		"another Image":           {"other", "1", 10, 3, false, false, false},
	}
	for _, incomplete := range []bool{false, true} {
		verdict := verified(app)
		verdict.Incomplete = incomplete
		c.Record("app", verdict)
		c.ExpectWritten("app", "1", state(11))
		c.ExpectWritten("app", "an earlier object", state(12))
		c.ExpectWritten("other", "1", state(10))
		for name, tt := range tests {
			t.Run(fmt.Sprint(name, ", incomplete: ", incomplete), func(t *testing.T) {
				uid := types.UID(tt.uid)
				if current, complete := c.Current(tt.name, uid, state(tt.inputs), tt.revision); current != tt.current || complete != (current && !incomplete) {
					t.Errorf("Current = %v, %v, want %v", current, complete, tt.current)
				}
				if got := c.IsOf(tt.name, uid, state(tt.inputs)); got != tt.isOf {
					t.Errorf("IsOf = %v, want %v", got, tt.isOf)
				}
				if got := c.Evaluated(tt.name, uid); got != tt.isEvaluated {
					t.Errorf("Evaluated = %v, want %v", got, tt.isEvaluated)
				}
			})
		}
	}
}

// TestAddedEntries checks which verdicts add an entry that no Image had before.
func TestAddedEntries(t *testing.T) {
	c := verdictcache.New()
	steps := []struct {
		name, entry string
		want        bool
	}{
		{"first", app, true},
		{"first", app, false},
		{"copy", app, false},
		{"first", other, true},
		{"copy", "", false},
		{"copy", app, true},
	}
	for i, step := range steps {
		if got := c.Record(step.name, verified(step.entry)); got != step.want {
			t.Errorf("step %d: added = %v, want %v", i, got, step.want)
		}
		if got, _ := c.Verified(step.name); got != (step.entry != "") {
			t.Errorf("step %d: Verified = %v", i, got)
		}
	}
	c.Forget("copy")
	c.Forget("copy")
	costly := verified(app)
	costly.Cost = 7
	if got, _ := c.Verified("copy"); got || !c.Record("copy", costly) {
		t.Error("an entry whose Image is forgotten is not added again")
	}
	if got, cost := c.Verified("copy"); !got || cost != 7 {
		t.Errorf("Verified = %v, %d, want the cost of the verdict", got, cost)
	}
}

// TestEntryWithAScopeOfItsOwn checks that a digest that has policies of its own is listed by
// these alone.
func TestEntryWithAScopeOfItsOwn(t *testing.T) {
	c := verdictcache.New()
	byRegistry := verified(app)
	byDigest := verified(app)
	byDigest.Scope = app
	c.Record("by-registry", byRegistry)
	c.Record("elsewhere", verified(other))
	hasScope := func(entry string) bool { return entry == app }
	if got := c.Entries(hasScope); !slices.Equal(got, []string{other}) {
		t.Errorf("entries %v, want the one without a scope of its own", got)
	}
	c.Record("by-digest", byDigest)
	got := c.Entries(hasScope)
	slices.Sort(got)
	if !slices.Equal(got, []string{app, other}) {
		t.Errorf("entries %v, want both", got)
	}
}

// TestPending checks that a pending entry counts as if it were verified for Pending, with what is
// derived from it, and not for Entries.
func TestPending(t *testing.T) {
	c := verdictcache.New()
	pending := func(verdict verdictcache.Verdict) verdictcache.Verdict {
		verdict.Entry, verdict.Pending, verdict.Incomplete = "", verdict.Entry, true
		return verdict
	}
	c.Record("pending", pending(verified(app)))
	c.Record("pending index", pending(signed(index("multi", children("amd64")))))
	c.Record("verified", verified(other))
	noScopes := func(string) bool { return false }
	got := c.Pending(noScopes)
	slices.Sort(got)
	want := []string{app, other, entryOf("multi"), entryOf("amd64")}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pending entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{other}, entries(c)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if got := c.Pending(func(entry string) bool { return entry == app }); slices.Contains(got, app) {
		t.Error("an entry with a scope of its own is pending by another one")
	}
}

// TestConcurrentUse records, forgets and reads at the same time, for the race detector, and
// checks that nothing is lost.
func TestConcurrentUse(t *testing.T) {
	c := verdictcache.New()
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 100 {
				name := fmt.Sprintf("%d-%d", worker, i)
				c.Record(name, verified(name))
				if i%2 == 0 {
					c.Forget(name)
				}
				c.Entries(func(string) bool { return true })
			}
		})
	}
	workers.Wait()
	if got := len(entries(c)); got != 8*50 {
		t.Errorf("%d entries, want %d", got, 8*50)
	}
	if !notified(c) {
		t.Error("no event")
	}
}
