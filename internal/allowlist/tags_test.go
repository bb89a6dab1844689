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
	}, 0)
	want := []allowlist.Shard{{
		Name: "assay-allowlist-tags-1-0", Labels: map[string]string{"assay.dev/allowlist": "tags"},
		Data: map[string]string{
			"format":     "1",
			"tags-27-v1": "\nregistry.example.com/app:v1 " + aDigest + "\nregistry.example.com/web:v1 " + aDigest + "\n",
			"tags-27-v2": "\nregistry.example.com/app:v2 " + aDigest + "\n",
		},
	}}
	if diff := cmp.Diff(want, tables); diff != "" || dropped != 0 {
		t.Errorf("%d dropped (-want +got):\n%s", dropped, diff)
	}
	if tables, _ := allowlist.EncodeTags(nil, 4); len(tables) != 0 {
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
		tables, dropped := allowlist.EncodeTags(maps.Clone(tags), 0)
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
		if again, _ := allowlist.EncodeTags(tags, len(tables)); len(again) != len(tables) {
			t.Errorf("%d tags: %d tables, and %d with one tag less", n, len(tables), len(again))
		}
	}
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
