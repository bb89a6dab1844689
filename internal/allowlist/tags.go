// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// # Tags
//
// Tables of tags are ConfigMaps beside the shards, with the label assay.dev/allowlist=tags. The
// policy pin-tags reads them, and writes the digest of a tag into a Pod. They decide nothing: a Pod
// whose tag got a digest is then looked up in the shards.
//
// The data of a table are
//
//	format           1
//	tags-<n>-<xy>    the tags of n characters with the repository that end in xy, where a dot stands
//	                 for a colon: <repository>:<tag> <64 hexadecimal digits>
//
// in lines as in a bucket. A table has one part of all tags, by a hash of the name. Each is
// evaluated by itself, so that tables of different sets can exist at the same time. A table and each
// of its keys are bounded, and shared by scopes when they are full.

const (
	// TagsLabelValue is the value of Label on tables of tags.
	TagsLabelValue = "tags"

	tagsPrefix = namePrefix + "tags-"
	keyTags    = "tags-"

	// maxTables is the largest number of tables, and of evaluations for each Pod with a tag. All of
	// them together hold about 130,000 tags.
	maxTables = 16
	// maxKeySize is what one key of a table may hold, in bytes. The cost of a lookup grows with the
	// length of the text: a Pod with 64 tags of full keys is within the cost budget of pin-tags, so
	// that nobody who fills a key has the Pods of others refused for it.
	maxKeySize = 44 << 10
	// fullTable and fullKey are what a table and a key should not exceed, in bytes. The rest evens
	// out what a hash does not.
	fullTable = MaxShardSize * 3 / 4
	fullKey   = maxKeySize * 3 / 4
)

// EncodeTags returns the tables of tags, the same for the same arguments. tags has the 64 hexadecimal
// digits of the digest of each <repository>:<tag> in canonical form. There is none without tags.
// stored has the data of the tables that there are. dropped counts the tags that there is no room for.
//
// Scopes share a full table, and a full key of it, as they share a bucket: see Fit. scopeOf returns
// the scope by which the image of a tag is verified. It is called for what is full only.
func EncodeTags(tags map[string]string, stored []map[string]string, scopeOf func(tag string) string) (tables []Shard, dropped int) {
	if len(tags) == 0 {
		return nil, 0
	}
	count := tableCount(tags, len(stored))
	byKey := make([]map[string][]string, count)
	for name := range tags {
		if len(name) < 2 {
			dropped++
			continue
		}
		i, key := tableOf(name, count), tagKey(name)
		if byKey[i] == nil {
			byKey[i] = map[string][]string{}
		}
		byKey[i][key] = append(byKey[i][key], name)
	}
	known := sync.OnceValue(func() map[string]bool { return storedTags(stored) })
	shared := space{scopeOf: scopeOf, isStored: func(name string) bool { return known()[name] }}
	for i := range byKey {
		fitting, left := fitTable(byKey[i], tags, shared)
		dropped += left
		lines := map[string][]string{}
		slices.Sort(fitting)
		for _, name := range fitting {
			lines[tagKey(name)] = append(lines[tagKey(name)], name+" "+tags[name])
		}
		data := map[string]string{keyFormat: formatVersion}
		for key, list := range lines {
			data[key] = frame(list)
		}
		tables = append(tables, Shard{Name: tagsName(count, i), Labels: map[string]string{Label: TagsLabelValue}, Data: data})
	}
	return tables, dropped
}

// tableCount returns how many tables there are for tags. It is that of the present ones as long as
// they are neither full nor mostly empty, because another number rewrites all of them.
func tableCount(tags map[string]string, current int) int {
	size, largest, keys := 0, 0, map[string]int{}
	for name, hex := range tags {
		size += tagSize(name, hex)
		if len(name) >= 2 {
			key := tagKey(name)
			keys[key] += lineSize(name, hex)
			largest = max(largest, keys[key])
		}
	}
	count := 1
	for count < maxTables && (size > count*fullTable || largest > count*fullKey) {
		count *= 2
	}
	inUse := size > current*fullTable/4 || largest > current*fullKey/4
	if isCount(current) && current > count && current <= maxTables && inUse {
		return current
	}
	return count
}

// fitTable returns the tags of one table that fit, and how many do not: of each key, and of all that
// fit there.
func fitTable(byKey map[string][]string, tags map[string]string, shared space) (fitting []string, dropped int) {
	total := 0
	for _, names := range byKey {
		size := 0
		for _, name := range names {
			size += lineSize(name, tags[name])
		}
		all := len(names)
		if limit := maxKeySize - 1; size > limit { // frame begins with a line break.
			key := shared
			key.limit, key.size = limit, func(name string) int { return lineSize(name, tags[name]) }
			names = key.fit(names)
		}
		dropped += all - len(names)
		fitting = append(fitting, names...)
		for _, name := range names {
			total += tagSize(name, tags[name])
		}
	}
	if limit := MaxShardSize - len(keyFormat) - len(formatVersion); total > limit {
		table := shared
		table.limit, table.size = limit, func(name string) int { return tagSize(name, tags[name]) }
		all := len(fitting)
		fitting = table.fit(fitting)
		dropped += all - len(fitting)
	}
	return fitting, dropped
}

// storedTags returns the tags that stored tables have, with whatever digests.
func storedTags(stored []map[string]string) map[string]bool {
	names := map[string]bool{}
	for _, data := range stored {
		for key, text := range data {
			if !strings.HasPrefix(key, keyTags) {
				continue
			}
			for line := range strings.SplitSeq(text, "\n") {
				if name, _, ok := strings.Cut(line, " "); ok {
					names[name] = true
				}
			}
		}
	}
	return names
}

// tagSize is what a tag takes in a table in bytes, with a key of its own.
func tagSize(name, hex string) int {
	return len(keyTags) + len("256-xy\n") + lineSize(name, hex)
}

// lineSize is what the line of a tag takes, in bytes.
func lineSize(name, hex string) int { return len(name) + len(" ") + len(hex) + len("\n") }

// tagKey returns the key of a tag. That of a ConfigMap has no colon, with which the last two
// characters of a tag of one begin.
func tagKey(name string) string {
	return keyTags + strconv.Itoa(len(name)) + "-" + strings.ReplaceAll(name[len(name)-2:], ":", ".")
}

func tableOf(name string, count int) int { return int(sha256.Sum256([]byte(name))[0]) % count }

func tagsName(count, index int) string { return fmt.Sprintf("%s%d-%d", tagsPrefix, count, index) }

// TablesOf returns the number of tables of the set that a table of that name is one of.
func TablesOf(name string) (count int, ok bool) {
	rest, ok := strings.CutPrefix(name, tagsPrefix)
	if !ok {
		return 0, false
	}
	first, second, _ := strings.Cut(rest, "-")
	count, err := strconv.Atoi(first)
	if err != nil || !isCount(count) || count > maxTables {
		return 0, false
	}
	index, err := strconv.Atoi(second)
	return count, err == nil && index >= 0 && index < count && tagsName(count, index) == name
}
