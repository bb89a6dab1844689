// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

// image returns the n-th of many images.
func image(n int) string {
	return fmt.Sprintf("registry.example.com/team/app-%d@%s", n, digest.FromString(fmt.Sprint(n)))
}

func images(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = image(i)
	}
	return list
}

func encode(t *testing.T, state State, current int) []Shard {
	t.Helper()
	shards, err := Encode(state, current)
	if err != nil {
		t.Fatal(err)
	}
	return shards
}

// admits is what a policy finds: every shard that has the image's bucket lists it.
func admits(shards []Shard, image string) bool {
	b, _ := bucketOf(image)
	asked := false
	for _, shard := range shards {
		if text, ok := shard.Data[bucketKey(b)]; ok {
			asked = true
			if !strings.Contains(text, "\n"+image+"\n") {
				return false
			}
		}
	}
	return asked
}

func TestEncode(t *testing.T) {
	hex := strings.Repeat("0", 62)
	a, b := "registry.example.com/b@sha256:07"+hex, "registry.example.com/a@sha256:07"+hex
	shards := encode(t, State{
		Images: []string{a, b, a, "c@sha256:ff" + hex},
		Scopes: map[string]Level{"registry.example.com": Enforce, "registry.example.net": Audit, "*.example.com": Warn},
	}, 0)
	if len(shards) != 1 || shards[0].Name != "assay-allowlist-1-0" {
		t.Fatalf("got %d shards, first %s", len(shards), shards[0].Name)
	}
	want := map[string]string{
		"format":    "1",
		"07":        "\n" + b + "\n" + a + "\n",
		"ff":        "\nc@sha256:ff" + hex + "\n",
		"scopes-20": "\nregistry.example.com Enforce\nregistry.example.net Audit\n",
		"scopes-13": "\n*.example.com Warn\n",
	}
	for bucket := range buckets {
		if key := bucketKey(bucket); want[key] == "" {
			want[key] = "\n"
		}
	}
	if diff := cmp.Diff(want, shards[0].Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}

func TestLabelsTellTheLevels(t *testing.T) {
	const list, enforce, audit = "assay.dev/allowlist", "assay.dev/level-enforce", "assay.dev/level-audit"
	for name, tt := range map[string]struct {
		scopes map[string]Level
		want   map[string]string
	}{
		"no scopes": {nil, map[string]string{list: "shard"}},
		"two levels": {
			map[string]Level{"a": Enforce, "b": Audit, "c": Enforce},
			map[string]string{list: "shard", enforce: "true", audit: "true"},
		},
	} {
		shards, err := Split(State{Scopes: tt.scopes}, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, shard := range shards {
			if diff := cmp.Diff(tt.want, shard.Labels); diff != "" {
				t.Errorf("%s: labels of %s (-want +got):\n%s", name, shard.Name, diff)
			}
			for label := range shard.Labels {
				if !IsLabel(label) {
					t.Errorf("%s: %s is none of the labels", name, label)
				}
			}
		}
	}
	if IsLabel("app.kubernetes.io/name") {
		t.Error("another label is taken for one of the allowlist")
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	state := State{Images: images(500), Scopes: map[string]Level{"a.example.com": Enforce, "b.example.com": Warn, "c.example.com": Audit}}
	want := encode(t, state, 4)
	random := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		shuffled := State{Images: slices.Clone(state.Images), Scopes: maps.Clone(state.Scopes)}
		random.Shuffle(len(shuffled.Images), func(i, j int) {
			shuffled.Images[i], shuffled.Images[j] = shuffled.Images[j], shuffled.Images[i]
		})
		if diff := cmp.Diff(want, encode(t, shuffled, 4)); diff != "" {
			t.Fatalf("another order gives other shards:\n%s", diff)
		}
	}
}

func TestShardsSplitTheList(t *testing.T) {
	list := images(20000)
	shards := encode(t, State{Images: list}, 0)
	if len(shards) < 2 {
		t.Fatalf("%d shard for %d images", len(shards), len(list))
	}
	seen := map[string]int{}
	for i, shard := range shards {
		for key, text := range shard.Data {
			if b, ok := bucketOf("x@sha256:" + key + strings.Repeat("0", 62)); ok && key != keyFormat {
				if b/(buckets/len(shards)) != i {
					t.Errorf("shard %d has bucket %s", i, key)
				}
				for line := range strings.Lines(strings.TrimPrefix(text, "\n")) {
					seen[strings.TrimSuffix(line, "\n")]++
				}
			}
		}
		if size := shard.Size(); size > MaxShardSize || size < len(list)/len(shards)*80 {
			t.Errorf("shard %d has %d bytes, want what its images need and at most %d", i, size, MaxShardSize)
		}
	}
	for _, image := range list {
		if seen[image] != 1 {
			t.Errorf("%s is listed %d times", image, seen[image])
		}
	}
}

// While one set takes the place of another, shard by shard, what both list is always
// admitted, and what one of them does not list is never admitted once that one is complete.
func TestResharding(t *testing.T) {
	both, old, recent, stranger := images(300), image(1000), image(1001), image(1002)
	for _, counts := range [][2]int{{1, 2}, {2, 1}, {4, 16}, {8, 4}} {
		before := exactly(t, State{Images: append(slices.Clone(both), old)}, counts[0])
		after := exactly(t, State{Images: append(slices.Clone(both), recent)}, counts[1])
		var steps [][]Shard
		for i := range after {
			steps = append(steps, slices.Concat(before, after[:i+1]))
		}
		for i := range before {
			steps = append(steps, slices.Concat(before[i+1:], after))
		}
		for n, present := range steps {
			for _, image := range both {
				if !admits(present, image) {
					t.Fatalf("%v: step %d refuses %s, which both sets list", counts, n, image)
				}
			}
			if admits(present, stranger) {
				t.Fatalf("%v: step %d admits what no set lists", counts, n)
			}
			if n >= len(after)-1 && admits(present, old) {
				t.Fatalf("%v: step %d admits what the new set, which is complete, does not list", counts, n)
			}
		}
	}
}

// exactly encodes into so many shards.
func exactly(t *testing.T, state State, count int) []Shard {
	t.Helper()
	shards, err := Split(state, count)
	if err != nil {
		t.Fatal(err)
	}
	return shards
}

func TestSplitRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		state State
		count int
	}{
		"no shards": {State{}, 0}, "no power of two": {State{}, 3}, "too many": {State{}, 512},
		"an image of no use": {State{Images: []string{"app"}}, 1},
	} {
		if shards, err := Split(tc.state, tc.count); err == nil || shards != nil {
			t.Errorf("%s: %d shards and no error", name, len(shards))
		}
	}
}

func TestNumberOfShards(t *testing.T) {
	tests := map[string]struct{ images, current, want int }{
		"none at first":                 {0, 0, 1},
		"a current number that is none": {0, 3, 1},
		"grows":                         {20000, 1, 4},
		"stays while it is half full":   {7500, 2, 2},
		"shrinks by half":               {2000, 2, 1},
		"shrinks to what is needed":     {10, 64, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := len(encode(t, State{Images: images(tc.images)}, tc.current)); got != tc.want {
				t.Errorf("%d shards, want %d", got, tc.want)
			}
		})
	}
}

// TestContains checks that an image is found in any shard that has its bucket, and nowhere else.
func TestContains(t *testing.T) {
	const listed = "registry.example.com/app@sha256:aa00000000000000000000000000000000000000000000000000000000000000"
	const other = "registry.example.com/app@sha256:aa00000000000000000000000000000000000000000000000000000000000001"
	shards, err := Split(State{Images: []string{listed}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	stored := []map[string]string{shards[0].Data, shards[1].Data}
	for image, want := range map[string]bool{listed: true, other: false, listed[:len(listed)-1]: false, "": false} {
		if got := Contains(stored, image); got != want {
			t.Errorf("%q is listed: %v, want %v", image, got, want)
		}
	}
	if Contains(nil, listed) {
		t.Error("no shards list an image")
	}
}

func TestTooLarge(t *testing.T) {
	scopes := map[string]Level{}
	for n := range 5000 {
		scopes[fmt.Sprintf("registry.example.com/a-rather-long-namespace/team-%d", n)] = Enforce
	}
	one := strings.Repeat("a", MaxShardSize) + "@sha256:" + strings.Repeat("0", 64)
	for name, state := range map[string]State{
		"scopes":             {Scopes: scopes},
		"one bucket":         {Images: []string{one}},
		"an image of no use": {Images: []string{"registry.example.com/app:v1"}},
		"a short digest":     {Images: []string{"registry.example.com/app@sha256:00"}},
		"an upper-case one":  {Images: []string{"registry.example.com/app@sha256:" + strings.Repeat("A", 64)}},
	} {
		if shards, err := Encode(state, 0); err == nil || shards != nil {
			t.Errorf("%s: %d shards and no error", name, len(shards))
		}
	}
}

func TestValidUntil(t *testing.T) {
	shard := encode(t, State{}, 0)[0]
	if got := ValidUntil(shard.Data); !got.IsZero() {
		t.Errorf("a new shard ends at %s", got)
	}
	want := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	shard.SetValidUntil(want.In(time.FixedZone("", 3600)))
	if got := shard.Data["validUntil"]; got != "2026-03-04T05:06:07Z" {
		t.Errorf("validUntil is %q", got)
	}
	if got := ValidUntil(shard.Data); !got.Equal(want) {
		t.Errorf("read %s, want %s", got, want)
	}
	shard.SetValidUntil(time.Time{})
	if _, ok := shard.Data["validUntil"]; ok {
		t.Error("validUntil is there although the allowlist does not expire")
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]int{
		"assay-allowlist-1-0": 1, "assay-allowlist-256-255": 256, "assay-allowlist-4-3": 4,
		"assay-allowlist-4-4": 0, "assay-allowlist-3-0": 0, "assay-allowlist-512-0": 0, "assay-allowlist-04-0": 0,
		"assay-allowlist-4": 0, "assay-allowlist-4-": 0, "assay-allowlist-4--1": 0, "other-4-3": 0, "assay-allowlist-x-0": 0,
	} {
		count, ok := CountOf(name)
		if ok != (want > 0) || ok && count != want {
			t.Errorf("%s: %d, %v; want %d", name, count, ok, want)
		}
	}
}

func TestStricter(t *testing.T) {
	for _, tc := range []struct{ a, b, want Level }{
		{Enforce, Warn, Enforce}, {Audit, Enforce, Enforce}, {Audit, Warn, Warn}, {Warn, Warn, Warn}, {Audit, "unknown", "unknown"},
	} {
		if got := Stricter(tc.a, tc.b); got != tc.want {
			t.Errorf("Stricter(%s, %s) = %s, want %s", tc.a, tc.b, got, tc.want)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	state := State{Images: images(50000), Scopes: map[string]Level{"registry.example.com": Enforce}}
	for b.Loop() {
		if _, err := Encode(state, 8); err != nil {
			b.Fatal(err)
		}
	}
}

// TestUnknownLevel checks that a level that admission does not look for is enforced.
func TestUnknownLevel(t *testing.T) {
	shards, err := Encode(State{Scopes: map[string]Level{"a.io": "Deny"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := shards[0].Data["scopes-4"]; got != "\na.io Enforce\n" {
		t.Errorf("the scope is written as %q", got)
	}
	if _, ok := shards[0].Labels["assay.dev/level-enforce"]; !ok {
		t.Errorf("the labels are %v", shards[0].Labels)
	}
}
