// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"slices"
	"testing"
)

// usesOf are references to one image by many tags, in the order of their arrival.
func usesOf(prefix string, n int, namespaces ...string) []usage {
	uses := make([]usage, n)
	for i := range uses {
		uses[i] = usage{
			tag: fmt.Sprintf("registry.example.com/app:%s%03d", prefix, i), entry: entry("app"), arrival: uint64(i),
			namespaces: namespaces, arrivals: make([]uint64, len(namespaces)),
		}
	}
	return uses
}

// TestTagsOfMany checks which tags an Image has when more are in use than it has places for: those that
// it had, and of the others some of each namespace.
func TestTagsOfMany(t *testing.T) {
	crowd := usesOf("0-", 100, "crowd")
	for name, c := range map[string]struct {
		own    []string
		usages []usage
		want   map[string]int // by the beginning of their names; nil for no change
	}{
		"an own tag":            {[]string{"v000"}, slices.Concat(crowd, usesOf("v", 1, "victim")), map[string]int{"0": 31, "v": 1}},
		"own tags":              {[]string{"v001", "v003"}, slices.Concat(crowd, usesOf("v", 4, "victim")), map[string]int{"0": 28, "v": 4}},
		"own tags of the idle":  {[]string{"v000", "v001"}, slices.Concat(crowd, usesOf("v", 3)), map[string]int{"0": 30, "v": 2}},
		"own tags not in use":   {[]string{"w000"}, slices.Concat(crowd, usesOf("v", 1, "victim")), map[string]int{"0": 31, "v": 1}},
		"a new tag":             {nil, slices.Concat(crowd, usesOf("v", 1, "victim")), map[string]int{"0": 31, "v": 1}},
		"turns":                 {nil, slices.Concat(crowd, usesOf("v", 100, "victim"), usesOf("w", 4, "shop")), map[string]int{"0": 14, "v": 14, "w": 4}},
		"the idle come last":    {nil, slices.Concat(usesOf("0-", 100), usesOf("v", 20, "victim")), map[string]int{"0": 12, "v": 20}},
		"the same tag, others":  {nil, slices.Concat(crowd, usesOf("0-", 1, "shop"), usesOf("v", 1, "victim")), map[string]int{"0": 31, "v": 1}},
		"as many as places":     {nil, usesOf("v", maxTags, "victim"), map[string]int{"v": maxTags}},
		"all places, one's own": {tagsOf(crowd[:maxTags]), slices.Concat(usesOf("+", 9, "a"), crowd), nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := &input{now: now, usages: c.usages, images: imagesOf(fact("app", verified, tagged(c.own...))), isComplete: true, retention: retention}
			p := decide(in)
			if c.want == nil {
				if len(p.retag) > 0 {
					t.Errorf("the tags become %q", p.retag[0].tags)
				}
				return
			}
			if len(p.retag) != 1 {
				t.Fatalf("%d Images get other tags", len(p.retag))
			}
			tags, got := p.retag[0].tags, map[string]int{}
			for _, tag := range tags {
				got[tag[:1]]++
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("the Image has %v, want %v: %q", got, c.want, tags)
			}
			slices.Reverse(in.usages)
			in.images = imagesOf(fact("app", verified, tagged(tags...)))
			if again := decide(in); len(again.retag) > 0 {
				t.Errorf("when these are stored, they become %q", again.retag[0].tags)
			}
		})
	}
}

func tagsOf(uses []usage) (tags []string) {
	for i := range uses {
		tags = append(tags, uses[i].tagName())
	}
	return tags
}
