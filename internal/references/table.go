// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"slices"
	"strings"
	"sync"
	"unique"
)

// Table holds the references of all workloads. It is safe for concurrent use.
type Table struct {
	mu sync.Mutex
	// objects has the objects of each kind, by the kind's index in Kinds.
	objects []map[key]unique.Handle[set]
	// uses has what uses each reference.
	uses map[unique.Handle[string]]*uses
	// perNamespace counts the distinct references of each namespace.
	perNamespace map[unique.Handle[string]]int
	// disabled are the namespaces that opt out.
	disabled map[string]bool
	// arrivals counts the references, and their first uses in a namespace, that were ever added.
	arrivals uint64
	// dropped counts the references of each namespace that are not remembered, without zeros.
	dropped map[unique.Handle[string]]int

	// changes has an element when something has changed since the last one was taken.
	changes chan struct{}
}

// key names an object of a kind.
type key struct {
	namespace unique.Handle[string]
	name      string
}

// uses is what uses a reference.
type uses struct {
	// arrival orders references by when they were added.
	arrival uint64
	// isNew is set for a reference that appeared after the first list of its kind.
	isNew bool
	// namespaces is sorted in no order. Most references are used in one or two.
	namespaces []namespaceUses
}

// namespaceUses counts the objects of one namespace that use a reference.
type namespaceUses struct {
	namespace    unique.Handle[string]
	active, idle uint32
	// arrival orders the active use among all arrivals; zero for one that was in the first list of
	// its kind.
	arrival uint64
}

// Reference is a reference and what uses it.
type Reference struct {
	// Text is the reference as it is written in the workloads.
	Text unique.Handle[string]
	// Namespaces are those with a workload that creates Pods with the reference, or a Pod that
	// has not ended, without those that opt out of discovery; in no order.
	Namespaces []string
	// Arrivals has for each of Namespaces when its workloads began to use the reference, in the
	// order of Arrival; zero for since the start. It does not depend on other namespaces.
	Arrivals []uint64
	// Arrival orders references by when they appeared.
	Arrival uint64
	// IsNew reports whether the reference appeared after the start.
	IsNew bool
}

// Stats are counts about a table.
type Stats struct {
	// Objects counts the objects of each kind, by its resource.
	Objects map[string]int
	// References counts distinct references.
	References int
	// Dropped counts references that are left out because their object or namespace has too many,
	// by namespace.
	Dropped map[string]int
}

func newTable() *Table {
	t := &Table{
		objects: make([]map[key]unique.Handle[set], len(Kinds())),
		uses:    map[unique.Handle[string]]*uses{}, perNamespace: map[unique.Handle[string]]int{},
		dropped:  map[unique.Handle[string]]int{},
		disabled: map[string]bool{}, changes: make(chan struct{}, 1),
	}
	for i := range t.objects {
		t.objects[i] = map[key]unique.Handle[set]{}
	}
	return t
}

// Changes delivers an element after one or more changes: a reference is new or gone, has its
// first or last active use in a namespace, or a namespace opts in or out.
func (t *Table) Changes() <-chan struct{} { return t.changes }

func (t *Table) notify() {
	select {
	case t.changes <- struct{}{}:
	default:
	}
}

// Each calls visit for every reference, in no order. The table waits meanwhile; visit must not
// call it, and may keep what it gets.
func (t *Table) Each(visit func(Reference)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for text, u := range t.uses {
		reference := Reference{Text: text, Arrival: u.arrival, IsNew: u.isNew}
		for _, n := range u.namespaces {
			if name := n.namespace.Value(); n.active > 0 && !t.disabled[name] {
				reference.Namespaces = append(reference.Namespaces, name)
				reference.Arrivals = append(reference.Arrivals, n.arrival)
			}
		}
		visit(reference)
	}
}

// Stats returns counts.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	stats := Stats{Objects: map[string]int{}, References: len(t.uses), Dropped: make(map[string]int, len(t.dropped))}
	for namespace, n := range t.dropped {
		stats.Dropped[namespace.Value()] = n
	}
	for i, kind := range Kinds() {
		stats.Objects[kind.Resource] = len(t.objects[i])
	}
	return stats
}

// put adds or replaces an object of a kind. isNew is set behind the kind's first list.
func (t *Table) put(kind int, o *Object, isNew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := key{o.namespace, o.name}
	before, known := t.objects[kind][k]
	if o.set == (unique.Handle[set]{}) {
		delete(t.objects[kind], k)
	} else if known && before == o.set {
		return
	} else {
		t.objects[kind][k] = t.add(o.namespace, o.set, isNew)
	}
	if known {
		t.remove(o.namespace, before)
	}
}

// forget removes an object of a kind.
func (t *Table) forget(kind int, o *Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := key{o.namespace, o.name}
	if before, known := t.objects[kind][k]; known {
		delete(t.objects[kind], k)
		t.remove(o.namespace, before)
	}
}

// replace replaces all objects of a kind. What is there before and after is never gone between.
func (t *Table) replace(kind int, objects []*Object, isNew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.objects[kind]
	t.objects[kind] = make(map[key]unique.Handle[set], len(objects))
	for _, o := range objects {
		k := key{o.namespace, o.name}
		if _, twice := t.objects[kind][k]; !twice && o.set != (unique.Handle[set]{}) {
			t.objects[kind][k] = t.add(o.namespace, o.set, isNew)
		}
	}
	for k, set := range before {
		t.remove(k.namespace, set)
	}
}

// add counts the references of an object, and returns the set of those that are kept.
func (t *Table) add(namespace unique.Handle[string], handle unique.Handle[set], isNew bool) unique.Handle[set] {
	s := handle.Value()
	var kept []string
	left := 0
	for reference := range strings.SplitSeq(s.references, separator) {
		if t.addReference(unique.Make(reference), namespace, s.idle, isNew) {
			kept = append(kept, reference)
		} else {
			left++
		}
	}
	if left > 0 {
		s.references, s.dropped = strings.Join(kept, separator), s.dropped+left
		handle = unique.Make(s)
	}
	t.drop(namespace, s.dropped)
	return handle
}

// drop counts references that are not remembered.
func (t *Table) drop(namespace unique.Handle[string], n int) {
	if n == 0 {
		return
	}
	t.notify()
	if t.dropped[namespace] += n; t.dropped[namespace] == 0 {
		delete(t.dropped, namespace)
	}
}

// addReference counts a use. It returns false when the namespace has too many references.
func (t *Table) addReference(reference, namespace unique.Handle[string], idle, isNew bool) bool {
	u, known := t.uses[reference]
	i := -1
	if known {
		i = u.index(namespace)
	}
	if i < 0 {
		if t.perNamespace[namespace] == MaxNamespaceReferences {
			return false
		}
		t.perNamespace[namespace]++
		if !known {
			t.arrivals++
			u = &uses{arrival: t.arrivals, isNew: isNew}
			t.uses[reference] = u
			t.notify()
		}
		u.namespaces = append(u.namespaces, namespaceUses{namespace: namespace})
		i = len(u.namespaces) - 1
	}
	n := &u.namespaces[i]
	if idle {
		n.idle++
		return true
	}
	n.active++
	if n.active == 1 {
		n.arrival = 0
		if isNew {
			t.arrivals++
			n.arrival = t.arrivals
		}
		t.notify()
	}
	return true
}

// remove takes back what add counted.
func (t *Table) remove(namespace unique.Handle[string], handle unique.Handle[set]) {
	s := handle.Value()
	t.drop(namespace, -s.dropped)
	if s.references == "" {
		return
	}
	for reference := range strings.SplitSeq(s.references, separator) {
		t.removeReference(unique.Make(reference), namespace, s.idle)
	}
}

func (t *Table) removeReference(reference, namespace unique.Handle[string], idle bool) {
	u := t.uses[reference]
	if u == nil {
		return
	}
	i := u.index(namespace)
	if i < 0 {
		return
	}
	n := &u.namespaces[i]
	if idle {
		n.idle--
	} else {
		n.active--
		if n.active == 0 {
			t.notify()
		}
	}
	if n.active+n.idle > 0 {
		return
	}
	u.namespaces = slices.Delete(u.namespaces, i, i+1)
	t.perNamespace[namespace]--
	if t.perNamespace[namespace] == 0 {
		delete(t.perNamespace, namespace)
	}
	if len(u.namespaces) == 0 {
		delete(t.uses, reference)
		t.notify()
	}
}

func (u *uses) index(namespace unique.Handle[string]) int {
	return slices.IndexFunc(u.namespaces, func(n namespaceUses) bool { return n.namespace == namespace })
}

// setDisabled records whether a namespace opts out.
func (t *Table) setDisabled(name string, disabled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.disabled[name] == disabled {
		return
	}
	if disabled {
		t.disabled[name] = true
	} else {
		delete(t.disabled, name)
	}
	t.notify()
}

// replaceDisabled replaces the namespaces that opt out.
func (t *Table) replaceDisabled(names map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disabled = names
	t.notify()
}
