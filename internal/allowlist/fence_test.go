// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// listed makes the entry of an image in the bucket aa.
func listed(name string, n int) string {
	return fmt.Sprintf("registry.example.com/%s@sha256:aa%062x", name, n)
}

func shardOf(t *testing.T, state State) *Shard {
	t.Helper()
	shards, err := Encode(state, 0)
	if err != nil || len(shards) != 1 {
		t.Fatalf("%d shards, %v", len(shards), err)
	}
	return &shards[0]
}

func TestTakesAway(t *testing.T) {
	base := State{
		Images: []string{listed("a", 1), listed("b", 2), listed("c", 3)},
		Scopes: map[string]Level{"registry.example.com": Enforce},
	}
	stored := shardOf(t, base).Data
	stored[keyEpoch], stored[keyValidUntil] = "1", "2030-01-01T00:00:00Z"
	with := func(images ...string) State { return State{Images: images, Scopes: base.Scopes} }
	tests := map[string]struct {
		state State
		want  bool
	}{
		"the same":          {base, false},
		"an image more":     {with(append([]string{listed("d", 4)}, base.Images...)...), false},
		"the first missing": {with(base.Images[1:]...), true},
		"the last missing":  {with(base.Images[:2]...), true},
		"another in the place of one": {
			with(base.Images[0], base.Images[1], listed("d", 3)), true,
		},
		"none":             {with(), true},
		"a scope more":     {State{Images: base.Images, Scopes: map[string]Level{"registry.example.com": Enforce, "other.example.com": Audit}}, true},
		"a stricter level": {State{Images: base.Images, Scopes: map[string]Level{"registry.example.com": Warn}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := shardOf(t, tt.state).TakesAway(stored); got != tt.want {
				t.Errorf("takes away: %v, want %v", got, tt.want)
			}
		})
	}
	other := maps.Clone(stored)
	other[keyFormat] = "0"
	if !shardOf(t, base).TakesAway(other) {
		t.Error("a shard of another format is taken for the same")
	}
}

func oneScope(string) string { return "registry.example.com" }

// A scope that fills a bucket leaves the others their shares, whatever is stored.
func TestFitShares(t *testing.T) {
	var crowd []string
	for n := range 1250 {
		crowd = append(crowd, listed(strings.Repeat("a", 900), n))
	}
	full, _, _ := Fit(State{Images: slices.Clone(crowd)}, nil, oneScope)
	stored := []map[string]string{shardOf(t, full).Data}
	var large []string
	for n := range 400 {
		large = append(large, listed(strings.Repeat("b", 900), n))
	}
	small := listed("small", 1)
	scopeOf := func(image string) string { return image[len("registry.example.com/"):][:1] }
	// More than once, as there may be several Images of one.
	fitting, left, _ := Fit(State{Images: slices.Concat(crowd, large, crowd[:10], []string{small, small})}, stored, scopeOf)
	kept := map[string]int{}
	for _, image := range fitting.Images {
		kept[scopeOf(image)]++
	}
	if kept["s"] != 1 || kept["b"] < 45 || kept["a"] < 45 {
		t.Errorf("the scopes keep %v images", kept)
	}
	if left != len(crowd)+len(large)+1-len(fitting.Images) {
		t.Errorf("%d images are said to be left out", left)
	}
	if _, err := Encode(fitting, 0); err != nil {
		t.Errorf("what fits cannot be encoded: %v", err)
	}
	again, _, _ := Fit(State{Images: slices.Concat(large, []string{small}, crowd)}, []map[string]string{shardOf(t, fitting).Data}, scopeOf)
	slices.Sort(again.Images)
	if slices.Sort(fitting.Images); !slices.Equal(again.Images, fitting.Images) {
		t.Error("other images fit when those that fit are stored")
	}
}

func TestFit(t *testing.T) {
	long := func(n int) string { return listed(strings.Repeat("a", 900), n) }
	var many []string
	for n := range 1250 {
		many = append(many, long(n))
	}
	scopes := map[string]Level{"registry.example.com": Enforce}

	t.Run("all", func(t *testing.T) {
		fitting, images, dropped := Fit(State{Images: many[:10], Scopes: scopes}, nil, oneScope)
		if images != 0 || dropped != 0 || len(fitting.Images) != 10 {
			t.Errorf("%d images and %d scopes are left out of 10", images, dropped)
		}
	})
	t.Run("a full bucket", func(t *testing.T) {
		stored := shardOf(t, State{Images: many[1000:1010]}).Data
		short := listed("short", 9999)
		fitting, images, _ := Fit(State{Images: append([]string{short}, many...), Scopes: scopes}, []map[string]string{stored}, oneScope)
		if images == 0 || len(fitting.Images)+images != len(many)+1 {
			t.Errorf("%d images fit and %d do not, of %d", len(fitting.Images), images, len(many)+1)
		}
		kept := map[string]bool{}
		for _, image := range fitting.Images {
			kept[image] = true
		}
		if !kept[many[1005]] || !kept[short] {
			t.Error("what was listed, or has a short name, is left out before long names")
		}
		if _, err := Encode(fitting, 0); err != nil {
			t.Errorf("what fits cannot be encoded: %v", err)
		}
	})
	t.Run("too many scopes", func(t *testing.T) {
		stored := shardOf(t, State{Scopes: scopes}).Data
		large := map[string]Level{"registry.example.com": Audit}
		for n := range 1000 {
			large[fmt.Sprintf("%s%d.example.com", strings.Repeat("a", 400), n)] = Enforce
		}
		fitting, _, dropped := Fit(State{Images: many[:3], Scopes: large}, []map[string]string{stored}, oneScope)
		if dropped != 1000 || len(fitting.Scopes) != 1 || fitting.Scopes["registry.example.com"] != Enforce {
			t.Errorf("%d scopes are left out, %v stay", dropped, fitting.Scopes)
		}
	})
}
