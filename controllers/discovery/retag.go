// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/assay-project/assay/internal/importstatus"
)

// retag sets the tags in the status of an Image.
type retag struct {
	image *imageFacts
	tags  []string
	// moved are those of the tags that another image had.
	moved []string
}

// retags finds the Images whose status names other tags than those by which they are used.
func (d *decision) retags() {
	for _, f := range d.images.byName {
		kept, uses := d.keptTags(f), d.tags[f.entry]
		if f.entry == "" || len(kept)+len(uses) == 0 && (len(f.tags) == 0 || !d.isComplete) || d.images.find(f.entry) != f {
			continue
		}
		d.reportKept(f, kept)
		tags := chooseTags(f.tags, kept, uses)
		if !slices.Equal(tags, f.tags) {
			d.retag = append(d.retag, retag{image: f, tags: tags, moved: d.movedTags(f, tags)})
		}
	}
}

// chooseTags returns the tags of an Image, in their order. There is room for those that it keeps, for
// those of its own that are in use, and then for one of each namespace in turn, the earliest first.
// Nobody takes a tag away from others, or all places that are left. Tags that no namespace may have
// an Image for come last.
func chooseTags(own, kept []string, uses []*usage) []string {
	chosen := slices.Clone(kept)
	if len(kept)+len(uses) > maxTags {
		chosen = takePlaces(own, kept, uses)
	} else {
		for _, use := range uses {
			chosen = append(chosen, use.tagName())
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// takePlaces returns the tags that get the places of an Image, of more than there are places.
func takePlaces(own, kept []string, uses []*usage) []string {
	slices.SortFunc(uses, func(a, b *usage) int { return cmp.Or(cmp.Compare(a.arrival, b.arrival), cmp.Compare(a.tag, b.tag)) })
	places := &places{tags: slices.Clone(kept), taken: map[string]int{}}
	queues := map[string][]*usage{}
	for _, use := range uses {
		if slices.Contains(own, use.tagName()) {
			places.take(use)
		}
		for _, namespace := range use.namespaces {
			queues[namespace] = append(queues[namespace], use)
		}
	}
	for len(places.tags) < maxTags {
		for namespace, queue := range queues {
			for len(queue) > 0 && places.has(queue[0]) {
				queue = queue[1:]
			}
			if queues[namespace] = queue; len(queue) == 0 {
				delete(queues, namespace)
			}
		}
		if len(queues) == 0 {
			break
		}
		next := slices.MinFunc(slices.Collect(maps.Keys(queues)), func(a, b string) int {
			return cmp.Or(cmp.Compare(places.taken[a], places.taken[b]), cmp.Compare(a, b))
		})
		places.take(queues[next][0])
	}
	for _, use := range uses {
		if len(places.tags) < maxTags {
			places.take(use)
		}
	}
	return places.tags
}

// places are the tags of an Image, and how many of them each namespace uses.
type places struct {
	tags  []string
	taken map[string]int
}

func (p *places) has(use *usage) bool { return slices.Contains(p.tags, use.tagName()) }

func (p *places) take(use *usage) {
	if !p.has(use) {
		p.tags = append(p.tags, use.tagName())
	}
	for _, namespace := range use.namespaces {
		p.taken[namespace]++
	}
}

// tagName returns the tag without the repository.
func (u *usage) tagName() string { return u.tag[strings.LastIndexByte(u.tag, ':')+1:] }

// keptTags returns the tags that an Image keeps although they are not its own at present: one that has
// moved stays with a verified image until the image that it has moved to is verified, and one whose
// digest is not known stays where it was. New Pods get what was verified before, and no denial.
func (d *decision) keptTags(f *imageFacts) []string {
	if !d.images.isVerified(f.entry) {
		return nil
	}
	var kept []string
	for i, key := range f.tagKeys() {
		if entry, inUse := d.tagged[key]; inUse && entry != f.entry && (entry == "" || !d.images.isVerified(entry)) {
			kept = append(kept, f.tags[i])
		}
	}
	return kept
}

// reportKept records the tags that an Image keeps of those that have moved.
func (d *decision) reportKept(f *imageFacts, kept []string) {
	repository, previous, _ := strings.Cut(f.entry, "@")
	for _, tag := range kept {
		name := repository + ":" + tag
		entry := d.tagged[name]
		if entry == "" {
			continue // Its digest is not known.
		}
		moved := importstatus.MovedTag{Image: name, Previous: previous}
		_, moved.Digest, _ = strings.Cut(entry, "@")
		if to := d.images.find(entry); to != nil {
			moved.Name = to.name
		}
		d.moved = append(d.moved, moved)
	}
}

// movedTags returns the new ones among the tags of an Image that another image has.
func (d *decision) movedTags(f *imageFacts, tags []string) []string {
	repository, _, _ := strings.Cut(f.entry, "@")
	var moved []string
	for _, tag := range tags {
		isOther := func(entry string) bool { return entry != f.entry }
		if !slices.Contains(f.tags, tag) && slices.ContainsFunc(d.images.byTag[repository+":"+tag], isOther) {
			moved = append(moved, tag)
		}
	}
	return moved
}
