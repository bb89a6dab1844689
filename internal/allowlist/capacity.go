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
		kept := fitBucket(all, storedBucket(stored, b), scopeOf)
		fitting.Images = append(fitting.Images, kept...)
		images += len(all) - len(kept)
	}
	return fitting, images, scopes
}

// fitBucket returns the images of one bucket that fit. The scopes with the least come first. What
// they leave of their shares is for the others.
func fitBucket(images []string, stored string, scopeOf func(image string) string) []string {
	byScope, sizes := map[string][]string{}, map[string]int{}
	for _, image := range images {
		scope := scopeOf(image)
		byScope[scope] = append(byScope[scope], image)
		sizes[scope] += len(image) + 1
	}
	scopes := slices.SortedFunc(maps.Keys(byScope), func(a, b string) int {
		return cmp.Or(cmp.Compare(sizes[a], sizes[b]), cmp.Compare(a, b))
	})
	var kept []string
	left := maxBucketSize - 1 // frame begins with a line break.
	for i, scope := range scopes {
		fitting, size := fitShare(byScope[scope], stored, left/(len(scopes)-i))
		kept = append(kept, fitting...)
		left -= size
	}
	return kept
}

// fitShare returns the images that fit into a share, and their size: first those that are stored,
// then the others, short ones before long ones, so that a few long names crowd out few others.
func fitShare(images []string, stored string, share int) (fitting []string, size int) {
	rank := func(image string) int {
		if strings.Contains(stored, "\n"+image+"\n") {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(images, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	for i, image := range images {
		if size+len(image)+1 > share {
			return images[:i], size
		}
		size += len(image) + 1
	}
	return images, size
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
