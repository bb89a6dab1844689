// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An image is fetched for the namespace with the fewest images that are not verified of those that
// refer to it, and so are the children of an index. When another namespace began to refer to it does not
// count.
func TestOrigins(t *testing.T) {
	since := func(u usage, arrivals ...uint64) usage {
		u.arrivals = arrivals
		return u
	}
	in := &input{now: now, isComplete: true, images: imagesOf(fact("done", verified), fact("index", refused, indexOf("child")))}
	want := map[string]origin{
		entry("both"): {"shop", 7}, entry("index"): {"shop", 11}, entry("child"): {"shop", 11}, entry("twice"): {"shop", 9},
	}
	for n := range 10 {
		in.usages = append(in.usages, since(by(fmt.Sprint("flood", n), "flood"), uint64(n)))
		want[entry(fmt.Sprint("flood", n))] = origin{"flood", uint64(n)}
	}
	tag := since(by("twice", "shop"), 9)
	tag.tag = "registry.example.com/twice:v1"
	in.usages = append(in.usages,
		by("done", "shop"), since(by("both", "flood", "shop"), 20, 7), since(by("index", "shop"), 11), by("idle"),
		since(by("twice", "shop"), 8), tag)
	if diff := cmp.Diff(want, decide(in).origins, cmp.AllowUnexported(origin{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestChildrenTakeTurns checks that hundreds of images of indexes of one namespace delay neither those of
// another one's index nor what is new.
func TestChildrenTakeTurns(t *testing.T) {
	in := &input{now: now, isComplete: true, images: imagesOf(fact("index", refused, indexOf("child")))}
	for n := range 60 {
		name := fmt.Sprint("flood", n)
		var children []string
		for i := range maxChildren {
			children = append(children, fmt.Sprint(name, "-", i))
		}
		f := fact(name, refused, indexOf(children...))
		in.images.byName[f.name], in.images.byEntry[f.entry] = f, []string{f.name}
		u := by(name, "flood")
		u.arrival, u.isNew = uint64(n), true
		in.usages = append(in.usages, u)
	}
	index, app := by("index", "shop"), by("app", "flood")
	index.arrival, index.isNew, app.arrival, app.isNew = 100, true, 101, true
	in.usages = append(in.usages, index, app)
	p := decide(in)
	if len(p.create) != 60*maxChildren+2 || slices.Index(p.create, entry("child")) > 2 || slices.Index(p.create, entry("app")) > 2 {
		t.Errorf("%d Images, the child's at %d, the new one at %d", len(p.create), slices.Index(p.create, entry("child")), slices.Index(p.create, entry("app")))
	}
	if c := p.charges[entry("child")]; !c.isChild || !slices.Equal(c.namespaces, []string{"shop"}) {
		t.Errorf("the child counts for %+v", c)
	}
}

// TestMovedOrigins checks that an Image is reported once when a namespace has begun to refer to it, and not
// when another namespace has come to have fewer images.
func TestMovedOrigins(t *testing.T) {
	var moved []string
	r := &Reconciler{images: imagesOf(fact("a"), fact("b")), Moved: func(name string) { moved = append(moved, name) }}
	for _, step := range []struct {
		name string
		next map[string]origin
		want []string
	}{
		{"a start", map[string]origin{entry("a"): {"shop", 0}, entry("b"): {"shop", 0}}, nil},
		{"a roll-out elsewhere", map[string]origin{entry("a"): {"test", 3}, entry("b"): {"shop", 0}, entry("none"): {"shop", 4}}, []string{"a"}},
		{"the same", map[string]origin{entry("a"): {"test", 3}, entry("b"): {"shop", 0}}, nil},
		{"to and fro", map[string]origin{entry("a"): {"shop", 0}, entry("b"): {"test", 2}}, nil},
		{"again", map[string]origin{entry("a"): {"test", 3}, entry("b"): {"shop", 5}}, []string{"b"}},
	} {
		moved = nil
		r.moveOrigins(step.next)
		if diff := cmp.Diff(step.want, moved); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if namespace, arrival := r.OriginOf(entry("a")); (origin{namespace, arrival}) != step.next[entry("a")] {
			t.Errorf("%s: origin %s, %d", step.name, namespace, arrival)
		}
	}
}
