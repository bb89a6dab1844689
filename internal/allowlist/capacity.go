// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxBucketSize is what a bucket may hold: with the largest number of shards, each has one.
const maxBucketSize = MaxShardSize - MaxScopesSize -
	(len(keyFormat) + len(formatVersion) + len(keyValidUntil) + len(time.RFC3339) + len(keyEpoch) + maxEpochSize + 2)

// maxEpochSize bounds an epoch, in bytes.
const maxEpochSize = 32

// Fit returns the part of a state that can be encoded, and how many images and scopes it
// leaves out. What is stored already goes first, so that only additions are left out:
// whatever the state lacks disappears from the allowlist, however full that is. An image
// that is left out is refused. When the scopes are too large, those that are stored stay in
// the place of all.
func Fit(state State, stored []map[string]string) (fitting State, images, scopes int) {
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
		kept := fitBucket(crowded[b], storedBucket(stored, b))
		fitting.Images = append(fitting.Images, kept...)
		images += len(crowded[b]) - len(kept)
	}
	return fitting, images, scopes
}

// fitBucket returns the images of one bucket that fit: first those that are stored, then the
// others, short ones before long ones, so that a few long names crowd out few others.
func fitBucket(images []string, stored string) []string {
	slices.Sort(images)
	images = slices.Compact(images)
	rank := func(image string) int {
		if strings.Contains(stored, "\n"+image+"\n") {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(images, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	size := 1
	for i, image := range images {
		if size += len(image) + 1; size > maxBucketSize {
			return images[:i]
		}
	}
	return images
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
