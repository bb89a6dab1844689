// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
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
		kept := d.keptTags(f)
		tags := append(slices.Clone(d.tags[f.entry]), kept...)
		if f.entry == "" || len(tags) == 0 && (len(f.tags) == 0 || !d.isComplete) || d.images.find(f.entry) != f {
			continue
		}
		d.reportKept(f, kept)
		slices.Sort(tags)
		tags = slices.Compact(tags)
		tags = tags[:min(len(tags), maxTags)]
		if !slices.Equal(tags, f.tags) {
			d.retag = append(d.retag, retag{image: f, tags: tags, moved: d.movedTags(f, tags)})
		}
	}
}

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
