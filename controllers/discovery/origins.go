// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"slices"
)

// origin is for whom an image is fetched.
type origin struct {
	namespace string
	// arrival orders the images of the namespace by when its workloads began to refer to them;
	// zero for since the start.
	arrival uint64
}

// addNamespace adds a namespace that refers to the image.
func (w *want) addNamespace(namespace string, arrival uint64) {
	i := slices.Index(w.namespaces, namespace)
	if i < 0 {
		w.namespaces, w.arrivals = append(w.namespaces, namespace), append(w.arrivals, arrival)
		return
	}
	w.arrivals[i] = max(w.arrivals[i], arrival)
}

// assign finds the namespace that an image is fetched for: of those that refer to it the one with the
// fewest images that are not verified, so that nobody delays an image by referring to it as well, or
// makes it go before others of that namespace. The children of an index belong to whom the index does.
func (d *decision) assign() {
	for _, w := range d.wants {
		if w.entry == "" || w.verified || !w.admitted {
			continue
		}
		owner := w.originIn(d.unverified)
		d.origins[w.entry] = owner
		for _, child := range d.neededChildren(w.entry) {
			if _, ok := d.origins[child]; !ok {
				d.origins[child] = owner
			}
		}
	}
}

// originIn returns the namespace with the fewest images that are not verified.
func (w *want) originIn(unverified map[string]int) origin {
	var first origin
	for i, namespace := range w.namespaces {
		if i == 0 || cmp.Or(cmp.Compare(unverified[namespace], unverified[first.namespace]), cmp.Compare(namespace, first.namespace)) < 0 {
			first = origin{namespace: namespace, arrival: w.arrivals[i]}
		}
	}
	return first
}

// moveOrigins replaces the origins, and reports the Images to which a namespace has begun to refer since the
// last run: they may wait for their turn as those of another namespace, or of an earlier time. Each is
// reported once.
func (r *Reconciler) moveOrigins(next map[string]origin) {
	r.origins.Store(&next)
	newest := r.newest
	var moved []string
	r.images.mu.Lock()
	for entry, from := range next {
		if from.arrival > r.newest {
			moved = append(moved, r.images.byEntry[entry]...)
			newest = max(newest, from.arrival)
		}
	}
	r.images.mu.Unlock()
	r.newest = newest
	if r.Moved == nil {
		return
	}
	for _, name := range moved {
		r.Moved(name)
	}
}
