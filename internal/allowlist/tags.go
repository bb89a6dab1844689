// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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
//	tags-<n>-<xy>    the tags of n characters with the repository that end in xy:
//	                 <repository>:<tag> <64 hexadecimal digits>
//
// in lines as in a bucket. A table has one part of all tags, by a hash of the name. Each is
// evaluated by itself, so that tables of different sets can exist at the same time.

const (
	// TagsLabelValue is the value of Label on tables of tags.
	TagsLabelValue = "tags"

	tagsPrefix = namePrefix + "tags-"
	keyTags    = "tags-"

	// maxTables is the largest number of tables, and of evaluations for each Pod with a tag. All of
	// them together hold about 130,000 tags.
	maxTables = 16
	// fullTable is what a table should not exceed, in bytes. The rest evens out what a hash does not.
	fullTable = MaxShardSize * 3 / 4
)

// EncodeTags returns the tables of tags, the same for the same tags. tags has the 64 hexadecimal
// digits of the digest of each <repository>:<tag> in canonical form. There is none without tags.
// current is the number of tables that there are, 0 for none. dropped counts the tags that there is
// no room for.
func EncodeTags(tags map[string]string, current int) (tables []Shard, dropped int) {
	if len(tags) == 0 {
		return nil, 0
	}
	size := 0
	for name, hex := range tags {
		size += tagSize(name, hex)
	}
	count := 1
	for count < maxTables && size > count*fullTable {
		count *= 2
	}
	if isCount(current) && current > count && current <= maxTables && size > current*fullTable/4 {
		count = current
	}
	lines, sizes := make([]map[string][]string, count), make([]int, count)
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		i := tableOf(name, count)
		line := tagSize(name, tags[name])
		if sizes[i]+line > MaxShardSize || len(name) < 2 {
			dropped++
			continue
		}
		sizes[i] += line
		if lines[i] == nil {
			lines[i] = map[string][]string{}
		}
		key := tagKey(name)
		lines[i][key] = append(lines[i][key], name+" "+tags[name])
	}
	for i := range lines {
		data := map[string]string{keyFormat: formatVersion}
		for key, list := range lines[i] {
			data[key] = frame(list)
		}
		tables = append(tables, Shard{Name: tagsName(count, i), Labels: map[string]string{Label: TagsLabelValue}, Data: data})
	}
	return tables, dropped
}

// tagSize is what a tag takes in a table in bytes, with a key of its own.
func tagSize(name, hex string) int {
	return len(keyTags) + len("256-xy\n") + len(name) + len(" ") + len(hex) + len("\n")
}

func tagKey(name string) string {
	return keyTags + strconv.Itoa(len(name)) + "-" + name[len(name)-2:]
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
