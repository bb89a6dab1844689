// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/assay-project/assay/internal/importstatus"
)

const (
	// maxUnverified bounds the references of one namespace that have an Image which is not
	// verified, or wait for one, and maxUnverifiedChildren the Images of the children of indexes.
	// maxTotal bounds both for all namespaces.
	//
	// An Image counts until it is deleted, even if nothing refers to it any more. Otherwise somebody
	// who replaces his references again and again would have any number of Images made.
	maxUnverified         = 500
	maxUnverifiedChildren = 2_000
	maxTotal              = 50_000

	// reserve is the part of maxTotal that is left to namespaces with fewer than smallShare
	// references that are not verified, so that many namespaces together do not keep all others
	// from their first images.
	reserve    = 5_000
	smallShare = 10

	// maxChildren bounds the children of one index for which Images are made.
	maxChildren = 32

	// maxTags bounds the tags in the status of an Image, as its schema does.
	maxTags = 32

	// unusedGrace is how long an image is not used before that is written, or before its Image is
	// deleted if it is not verified. A Pod that is replaced is not worth two writes.
	unusedGrace = 10 * time.Minute
)

// usage is a reference that workloads have.
type usage struct {
	// entry is <repository>@<digest>, empty while the tag has no known digest.
	entry string
	// tag is <repository>:<tag> of a reference by tag, and empty for one by digest.
	tag string
	// namespaces are those for which an Image may be made. There are none for a reference that
	// is outside of all scopes, or has idle uses only.
	namespaces []string
	// arrivals has for each of them when it began to use the reference, zero for since the start.
	arrivals []uint64
	arrival  uint64
	isNew    bool
}

// input is what a plan depends on.
type input struct {
	now    time.Time
	usages []usage
	// images must not change meanwhile.
	images *images
	// isComplete is set when every workload of the cluster is among the usages.
	isComplete bool
	// unusedFrom has the Images that were not used before, by name, and since when.
	unusedFrom map[string]time.Time
	// charges are those of the operator's own Images that are not verified, by entry.
	charges map[string]charge
	// retention is how long an Image is kept that is not used.
	retention time.Duration
}

// plan is what to do. Its lists are in the order in which to do it.
type plan struct {
	create []string // entries
	lookUp []string // tags
	clear  []*imageFacts
	mark   []*imageFacts
	remove []*imageFacts
	retag  []retag
	// moved are the tags that a verified image keeps until the one that they have moved to is verified.
	moved []importstatus.MovedTag
	// excess counts, by namespace, the references that no Image is made for because there are
	// too many.
	excess map[string]int
	// origins has one for each entry that is not verified and has an Image, or is to have one.
	origins map[string]origin
	// unusedFrom and charges are those of the next input.
	unusedFrom map[string]time.Time
	charges    map[string]charge
	// wait is the time until the clock alone makes something due, zero for never.
	wait time.Duration

	counts counts
}

// counts are about the references in the scopes of policies.
type counts struct {
	verified, unverified, pending, unresolved, excess int
	// oldestPending is when the oldest Image was made that has no verdict yet.
	oldestPending time.Time
}

// want is an image that needs an Image: one for all references to it.
type want struct {
	entry, tag string
	namespaces []string
	arrivals   []uint64 // the latest of each of the namespaces
	arrival    uint64
	isNew      bool
	admitted   bool
	verified   bool
}

// decision is a plan in the making.
type decision struct {
	*input
	plan
	used               map[string]bool
	tags               map[string][]*usage // those by tag, by entry
	tagged             map[string]string   // the entry of each tag in use, empty while it is not known
	wants              []*want             // in their order
	children           []*want
	unverified         map[string]int // by namespace
	unverifiedChildren map[string]int // by namespace
	total              int
}

// newDecision counts what there is.
func newDecision(in *input) *decision {
	d := &decision{
		input: in, used: map[string]bool{}, tags: map[string][]*usage{}, tagged: map[string]string{}, unverified: map[string]int{}, unverifiedChildren: map[string]int{},
		plan: plan{excess: map[string]int{}, origins: map[string]origin{}, unusedFrom: map[string]time.Time{}, charges: map[string]charge{}},
	}
	d.collect()
	d.count()
	d.useChildren()
	d.countLeftovers()
	return d
}

// decide makes a plan. It is a function of its input alone.
func decide(in *input) *plan {
	d := newDecision(in)
	d.admit()
	d.assign()
	d.resolved()
	d.garbage()
	d.retags()
	// They come from maps.
	for _, facts := range [][]*imageFacts{d.clear, d.mark, d.plan.remove} {
		slices.SortFunc(facts, func(a, b *imageFacts) int { return cmp.Compare(a.name, b.name) })
	}
	slices.SortFunc(d.retag, func(a, b retag) int { return cmp.Compare(a.image.name, b.image.name) })
	slices.SortFunc(d.moved, func(a, b importstatus.MovedTag) int {
		return cmp.Or(cmp.Compare(a.Image, b.Image), cmp.Compare(a.Previous, b.Previous))
	})
	return &d.plan
}

// collect merges the references to one image.
func (d *decision) collect() {
	byImage := map[string]*want{}
	for i := range d.usages {
		u := &d.usages[i]
		key := cmp.Or(u.entry, u.tag)
		if u.tag != "" {
			d.tagged[u.tag] = u.entry
		}
		if u.entry != "" {
			d.used[u.entry] = true
			if u.tag != "" {
				d.tags[u.entry] = append(d.tags[u.entry], u)
			}
		}
		if len(u.namespaces) == 0 {
			continue
		}
		w := byImage[key]
		if w == nil {
			w = &want{entry: u.entry, tag: u.tag, arrival: u.arrival}
			byImage[key] = w
			d.wants = append(d.wants, w)
		}
		w.isNew = w.isNew || u.isNew
		w.arrival = min(w.arrival, u.arrival)
		for i, namespace := range u.namespaces {
			w.addNamespace(namespace, u.arrivals[i])
		}
	}
	slices.SortFunc(d.wants, compareWants)
}

// compareWants puts what is new first, because somebody waits for it.
func compareWants(a, b *want) int {
	if a.isNew != b.isNew {
		if a.isNew {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.arrival, b.arrival), cmp.Compare(a.entry, b.entry), cmp.Compare(a.tag, b.tag))
}

// count counts the Images that there are.
func (d *decision) count() {
	for _, w := range d.wants {
		f := d.images.find(w.entry)
		switch {
		case w.entry == "":
			d.counts.unresolved++
			continue
		case f == nil:
			continue
		case d.images.isVerified(w.entry):
			w.verified = true
			d.counts.verified++
		default:
			d.chargeImage(f, charge{namespaces: w.namespaces})
			d.counts.unverified++
			if !f.evaluated {
				d.counts.pending++
				if d.counts.oldestPending.IsZero() || f.created.Before(d.counts.oldestPending) {
					d.counts.oldestPending = f.created
				}
			}
		}
		w.admitted = true
	}
}

// useChildren makes the children of an index used ones: an index counts as verified when all of
// them are. An index that is verified itself needs no Images of its children.
func (d *decision) useChildren() {
	for _, w := range d.wants {
		for _, child := range d.neededChildren(w.entry) {
			if d.used[child] {
				continue
			}
			d.used[child] = true
			f := d.images.find(child)
			if f == nil {
				d.children = append(d.children, &want{entry: child, namespaces: w.namespaces, isNew: w.isNew})
			} else if !f.verified {
				d.chargeImage(f, charge{namespaces: w.namespaces, isChild: true})
			}
		}
	}
	for _, f := range d.images.byName {
		if len(f.children) > 0 && d.used[f.entry] {
			for _, child := range d.neededChildren(f.entry) {
				d.used[child] = true
			}
		}
	}
}

// neededChildren returns the children of an index on which it depends whether it is verified.
func (d *decision) neededChildren(entry string) []string {
	f := d.images.find(entry)
	if f == nil || !f.evaluated || f.verified || len(f.children) > maxChildren {
		return nil
	}
	return f.children
}

// admit chooses what Images are made for, as far as the bounds allow: namespaces take turns, so
// that none waits for the references of another.
func (d *decision) admit() {
	d.takeTurns(d.children, d.hasRoomForChild, true)
	children := d.create
	d.create = nil
	d.takeTurns(d.wants, d.hasRoom, false)
	d.create = alternate(children, d.create)
	for _, w := range d.wants {
		if !w.admitted {
			d.counts.excess++
			for _, namespace := range w.namespaces {
				d.excess[namespace]++
			}
		}
	}
}

// alternate returns one of each list in turn, so that neither waits for all of the other.
func alternate(a, b []string) []string {
	all := make([]string, 0, len(a)+len(b))
	for i := range max(len(a), len(b)) {
		all = append(all, a[min(i, len(a)):min(i+1, len(a))]...)
		all = append(all, b[min(i, len(b)):min(i+1, len(b))]...)
	}
	return all
}

// takeTurns admits what is wanted, as far as there is room: first what is new.
func (d *decision) takeTurns(wants []*want, hasRoom func(namespace string) bool, areChildren bool) {
	queues := map[string][]*want{}
	for _, w := range wants {
		if !w.admitted {
			for _, namespace := range w.namespaces {
				queues[namespace] = append(queues[namespace], w)
			}
		}
	}
	for _, isNew := range []bool{true, false} {
		d.takeEach(queues, isNew, hasRoom, areChildren)
	}
}

// takeEach admits one reference of each namespace after the other, of those that are new or of
// those that are not. Those with the fewest unverified images begin.
func (d *decision) takeEach(queues map[string][]*want, isNew bool, hasRoom func(namespace string) bool, areChildren bool) {
	names := slices.Sorted(maps.Keys(queues))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(d.unverified[a], d.unverified[b]) })
	for len(names) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool {
			queue := queues[name]
			for len(queue) > 0 && queue[0].admitted {
				queue = queue[1:]
			}
			queues[name] = queue
			if len(queue) == 0 || queue[0].isNew != isNew || !hasRoom(name) {
				return true
			}
			d.take(queue[0], areChildren)
			return false
		})
	}
}

func (d *decision) take(w *want, isChild bool) {
	w.admitted = true
	c := charge{namespaces: w.namespaces, isChild: isChild}
	d.charge(c)
	if w.entry == "" {
		d.lookUp = append(d.lookUp, w.tag)
	} else {
		d.make(w.entry, c)
	}
}

// resolved has the tags that are known looked up again when they are due, behind those that are
// not.
func (d *decision) resolved() {
	for i := range d.usages {
		if u := &d.usages[i]; u.tag != "" && u.entry != "" && len(u.namespaces) > 0 {
			d.lookUp = append(d.lookUp, u.tag)
		}
	}
}

// garbage finds out which of the operator's own Images are not used any more, and for how long. One
// that is not verified is of no use to anybody, and goes as soon as that is certain: at once where
// others wait for its room.
func (d *decision) garbage() {
	grace := unusedGrace
	if d.total >= maxTotal-reserve {
		grace = 0
	}
	for name, f := range d.images.byName {
		switch {
		case !f.discovered:
		case f.keep || d.used[f.entry] || len(d.keptTags(f)) > 0:
			if !f.unusedSince.IsZero() {
				d.clear = append(d.clear, f)
			}
		case !d.isComplete:
			// What uses it may not be known yet.
		case f.unusedSince.IsZero():
			from, known := d.input.unusedFrom[name]
			if !known || from.After(d.now) {
				from = d.now
			}
			d.plan.unusedFrom[name] = from
			if !d.images.isVerified(f.entry) {
				if d.isDue(from.Add(grace)) {
					d.remove = append(d.remove, f)
				}
			} else if d.isDue(from.Add(unusedGrace)) {
				d.mark = append(d.mark, f)
			}
		case d.isDue(f.unusedSince.Add(d.retention)):
			d.remove = append(d.remove, f)
		}
	}
}

// isDue reports whether a time has come, and remembers it if it has not.
func (d *decision) isDue(at time.Time) bool {
	left := at.Sub(d.now)
	if left > 0 && (d.wait == 0 || left < d.wait) {
		d.wait = left
	}
	return left <= 0
}
