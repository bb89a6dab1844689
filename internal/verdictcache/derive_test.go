// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verdictcache_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/verdictcache"
)

// of returns a digest by a short name.
func of(name string) digest.Digest { return digest.FromString(name) }

// entryOf returns an entry of a repository.
func entryOf(name string) string { return "registry.example.com/app@" + of(name).String() }

// children returns those of an index: of these names, and attestations of names with a "?".
func children(names ...string) []manifest.Child {
	var list []manifest.Child
	for _, name := range names {
		list = append(list, manifest.Child{Digest: of(name), IsAttestation: name[0] == '?'})
	}
	return list
}

// index is the verdict on an index, which is not verified.
func index(name string, list []manifest.Child) verdictcache.Verdict {
	return verdictcache.Verdict{UID: "1", Scope: scope, Index: verdictcache.Index{Name: entryOf(name), Children: list}}
}

// signed makes a verdict that of a verified Image.
func signed(verdict verdictcache.Verdict) verdictcache.Verdict {
	verdict.Entry = verdict.Index.Name
	return verdict
}

func TestDerive(t *testing.T) {
	elsewhere := verified("registry.example.com/other@" + of("amd64").String())
	ownScope := verified(entryOf("amd64"))
	ownScope.Scope = ownScope.Entry
	byItsDigest := signed(index("index", children("amd64", "arm64")))
	byItsDigest.Scope = byItsDigest.Entry
	tests := map[string]struct {
		verdicts []verdictcache.Verdict
		scopes   []string
		want     []string
	}{
		"a signed index": {
			[]verdictcache.Verdict{signed(index("index", children("amd64", "arm64", "?sbom")))}, nil,
			[]string{"index", "amd64", "arm64", "?sbom"},
		},
		"an index of verified images": {
			[]verdictcache.Verdict{index("index", children("amd64", "arm64")), verified(entryOf("amd64")), verified(entryOf("arm64"))}, nil,
			[]string{"index", "amd64", "arm64"},
		},
		"an index with an attestation": {
			[]verdictcache.Verdict{index("index", children("amd64", "?sbom")), verified(entryOf("amd64"))}, nil,
			[]string{"index", "amd64"},
		},
		"an index with one image that is not verified": {
			[]verdictcache.Verdict{index("index", children("amd64", "arm64")), verified(entryOf("amd64"))}, nil,
			[]string{"amd64"},
		},
		"an index of attestations alone": {
			[]verdictcache.Verdict{index("index", children("?sbom")), verified(entryOf("?sbom"))}, nil,
			[]string{"?sbom"},
		},
		"an index of nothing": {[]verdictcache.Verdict{index("index", nil)}, nil, nil},
		"an index with a child without a valid digest": {
			[]verdictcache.Verdict{index("index", append(children("amd64"), manifest.Child{})), verified(entryOf("amd64"))}, nil,
			[]string{"amd64"},
		},
		"a signed index with children of other digests": {
			[]verdictcache.Verdict{signed(index("index", append(children("amd64"), manifest.Child{}, manifest.Child{Digest: digest.SHA512.FromString("x")})))}, nil,
			[]string{"index", "amd64"},
		},
		"verified in another repository": {
			[]verdictcache.Verdict{index("index", children("amd64")), elsewhere}, nil, []string{"!" + elsewhere.Entry},
		},
		"an index in a signed index": {
			[]verdictcache.Verdict{signed(index("outer", children("inner"))), index("inner", children("amd64"))}, nil,
			[]string{"outer", "inner"},
		},
		"an index of an index whose images are verified": {
			[]verdictcache.Verdict{index("outer", children("inner")), index("inner", children("amd64")), verified(entryOf("amd64"))}, nil,
			[]string{"inner", "amd64"},
		},
		"an index of a signed index": {
			[]verdictcache.Verdict{index("outer", children("inner")), signed(index("inner", children("amd64")))}, nil,
			[]string{"outer", "inner", "amd64"},
		},
		"children that a signed index lists do not list another": {
			[]verdictcache.Verdict{signed(index("a", children("amd64"))), index("b", children("amd64"))}, nil,
			[]string{"a", "amd64"},
		},
		"a child with policies of its own": {
			[]verdictcache.Verdict{signed(index("index", children("amd64", "arm64")))}, []string{"amd64"},
			[]string{"index", "arm64"},
		},
		"a child that is verified by policies of its own": {
			[]verdictcache.Verdict{index("index", children("amd64")), ownScope}, []string{"amd64"},
			[]string{"amd64"},
		},
		"an index with policies of its own": {
			[]verdictcache.Verdict{index("index", children("amd64")), verified(entryOf("amd64"))}, []string{"index"},
			[]string{"amd64"},
		},
		"an index that is verified by policies of its own": {
			[]verdictcache.Verdict{byItsDigest}, []string{"index"},
			[]string{"index"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := verdictcache.New()
			for i, verdict := range tt.verdicts {
				c.Record(fmt.Sprint(i), verdict)
			}
			var want []string
			for _, name := range tt.want {
				if name[0] == '!' {
					want = append(want, name[1:])
				} else {
					want = append(want, entryOf(name))
				}
			}
			slices.Sort(want)
			isScope := func(entry string) bool {
				return slices.ContainsFunc(tt.scopes, func(name string) bool { return entryOf(name) == entry })
			}
			if got := listed(c, isScope); !slices.Equal(got, want) {
				t.Errorf("entries (-want +got):\n%s", cmp.Diff(want, got))
			}
		})
	}
}

// listed returns the entries, sorted and each once.
func listed(c *verdictcache.Cache, hasScope func(string) bool) []string {
	got := c.Entries(hasScope)
	slices.Sort(got)
	return slices.Compact(got)
}

// world is what a cache was told, and scopes that are digests.
type world struct {
	verdicts map[string]verdictcache.Verdict
	scopes   map[string]bool
}

// lists reports whether an entry is on the allowlist, by the letter of the rules.
func (w *world) lists(entry string) bool {
	if w.verifies(entry) {
		return true
	}
	if w.scopes[entry] {
		return false
	}
	for _, v := range w.verdicts {
		if v.Index.Name == "" || w.scopes[v.Index.Name] {
			continue
		}
		runnable, all := 0, true
		for _, child := range v.Index.Children {
			name := "registry.example.com/app@" + child.Digest.String()
			if name == entry && v.Entry == v.Index.Name {
				return true
			}
			if !child.IsAttestation {
				runnable++
				all = all && w.verifies(name) && !w.scopes[name]
			}
		}
		if v.Index.Name == entry && runnable > 0 && all {
			return true
		}
	}
	return false
}

// verifies reports whether an Image of its own is verified.
func (w *world) verifies(entry string) bool {
	for _, v := range w.verdicts {
		if v.Entry == entry && (v.Scope == entry || !w.scopes[entry]) {
			return true
		}
	}
	return false
}

// TestDeriveAnyHistory makes up histories of a cluster. After each change the entries are those of
// the rules, and if they differ from those before there was an event: nothing stays on the
// allowlist that was derived from a verdict that is gone.
func TestDeriveAnyHistory(t *testing.T) {
	const histories, changes = 200, 60
	names := []string{"a", "b", "c", "d", "?e", "f"}
	r := rand.New(rand.NewPCG(5, 6))
	derived, removed := 0, 0
	for range histories {
		c := verdictcache.New()
		w := world{map[string]verdictcache.Verdict{}, map[string]bool{}}
		for _, name := range names {
			w.scopes[entryOf(name)] = r.IntN(8) == 0
		}
		isScope := func(entry string) bool { return w.scopes[entry] }
		// An index of a digest always has the same children.
		indexes := map[string][]manifest.Child{}
		for _, name := range names {
			if r.IntN(2) == 0 {
				indexes[name] = children(pick(r, names)...)
			}
		}
		var before []string
		for range changes {
			object := fmt.Sprint(r.IntN(8))
			if r.IntN(4) == 0 {
				c.Forget(object)
				delete(w.verdicts, object)
			} else {
				v := randomVerdict(r, names[r.IntN(len(names))], indexes)
				c.Record(object, v)
				w.verdicts[object] = v
			}
			var want []string
			for _, name := range names {
				if entry := entryOf(name); w.lists(entry) {
					want = append(want, entry)
					if !w.verifies(entry) {
						derived++
					}
				}
			}
			slices.Sort(want)
			got := listed(c, isScope)
			if !slices.Equal(got, want) {
				t.Fatalf("entries (-want +got):\n%s\nof %+v", cmp.Diff(want, got), slices.Collect(maps.Values(w.verdicts)))
			}
			if event := notified(c); !event && !slices.Equal(got, before) {
				t.Fatalf("no event when the entries became\n%s", cmp.Diff(before, got))
			}
			if len(got) < len(before) {
				removed++
			}
			before = got
		}
	}
	if derived < histories || removed < histories {
		t.Errorf("%d entries were derived and %d times some went, which is not enough to mean something", derived, removed)
	}
}

// pick returns some of the names.
func pick(r *rand.Rand, names []string) []string {
	var picked []string
	for _, name := range names {
		if r.IntN(3) == 0 {
			picked = append(picked, name)
		}
	}
	return picked
}

// randomVerdict returns one on an image, which may be an index whose bytes are known.
func randomVerdict(r *rand.Rand, name string, indexes map[string][]manifest.Child) verdictcache.Verdict {
	v := verdictcache.Verdict{UID: "1", Scope: scope}
	if list := indexes[name]; len(list) > 0 && r.IntN(4) > 0 {
		v.Index = verdictcache.Index{Name: entryOf(name), Children: list}
	}
	if r.IntN(2) == 0 {
		v.Entry = entryOf(name)
		if r.IntN(4) == 0 {
			v.Scope = v.Entry
		}
	}
	return v
}
