// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// maxBucketSize is what a bucket may hold, in bytes. A tenth of what fits into a shard keeps a Pod with
// 32 images of a full bucket within the cost budget of the policies, because the cost of a search grows
// with the length of the text: who fills a bucket does not have the Pods of others refused for it. All
// buckets together have room for more than 100,000 images with names of 150 characters.
const maxBucketSize = 96 << 10

// maxEpochSize bounds an epoch, in bytes.
const maxEpochSize = 32

// Fit returns the part of a state that can be encoded, and how many images and scopes it
// leaves out. Whatever the state lacks disappears from the allowlist, however full that is. An
// image that is left out is refused. When the scopes are too large, those that are stored stay in
// the place of all.
//
// The scopes of TrustPolicies share a full bucket: none is left out for what another has beyond an
// equal share. A digest has whatever bucket its author likes, and an index that he has signed lists
// whatever he likes, so one signer could otherwise keep the images of all others from a bucket.
// Within its share a scope keeps what is stored, so that only additions are left out.
//
// scopeOf returns the scope by which an image is verified. It is called for full buckets only.
func Fit(state State, stored []map[string]string, scopeOf func(image string) string) (fitting State, images, scopes int) {
	fitting = State{Scopes: state.Scopes}
	if _, size := encodeScopes(state.Scopes); size > MaxScopesSize {
		fitting.Scopes = storedScopes(stored)
		for scope := range state.Scopes {
			if _, ok := fitting.Scopes[scope]; !ok {
				scopes++
			}
		}
	}
	var sizes [buckets]int
	var crowded [buckets][]string
	for _, image := range state.Images {
		if b, ok := bucketOf(image); ok {
			sizes[b] += len(image) + 1
			crowded[b] = append(crowded[b], image)
		}
	}
	for b := range crowded {
		if sizes[b] < maxBucketSize {
			fitting.Images = append(fitting.Images, crowded[b]...)
			continue
		}
		slices.Sort(crowded[b])
		all := slices.Compact(crowded[b])
		text := storedBucket(stored, b)
		bucket := space{
			limit: maxBucketSize - 1, // frame begins with a line break.
			size:  func(image string) int { return len(image) + 1 }, scopeOf: scopeOf,
			isStored: func(image string) bool { return strings.Contains(text, "\n"+image+"\n") },
		}
		kept := bucket.fit(all)
		fitting.Images = append(fitting.Images, kept...)
		images += len(all) - len(kept)
	}
	return fitting, images, scopes
}

// space is what scopes share: a bucket, or a table of tags or one of its keys.
type space struct {
	// limit is how many bytes there are, and size how many an entry takes.
	limit int
	size  func(entry string) int
	// isStored reports whether an entry is stored already.
	isStored func(entry string) bool
	// scopeOf returns the scope by which an entry is verified.
	scopeOf func(entry string) string
}

// fit returns the entries that fit. The scopes with the least come first. What they leave of their
// shares is for the others.
func (s *space) fit(entries []string) []string {
	byScope, sizes := map[string][]string{}, map[string]int{}
	for _, entry := range entries {
		scope := s.scopeOf(entry)
		byScope[scope] = append(byScope[scope], entry)
		sizes[scope] += s.size(entry)
	}
	scopes := slices.SortedFunc(maps.Keys(byScope), func(a, b string) int {
		return cmp.Or(cmp.Compare(sizes[a], sizes[b]), cmp.Compare(a, b))
	})
	var kept []string
	left := s.limit
	for i, scope := range scopes {
		fitting, size := s.fitShare(byScope[scope], left/(len(scopes)-i))
		kept = append(kept, fitting...)
		left -= size
	}
	return kept
}

// fitShare returns the entries that fit into a share, and their size: first those that are stored,
// then the others, short ones before long ones, so that a few long names crowd out few others.
func (s *space) fitShare(entries []string, share int) (fitting []string, size int) {
	rank := make(map[string]int, len(entries))
	for _, entry := range entries {
		if !s.isStored(entry) {
			rank[entry] = 1
		}
	}
	slices.SortStableFunc(entries, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	for i, entry := range entries {
		if size+s.size(entry) > share {
			return entries[:i], size
		}
		size += s.size(entry)
	}
	return entries, size
}

// Contains reports whether stored shards have an image.
func Contains(stored []map[string]string, image string) bool {
	bucket, ok := bucketOf(image)
	return ok && strings.Contains(storedBucket(stored, bucket), "\n"+image+"\n")
}

// storedBucket returns the text of a bucket in whichever stored shard has it.
func storedBucket(stored []map[string]string, bucket int) string {
	for _, data := range stored {
		if text, ok := data[bucketKey(bucket)]; ok {
			return text
		}
	}
	return ""
}

// storedScopes returns the scopes of the stored shards, each with the strictest level.
func storedScopes(stored []map[string]string) map[string]Level {
	scopes := map[string]Level{}
	for _, data := range stored {
		for _, key := range slices.Sorted(maps.Keys(data)) {
			if !strings.HasPrefix(key, keyScopes) {
				continue
			}
			for line := range strings.SplitSeq(data[key], "\n") {
				scope, level, ok := strings.Cut(line, " ")
				if !ok {
					continue
				}
				if other, known := scopes[scope]; known {
					level = string(Stricter(Level(level), other))
				}
				scopes[scope] = Level(level)
			}
		}
	}
	return scopes
}
