// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/allowlist"
)

const aDigest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

func TestEncodeTags(t *testing.T) {
	tables, dropped := allowlist.EncodeTags(map[string]string{
		"registry.example.com/app:v1": aDigest, "registry.example.com/app:v2": aDigest, "registry.example.com/web:v1": aDigest,
		"registry.example.com/db:7": aDigest,
	}, nil, byName)
	want := []allowlist.Shard{{
		Name: "assay-allowlist-tags-1-0", Labels: map[string]string{"assay.dev/allowlist": "tags"},
		Data: map[string]string{
			"format":     "1",
			"tags-25-.7": "\nregistry.example.com/db:7 " + aDigest + "\n", // A key has no colon.
			"tags-27-v1": "\nregistry.example.com/app:v1 " + aDigest + "\nregistry.example.com/web:v1 " + aDigest + "\n",
			"tags-27-v2": "\nregistry.example.com/app:v2 " + aDigest + "\n",
		},
	}}
	if diff := cmp.Diff(want, tables); diff != "" || dropped != 0 {
		t.Errorf("%d dropped (-want +got):\n%s", dropped, diff)
	}
	if tables, _ := allowlist.EncodeTags(nil, make([]map[string]string, 4), byName); len(tables) != 0 {
		t.Errorf("%d tables without tags", len(tables))
	}
}

// Many tags are in several tables, each in one, and what does not fit is counted.
func TestEncodeManyTags(t *testing.T) {
	for _, n := range []int{5_000, 50_000, 200_000} {
		tags := map[string]string{}
		for i := range n {
			tags[fmt.Sprintf("registry.example.com/team/app-%d:v%d", i, i)] = aDigest
		}
		tables, dropped := allowlist.EncodeTags(maps.Clone(tags), nil, byName)
		lines := 0
		for i := range tables {
			if size := tables[i].Size(); size > allowlist.MaxShardSize {
				t.Errorf("%d tags: %s has %d bytes", n, tables[i].Name, size)
			}
			if count, ok := allowlist.TablesOf(tables[i].Name); !ok || count != len(tables) {
				t.Errorf("%s is one of %d tables, want %d", tables[i].Name, count, len(tables))
			}
			for key, text := range tables[i].Data {
				if key != "format" {
					lines += strings.Count(text, "\n") - 1
				}
			}
		}
		if lines+dropped != n || (n < 100_000) != (dropped == 0) {
			t.Errorf("%d tags: %d in %d tables, %d dropped", n, lines, len(tables), dropped)
		}
		// A few less do not move all others.
		delete(tags, "registry.example.com/team/app-1:v1")
		if again, _ := allowlist.EncodeTags(tags, dataOf(tables), byName); len(again) != len(tables) {
			t.Errorf("%d tags: %d tables, and %d with one tag less", n, len(tables), len(again))
		}
	}
}

// Scopes share a full key. One with less than its share loses nothing, and nobody loses what is stored
// within its share.
func TestEncodeTagsOfFullKey(t *testing.T) {
	tag := func(team string, n int) string { return fmt.Sprintf("registry.example.com/%s/app-%05d:v1", team, n) }
	tags := map[string]string{}
	for n := range 20_000 {
		tags[tag("crowd", n)] = aDigest
	}
	alone, _ := allowlist.EncodeTags(tags, nil, byName)
	for n := range 10 {
		tags[tag("small", n)] = aDigest
	}
	for n := range 10_000 {
		tags[tag("other", n)] = aDigest
	}
	tables, dropped := allowlist.EncodeTags(tags, dataOf(alone), byName)
	kept := teamsOf(tables)
	if kept["small"] != 10 || kept["other"] < 3_000 || kept["crowd"] < 3_000 || kept["small"]+kept["other"]+kept["crowd"]+dropped != len(tags) {
		t.Errorf("the scopes keep %v tags, %d are dropped of %d", kept, dropped, len(tags))
	}
	for i := range tables {
		for key, text := range tables[i].Data {
			if len(text) > 44<<10 {
				t.Errorf("%s of %s has %d bytes", key, tables[i].Name, len(text))
			}
		}
	}
	// What is stored stays, although others come before it in the alphabet.
	for n := range 2_000 {
		tags[strings.Replace(tag("other", n), "app-", "aaa-", 1)] = aDigest
	}
	again, _ := allowlist.EncodeTags(tags, dataOf(tables), byName)
	if diff := cmp.Diff(tables, again); diff != "" {
		t.Errorf("more tags move those that are stored: %.500s", diff)
	}
}

// Scopes share a full table likewise.
func TestEncodeTagsOfFullTable(t *testing.T) {
	tags, long := map[string]string{}, strings.Repeat("a", 100)
	for n := range 100_000 {
		tags[fmt.Sprintf("registry.example.com/crowd/%s:%d-%s%d", long, n, long[:n%90], n)] = aDigest
	}
	for n := range 300 {
		tags[fmt.Sprintf("registry.example.com/small/%s%s:%d-%d", long, long, n, n)] = aDigest
	}
	tables, dropped := allowlist.EncodeTags(tags, nil, byName)
	kept := teamsOf(tables)
	if kept["small"] != 300 || kept["crowd"]+dropped != 100_000 || dropped == 0 {
		t.Errorf("the scopes keep %v tags, %d are dropped", kept, dropped)
	}
	for i := range tables {
		if size := tables[i].Size(); size > allowlist.MaxShardSize {
			t.Errorf("%s has %d bytes", tables[i].Name, size)
		}
	}
	if again, _ := allowlist.EncodeTags(tags, dataOf(tables), byName); !cmp.Equal(tables, again) {
		t.Error("the same tags have other tables when they are stored")
	}
}

// byName has the first component of a name as the scope.
func byName(tag string) string { return strings.SplitN(tag, "/", 3)[1] }

func dataOf(tables []allowlist.Shard) (data []map[string]string) {
	for i := range tables {
		data = append(data, tables[i].Data)
	}
	return data
}

// teamsOf counts the tags in tables by scope.
func teamsOf(tables []allowlist.Shard) map[string]int {
	counts := map[string]int{}
	for i := range tables {
		for key, text := range tables[i].Data {
			if key == "format" {
				continue
			}
			for line := range strings.Lines(strings.TrimPrefix(text, "\n")) {
				counts[byName(line)]++
			}
		}
	}
	return counts
}

func TestTablesOf(t *testing.T) {
	for _, name := range []string{"", "assay-allowlist-1-0", "assay-allowlist-tags-", "assay-allowlist-tags-3-0", "assay-allowlist-tags-1-1", "assay-allowlist-tags-32-0", "assay-allowlist-tags-01-0", "assay-allowlist-tags-1-0-0"} {
		if _, ok := allowlist.TablesOf(name); ok {
			t.Errorf("%q is a table", name)
		}
		if _, ok := allowlist.CountOf("assay-allowlist-tags-1-0"); ok {
			t.Error("a table is a shard")
		}
	}
}
