// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// changed reports whether the table has announced a change, and takes the announcement.
func changed(t *Table) bool {
	select {
	case <-t.Changes():
		return true
	default:
		return false
	}
}

func TestTable(t *testing.T) {
	table := newTable()
	const deployments, replicaSets, pods = 0, 1, 7
	for _, step := range []struct {
		name    string
		do      func()
		changes bool
		want    []string
	}{
		{"a workload", func() { table.put(deployments, object("shop", "web", false, "app:1", "proxy"), true) }, true, []string{"app:1: shop", "proxy: shop"}},
		{"its ReplicaSet", func() { table.put(replicaSets, object("shop", "web-1", false, "app:1", "proxy"), true) }, false, []string{"app:1: shop", "proxy: shop"}},
		{"the same again", func() { table.put(replicaSets, object("shop", "web-1", false, "app:1", "proxy"), true) }, false, []string{"app:1: shop", "proxy: shop"}},
		{"another namespace", func() { table.put(pods, object("test", "web", false, "app:1"), true) }, true, []string{"app:1: shop test", "proxy: shop"}},
		{"it opts out", func() { table.setDisabled("test", true) }, true, []string{"app:1: shop", "proxy: shop"}},
		{"it opts out again", func() { table.setDisabled("test", true) }, false, []string{"app:1: shop", "proxy: shop"}},
		{"it opts in", func() { table.setDisabled("test", false) }, true, []string{"app:1: shop test", "proxy: shop"}},
		{"a new version", func() { table.put(deployments, object("shop", "web", false, "app:2", "proxy"), true) }, true, []string{"app:1: shop test", "app:2: shop", "proxy: shop"}},
		{"the old ReplicaSet is idle", func() { table.put(replicaSets, object("shop", "web-1", true, "app:1", "proxy"), true) }, true, []string{"app:1: test", "app:2: shop", "proxy: shop"}},
		{"the Pod goes", func() { table.forget(pods, object("test", "web", false, "app:1")) }, true, []string{"app:1: ", "app:2: shop", "proxy: shop"}},
		{"it goes again", func() { table.forget(pods, object("test", "web", false, "app:1")) }, false, []string{"app:1: ", "app:2: shop", "proxy: shop"}},
		{"the old ReplicaSet goes", func() { table.forget(replicaSets, object("shop", "web-1", false)) }, true, []string{"app:2: shop", "proxy: shop"}},
		{"a list with the same", func() { table.replace(deployments, []*Object{object("shop", "web", false, "app:2", "proxy")}, true) }, false, []string{"app:2: shop", "proxy: shop"}},
		{"a list with others", func() {
			table.replace(deployments, []*Object{object("shop", "api", false, "proxy"), object("shop", "none", false)}, true)
		}, true, []string{"proxy: shop"}},
		{"a workload without references", func() { table.put(deployments, object("shop", "api", false), true) }, true, nil},
	} {
		step.do()
		if got := changed(table); got != step.changes {
			t.Errorf("%s: a change: %v", step.name, got)
		}
		if diff := cmp.Diff(step.want, content(table)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	if len(table.uses)+len(table.perNamespace)+len(table.disabled) > 0 {
		t.Errorf("an empty table remembers: %+v", table)
	}
}

// References have an order, and those of the first lists are not new.
func TestArrivals(t *testing.T) {
	table := newTable()
	table.replace(0, []*Object{object("shop", "a", false, "old")}, false)
	table.put(0, object("shop", "b", false, "new", "old"), true)
	table.put(0, object("shop", "c", false, "newer"), true)
	got := map[string]Reference{}
	table.Each(func(r Reference) { got[r.Text.Value()] = r })
	if got["old"].IsNew || !got["new"].IsNew || !got["newer"].IsNew {
		t.Errorf("got %+v", got)
	}
	if got["old"].Arrival >= got["new"].Arrival || got["new"].Arrival >= got["newer"].Arrival {
		t.Errorf("got %+v", got)
	}
}

// Each namespace has an order of its own: when its workloads began to use a reference. What makes no
// Pods is no use, and what was in the first lists has no place in the order.
func TestArrivalsByNamespace(t *testing.T) {
	table := newTable()
	arrival := func(reference, namespace string) (found uint64) {
		table.Each(func(r Reference) {
			for i, name := range r.Namespaces {
				if name == namespace && r.Text.Value() == reference {
					found = r.Arrivals[i]
				}
			}
		})
		return found
	}
	table.replace(0, []*Object{object("shop", "a", false, "app"), object("shop", "b", true, "rolled-back")}, false)
	table.put(0, object("test", "a", false, "app"), true)
	table.put(0, object("shop", "c", false, "app", "next"), true)
	first, next := arrival("app", "test"), arrival("next", "shop")
	if arrival("app", "shop") != 0 || first == 0 || next <= first {
		t.Errorf("shop %d, test %d, next %d", arrival("app", "shop"), first, next)
	}
	table.put(0, object("shop", "b", false, "rolled-back"), true)
	if arrival("rolled-back", "shop") <= next {
		t.Errorf("what is rolled back to has %d", arrival("rolled-back", "shop"))
	}
	table.put(1, object("test", "a-1", false, "app"), true)
	table.replace(0, []*Object{object("test", "a", false, "app"), object("shop", "a", false, "app")}, true)
	if arrival("app", "test") != first || arrival("app", "shop") != 0 {
		t.Errorf("in use all the time: test %d, shop %d", arrival("app", "test"), arrival("app", "shop"))
	}
}

// One namespace cannot fill the memory, and what it has too much is counted.
func TestNamespaceBound(t *testing.T) {
	table := newTable()
	const each = 100
	var objects []*Object
	for n := range MaxNamespaceReferences/each + 2 {
		var refs []string
		for i := range each {
			refs = append(refs, fmt.Sprintf("app-%d-%d", n, i))
		}
		objects = append(objects, object("flood", fmt.Sprint(n), false, refs...))
		table.put(7, objects[n], true)
	}
	table.put(7, object("shop", "web", false, "app-0-0", "shop"), true)
	want := Stats{References: MaxNamespaceReferences + 1, Dropped: map[string]int{"flood": len(objects)*each - MaxNamespaceReferences}}
	check := func(want Stats) {
		t.Helper()
		got := table.Stats()
		got.Objects = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	check(want)
	// The counts stay right when what was cut short goes, in any order.
	for i := range objects {
		table.forget(7, objects[len(objects)-1-i])
	}
	check(Stats{References: 2, Dropped: map[string]int{}})
	if diff := cmp.Diff([]string{"app-0-0: shop", "shop: shop"}, content(table)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
