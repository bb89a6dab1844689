// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/importstatus"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const retention = 168 * time.Hour

// entry returns the entry of an image of repository registry.example.com/<name>.
func entry(name string) string {
	return "registry.example.com/" + name + "@" + digest.FromString(name).String()
}

// by is a reference by digest, used in namespaces.
func by(name string, namespaces ...string) usage {
	return usage{entry: entry(name), namespaces: namespaces, arrivals: make([]uint64, len(namespaces))}
}

// fact is an Image of the operator's own that has no verdict yet.
func fact(name string, change ...func(*imageFacts)) *imageFacts {
	f := &imageFacts{name: name, entry: entry(name), discovered: true, created: now}
	for _, c := range change {
		c(f)
	}
	return f
}

func verified(f *imageFacts)  { f.evaluated, f.verified = true, true }
func refused(f *imageFacts)   { f.evaluated = true }
func byPerson(f *imageFacts)  { f.discovered = false }
func requested(f *imageFacts) { f.keep = true }
func unused(ago time.Duration) func(*imageFacts) {
	return func(f *imageFacts) { f.unusedSince = now.Add(-ago) }
}
func indexOf(children ...string) func(*imageFacts) {
	return func(f *imageFacts) {
		for _, child := range children {
			f.children = append(f.children, entry(child))
		}
	}
}
func tagged(tags ...string) func(*imageFacts) { return func(f *imageFacts) { f.tags = tags } }

func imagesOf(facts ...*imageFacts) *images {
	x := newImages()
	for _, f := range facts {
		x.byName[f.name] = f
		x.byEntry[f.entry] = append(x.byEntry[f.entry], f.name)
	}
	return x
}

// outline is what a plan does, for comparisons.
type outline struct {
	Create, LookUp, Clear, Mark, Remove, Retag []string
	Excess                                     map[string]int
	Wait                                       time.Duration
}

func outlineOf(p *plan) outline {
	short := func(entries []string) (names []string) {
		for _, e := range entries {
			name, _, _ := strings.Cut(strings.TrimPrefix(e, "registry.example.com/"), "@")
			names = append(names, name)
		}
		return names
	}
	names := func(facts []*imageFacts) (names []string) {
		for _, f := range facts {
			names = append(names, f.name)
		}
		return names
	}
	o := outline{
		Create: short(p.create), LookUp: short(p.lookUp), Clear: names(p.clear), Mark: names(p.mark), Remove: names(p.remove), Wait: p.wait,
	}
	for _, r := range p.retag {
		o.Retag = append(o.Retag, r.image.name+" "+strings.Join(r.tags, " "))
	}
	if len(p.excess) > 0 {
		o.Excess = p.excess
	}
	return o
}

func TestDecide(t *testing.T) {
	arrived := func(u usage, arrival uint64, isNew bool) usage {
		u.arrival, u.isNew = arrival, isNew
		return u
	}
	byTag := func(name, tag, resolved string, namespaces ...string) usage {
		u := usage{tag: "registry.example.com/" + name + ":" + tag, namespaces: namespaces, arrivals: make([]uint64, len(namespaces))}
		if resolved != "" {
			u.entry = entry(resolved)
		}
		return u
	}
	cases := map[string]struct {
		usages     []usage
		images     []*imageFacts
		incomplete bool
		unusedFrom map[string]time.Time
		want       outline
	}{
		"nothing": {},
		"a new image": {
			usages: []usage{by("app", "shop")}, want: outline{Create: []string{"app"}},
		},
		"it is there": {
			usages: []usage{by("app", "shop")}, images: []*imageFacts{fact("app")},
		},
		"a person's Image of it is there": {
			usages: []usage{by("app", "shop")}, images: []*imageFacts{fact("app", byPerson)},
		},
		"idle or out of scope": {
			usages: []usage{by("app")},
		},
		"two references to one image": {
			usages: []usage{by("app", "shop"), byTag("app", "v1", "app", "test")}, want: outline{Create: []string{"app"}, LookUp: []string{"app:v1"}},
		},
		"what is new goes first": {
			usages: []usage{
				arrived(by("old", "shop"), 1, false), arrived(by("newer", "shop"), 4, true), arrived(by("new", "shop"), 3, true), arrived(by("older", "shop"), 0, false),
			},
			want: outline{Create: []string{"new", "newer", "older", "old"}},
		},
		"namespaces take turns": {
			usages: []usage{
				arrived(by("a1", "a"), 1, true), arrived(by("a2", "a"), 2, true), arrived(by("a3", "a"), 3, true), arrived(by("b1", "b"), 4, true), arrived(by("ab", "a", "b"), 5, true),
			},
			want: outline{Create: []string{"a1", "b1", "a2", "ab", "a3"}},
		},
		"the namespace with less goes first": {
			usages: []usage{arrived(by("a1", "a"), 1, true), arrived(by("a2", "a"), 2, true), arrived(by("b1", "b"), 4, true)},
			images: []*imageFacts{fact("a1", refused)},
			want:   outline{Create: []string{"b1", "a2"}},
		},
		"an unresolved tag": {
			usages: []usage{byTag("app", "v1", "", "shop"), by("x", "shop")}, want: outline{Create: []string{"x"}, LookUp: []string{"app:v1"}},
		},
		"a resolved tag": {
			usages: []usage{byTag("app", "v1", "app", "shop"), byTag("app", "v0", "app")}, images: []*imageFacts{fact("app", tagged("v0", "v1"))},
			want: outline{LookUp: []string{"app:v1"}},
		},
		"a tag has moved": {
			usages: []usage{byTag("app", "v1", "app2", "shop")},
			images: []*imageFacts{fact("app", tagged("v1")), fact("app2")},
			want:   outline{LookUp: []string{"app:v1"}, Retag: []string{"app ", "app2 v1"}, Wait: unusedGrace},
		},
		"not all is known": {
			images: []*imageFacts{fact("app", tagged("v1"), unused(2*retention)), fact("b")}, incomplete: true,
		},
		"unused for a moment": {
			images: []*imageFacts{fact("app")}, want: outline{Wait: unusedGrace},
		},
		"unused for a while": {
			images: []*imageFacts{fact("app", verified)}, unusedFrom: map[string]time.Time{"app": now.Add(-unusedGrace)}, want: outline{Mark: []string{"app"}},
		},
		"unused for a while and not verified": {
			images:     []*imageFacts{fact("app", refused), fact("new"), fact("index", refused, indexOf("app2")), fact("app2", verified)},
			unusedFrom: map[string]time.Time{"app": now.Add(-unusedGrace), "new": now.Add(-unusedGrace), "index": now.Add(-unusedGrace), "app2": now.Add(-unusedGrace)},
			want:       outline{Mark: []string{"app2", "index"}, Remove: []string{"app", "new"}},
		},
		"unused from a time to come": {
			images: []*imageFacts{fact("app")}, unusedFrom: map[string]time.Time{"app": now.Add(retention)}, want: outline{Wait: unusedGrace},
		},
		"unused and marked": {
			images: []*imageFacts{fact("app", unused(time.Hour)), fact("b", unused(2*time.Hour))}, want: outline{Wait: retention - 2*time.Hour},
		},
		"unused for long": {
			images: []*imageFacts{fact("app", unused(retention))}, want: outline{Remove: []string{"app"}},
		},
		"used again": {
			usages: []usage{by("app")}, images: []*imageFacts{fact("app", unused(2*retention))}, incomplete: true, want: outline{Clear: []string{"app"}},
		},
		"a person's Image is not garbage": {
			images: []*imageFacts{fact("app", byPerson, unused(2*retention))}, unusedFrom: map[string]time.Time{"app": now.Add(-retention)},
		},
		"one that was asked for is not": {
			images: []*imageFacts{fact("app", requested)}, unusedFrom: map[string]time.Time{"app": now.Add(-retention)},
		},
		"an index that is not verified": {
			usages: []usage{by("index", "shop")}, images: []*imageFacts{fact("index", refused, indexOf("amd64", "arm64")), fact("arm64")},
			want: outline{Create: []string{"amd64"}},
		},
		"an index that has no verdict": {
			usages: []usage{by("index", "shop")}, images: []*imageFacts{fact("index", indexOf("amd64"))},
		},
		"an index that is verified": {
			usages: []usage{by("index", "shop")}, images: []*imageFacts{fact("index", verified, indexOf("amd64", "arm64")), fact("arm64")},
			want: outline{Wait: unusedGrace},
		},
		"an index that is idle": {
			usages: []usage{by("index")}, images: []*imageFacts{fact("index", refused, indexOf("amd64", "arm64")), fact("arm64", unused(time.Hour))},
			want: outline{Clear: []string{"arm64"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := func() *input {
				return &input{now: now, usages: c.usages, images: imagesOf(c.images...), isComplete: !c.incomplete, unusedFrom: c.unusedFrom, retention: retention}
			}
			if diff := cmp.Diff(c.want, outlineOf(decide(in()))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			reversed := in()
			reversed.usages = slices.Clone(reversed.usages)
			slices.Reverse(reversed.usages)
			got := outlineOf(decide(reversed))
			slices.Sort(got.LookUp)
			want := c.want
			want.LookUp = slices.Sorted(slices.Values(want.LookUp))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the order of the references counts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMovedTag: a tag that has moved stays with the verified image that had it until the other one is
// verified, and one whose digest is not known stays where it is.
func TestMovedTag(t *testing.T) {
	const tag = "registry.example.com/app:v1"
	onTag := func(resolved string) []usage {
		u := usage{tag: tag, namespaces: []string{"shop"}, arrivals: []uint64{0}}
		if resolved != "" {
			u.entry = entry(resolved)
		}
		return []usage{u}
	}
	ofApp := func(f *imageFacts) { f.entry = "registry.example.com/app@" + digest.FromString(f.name).String() }
	usageOf := func(name string) []usage {
		usages := onTag("")
		usages[0].entry = "registry.example.com/app@" + digest.FromString(name).String()
		return usages
	}
	cases := map[string]struct {
		usages []usage
		before []string // tags of the image that had the tag
		after  []func(*imageFacts)
		want   []string
		// waits: the tag has moved to an image that is not verified.
		waits bool
	}{
		"not verified yet":   {usageOf("new"), []string{"v1"}, []func(*imageFacts){ofApp}, []string{"new v1"}, true},
		"refused":            {usageOf("new"), []string{"v1"}, []func(*imageFacts){ofApp, refused, tagged("v1")}, nil, true},
		"verified":           {usageOf("new"), []string{"v1"}, []func(*imageFacts){ofApp, verified, tagged("v1")}, []string{"old "}, false},
		"both at once":       {usageOf("new"), []string{"v1"}, []func(*imageFacts){ofApp, verified}, []string{"new v1", "old "}, false},
		"not known":          {onTag(""), []string{"v1"}, []func(*imageFacts){ofApp}, nil, false},
		"not used any more":  {nil, []string{"v1"}, []func(*imageFacts){ofApp}, []string{"old "}, false},
		"moved back, in use": {usageOf("old"), []string{"v1"}, []func(*imageFacts){ofApp, tagged("v1")}, []string{"new "}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			images := imagesOf(fact("old", ofApp, verified, tagged(c.before...)), fact("new", c.after...))
			p := decide(&input{now: now, isComplete: true, images: images, usages: c.usages, retention: retention})
			if diff := cmp.Diff(c.want, outlineOf(p).Retag); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(p.mark) > 0 || len(p.remove) > 0 {
				t.Errorf("marks %d and removes %d Images", len(p.mark), len(p.remove))
			}
			var moved []importstatus.MovedTag
			if c.waits {
				moved = []importstatus.MovedTag{{Image: tag, Digest: digest.FromString("new").String(), Name: "new", Previous: digest.FromString("old").String()}}
			}
			if diff := cmp.Diff(moved, p.moved); diff != "" {
				t.Errorf("reported as moved (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMovedTagWithoutImage: a tag that has moved to an image for which there is no Image yet is
// reported without one, and tags come by name.
func TestMovedTagWithoutImage(t *testing.T) {
	var usages []usage
	for _, name := range []string{"b", "a"} {
		usages = append(usages, usage{
			tag: "registry.example.com/" + name + ":v1", entry: "registry.example.com/" + name + "@" + digest.FromString("new").String(), namespaces: []string{"shop"}, arrivals: []uint64{1},
		})
	}
	images := imagesOf(fact("b", verified, tagged("v1")), fact("a", verified, tagged("v1")))
	var want []importstatus.MovedTag
	for _, name := range []string{"a", "b"} {
		want = append(want, importstatus.MovedTag{
			Image: "registry.example.com/" + name + ":v1", Digest: digest.FromString("new").String(), Previous: digest.FromString(name).String(),
		})
	}
	p := decide(&input{now: now, isComplete: true, images: images, usages: usages, retention: retention})
	if diff := cmp.Diff(want, p.moved); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An index with too many children derives nothing, so that they need no Images.
func TestManyChildren(t *testing.T) {
	var children []string
	for n := range maxChildren + 1 {
		children = append(children, fmt.Sprint("child", n))
	}
	in := &input{now: now, usages: []usage{by("index", "shop")}, isComplete: true, images: imagesOf(fact("index", refused, indexOf(children...)))}
	if p := decide(in); len(p.create) > 0 {
		t.Errorf("creates %d Images", len(p.create))
	}
	in.images = imagesOf(fact("index", refused, indexOf(children[:maxChildren]...)))
	if p := decide(in); len(p.create) != maxChildren {
		t.Errorf("creates %d Images", len(p.create))
	}
}

// make makes what a plan creates, and again until nothing is left. It returns the entries in order and
// the last plan.
func (in *input) make() (made []string, last *plan) {
	for {
		p := decide(in)
		if len(p.create) == 0 {
			return made, p
		}
		for _, e := range p.create {
			in.images.byName[e], in.images.byEntry[e] = &imageFacts{name: e, entry: e, discovered: true}, []string{e}
		}
		made = append(made, p.create...)
		in.charges = p.charges
	}
}

// One namespace that refers to very many images takes nothing from another.
func TestFlood(t *testing.T) {
	in := &input{now: now, isComplete: true, images: newImages()}
	for n := range 3 * maxUnverified {
		u := by(fmt.Sprint("flood", n), "flood")
		u.arrival, u.isNew = uint64(n), true
		in.usages = append(in.usages, u)
	}
	late := by("app", "shop")
	late.arrival, late.isNew = 1e6, true
	in.usages = append(in.usages, late)
	made, p := in.make()
	if len(made) != maxUnverified+1 || slices.Index(made, entry("app")) > 1 {
		t.Errorf("creates %d Images, the other namespace's at %d", len(made), slices.Index(made, entry("app")))
	}
	if want := map[string]int{"flood": 2 * maxUnverified}; !cmp.Equal(p.excess, want) || p.counts.excess != 2*maxUnverified {
		t.Errorf("excess %v, counted %d", p.excess, p.counts.excess)
	}

	// Those that there are count, until they are verified.
	in.images = imagesOf()
	for n := range maxUnverified {
		f := fact(fmt.Sprint("flood", n), refused)
		in.images.byName[f.name], in.images.byEntry[f.entry] = f, []string{f.name}
	}
	if p := decide(in); !slices.Equal(p.create, []string{entry("app")}) {
		t.Errorf("creates %d Images", len(p.create))
	}
	for n := range 20 {
		verified(in.images.byName[fmt.Sprint("flood", n)])
	}
	if made, p := in.make(); len(made) != 21 || p.counts.verified != 20 || p.counts.unverified != maxUnverified+1 {
		t.Errorf("creates %d Images, counts %+v", len(made), p.counts)
	}
}

// Somebody who replaces his references has no more Images made than somebody who has as many: those
// that are left over count for his namespace until they are gone.
func TestReplaced(t *testing.T) {
	const rounds = 3
	flood := func(round int) (usages []usage) {
		for n := range maxUnverified {
			usages = append(usages, by(fmt.Sprint("flood", round, "-", n), "flood"))
		}
		return usages
	}
	in := &input{now: now, isComplete: true, images: newImages(), retention: retention}
	made := 0
	for round := range rounds {
		in.usages = append(flood(round), by("idle0"), by(fmt.Sprint("app", round), "shop"))
		entries, p := in.make()
		if want := entry(fmt.Sprint("app", round)); !slices.Contains(entries, want) {
			t.Errorf("round %d: the image of another namespace has no Image", round)
		}
		made += len(entries) - 1
		in.unusedFrom = p.unusedFrom
	}
	if made != maxUnverified {
		t.Errorf("%d Images are made for a namespace, want %d", made, maxUnverified)
	}
	in.now = now.Add(unusedGrace)
	p := decide(in)
	for _, f := range p.remove {
		delete(in.images.byName, f.name)
		delete(in.images.byEntry, f.entry)
	}
	in.charges = p.charges
	if entries, _ := in.make(); len(entries) != maxUnverified {
		t.Errorf("%d Images are made once others are gone, want %d", len(entries), maxUnverified)
	}
}

// An Image that is being made when its reference goes counts as well.
func TestUnseen(t *testing.T) {
	in := &input{now: now, isComplete: true, images: newImages(), usages: []usage{by("app", "shop")}}
	in.charges = decide(in).charges
	in.usages = nil
	for i, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {makingTime - 1, 1}, {makingTime, 0}, {0, 0}} {
		in.now = now.Add(step.after)
		d := newDecision(in)
		if in.charges = d.plan.charges; d.unverified["shop"] != step.want {
			t.Errorf("step %d: %d Images count for the namespace, want %d", i, d.unverified["shop"], step.want)
		}
	}
}

// What only idle workloads refer to counts for nobody, and for its namespace again when it is left.
func TestIdleIsNotCharged(t *testing.T) {
	in := &input{now: now, isComplete: true, images: imagesOf(fact("app", refused)), usages: []usage{by("app", "shop")}}
	steps := []struct {
		usages []usage
		want   int
	}{{in.usages, 1}, {[]usage{by("app")}, 0}, {nil, 1}}
	for i, step := range steps {
		in.usages = step.usages
		d := newDecision(in)
		if in.charges = d.plan.charges; d.unverified["shop"] != step.want || d.total != step.want {
			t.Errorf("step %d: %d of %d Images count for the namespace, want %d", i, d.unverified["shop"], d.total, step.want)
		}
	}
}

// The children of indexes count for the namespaces that refer to the indexes, and do not take what is
// left to namespaces with few references.
func TestChildrenAreBounded(t *testing.T) {
	in := &input{now: now, isComplete: true, images: newImages()}
	const crowd = maxTotal/maxUnverifiedChildren + 1
	for n := range crowd * (maxUnverifiedChildren/maxChildren + 2) {
		var children []string
		for i := range maxChildren {
			children = append(children, fmt.Sprint("child", n, "-", i))
		}
		index := fact(fmt.Sprint("index", n), refused, indexOf(children...))
		in.images.byName[index.name], in.images.byEntry[index.entry] = index, []string{index.name}
		in.usages = append(in.usages, by(index.name, fmt.Sprint("crowd", n%crowd)))
	}
	in.make()
	if made := len(in.images.byName); made > maxTotal-reserve+maxChildren*crowd || made < maxTotal-reserve {
		t.Errorf("%d Images for %d namespaces", made, crowd)
	}
	in.usages = append(in.usages, by("app", "shop"))
	if p := decide(in); !slices.Contains(p.create, entry("app")) {
		t.Error("the first image of another namespace has no Image")
	}
	in.usages, in.images = in.usages[:0], newImages()
	for n := range maxUnverifiedChildren/maxChildren + 2 {
		var children []string
		for i := range maxChildren {
			children = append(children, fmt.Sprint("child", n, "-", i))
		}
		index := fact(fmt.Sprint("index", n), refused, indexOf(children...))
		in.images.byName[index.name], in.images.byEntry[index.entry] = index, []string{index.name}
		in.usages = append(in.usages, by(index.name, "one"))
	}
	if entries, _ := in.make(); len(entries) != maxUnverifiedChildren {
		t.Errorf("%d Images are made for the children of one namespace, want %d", len(entries), maxUnverifiedChildren)
	}
}

// Many namespaces together leave room for the first images of others, and no more than a number
// of Images is ever made.
func TestTotal(t *testing.T) {
	in := &input{now: now, isComplete: true, images: newImages()}
	const crowd = maxTotal/maxUnverified + 10
	for n := range crowd * maxUnverified {
		u := by(fmt.Sprint(n), fmt.Sprint("crowd", n%crowd))
		u.arrival = uint64(n)
		in.usages = append(in.usages, u)
	}
	if made, _ := in.make(); len(made) != maxTotal-reserve {
		t.Fatalf("creates %d Images", len(made))
	}
	for n := range 2 * smallShare {
		in.usages = append(in.usages, by(fmt.Sprint("app", n), "shop"))
	}
	if p := decide(in); len(p.create) != smallShare || p.excess["shop"] != smallShare {
		t.Errorf("creates %d Images, excess %d", len(p.create), p.excess["shop"])
	}
}

// An index counts as verified when its children are, so that it does not take the room of others.
func TestCountsOfIndexes(t *testing.T) {
	old := fact("old", func(f *imageFacts) { f.created = now.Add(-time.Hour) })
	in := &input{now: now, isComplete: true, images: imagesOf(
		fact("index", refused, indexOf("a", "b")), fact("a", verified), fact("b", verified),
		fact("other", refused, indexOf("a", "c")), fact("c", refused), fact("new"), old,
	)}
	in.usages = []usage{by("index", "shop"), by("other", "shop"), by("new", "shop"), by("old", "shop"), {tag: "registry.example.com/app:v1", namespaces: []string{"shop"}, arrivals: []uint64{0}}}
	want := counts{verified: 1, unverified: 3, pending: 2, unresolved: 1, oldestPending: old.created}
	if diff := cmp.Diff(want, decide(in).counts, cmp.AllowUnexported(counts{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkDecide(b *testing.B) {
	in := &input{now: now, isComplete: true, images: newImages()}
	for n := range 10_000 {
		f := fact(fmt.Sprint(n), verified)
		in.images.byName[f.name], in.images.byEntry[f.entry] = f, []string{f.name}
		in.usages = append(in.usages, by(f.name, fmt.Sprint("namespace", n%100)))
	}
	for b.Loop() {
		if p := decide(in); p.counts.verified != 10_000 {
			b.Fatal(p.counts)
		}
	}
}
