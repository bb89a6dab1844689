// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/distribution/reference"

	"github.com/assay-project/assay/internal/imageref"
)

// seeds are references and scopes, valid and not.
var seeds = []string{
	"", "busybox", "busybox:1", "team/app@" + digestA, repo + ":v1", repo + ":v1@" + digestA, "docker.io/busybox", "index.docker.io/a",
	"localhost/app", "localhost:5000", "LOCAL/app", "[2001:db8::1]:5000/app:1", "10.0.0.1/app", "*.example.com", "*.example.com:5000", "*.0.0.1",
	"a.io/b@sha512:" + strings.Repeat("0", 128), "https://a.io/b", "a.io/b/", "a.io/\u00e4", "a.io/b\x00", strings.Repeat("a", 64), "a.io/B", "my_host.example.com/a",
	"a.io:0443/b", "INDEX.docker.io:080/b", "[2001:DB8:0::1]:443/a", "[::ffff:a00:1]/a", "010.1/a", "registry:80/a", "*.a.io:0443", "sha256:ab", "Registry",
}

// FuzzParseImage checks of any text: what is accepted is normalised for good, is covered by scopes that can be written
// in a policy, and matches itself; a refusal is short printable ASCII.
func FuzzParseImage(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		named, err := imageref.ParseImage(in)
		if err != nil {
			if named != nil {
				t.Fatal("an error comes with a reference")
			}
			checkMessage(t, err)
			return
		}
		again, err := imageref.ParseImage(named.String())
		if err != nil || again.String() != named.String() {
			t.Fatalf("%q is %q, which is %v, %v", in, named, again, err)
		}
		checkScopes(t, named)
		checkCanonical(t, named)
		for _, match := range []imageref.Match{imageref.MatchExact, imageref.MatchRepoDigestOrExact, imageref.MatchRepository} {
			m, err := imageref.NewMatcher(imageref.Rule{Match: match})
			if err != nil {
				t.Fatal(err)
			}
			err = m.Match(named, in)
			if want := match == imageref.MatchRepository || !reference.IsNameOnly(named); (err == nil) != want {
				t.Errorf("%s: %q matches itself: %v", match, in, err)
			}
		}
	})
}

func checkScopes(t *testing.T, named reference.Named) {
	t.Helper()
	scopes := imageref.ScopesOf(named)
	if len(scopes) < 2 {
		t.Errorf("%q has the scopes %q", named, scopes)
	}
	for _, text := range scopes {
		if scope, err := imageref.ParseScope(text); err != nil || scope.String() != text {
			t.Errorf("%q has the scope %q, which is %q, %v", named, text, scope, err)
		}
	}
	if sorted := slices.Clone(scopes); len(slices.Compact(sorted)) != len(scopes) {
		t.Errorf("%q has a scope twice: %q", named, scopes)
	}
}

// checkCanonical checks that a name has one canonical form, and that scopes do not depend on the spelling.
func checkCanonical(t *testing.T, named reference.Named) {
	t.Helper()
	canonical, err := imageref.Canonical(named)
	if err != nil {
		t.Fatalf("%q has no canonical form: %v", named, err)
	}
	if parsed, err := imageref.ParseImage(canonical.String()); err != nil || parsed.String() != canonical.String() {
		t.Errorf("%q is %q in canonical form, which is %v, %v", named, canonical, parsed, err)
	}
	if again, err := imageref.Canonical(canonical); err != nil || again.String() != canonical.String() {
		t.Errorf("%q is %q in canonical form, which is %v, %v", named, canonical, again, err)
	}
	if !slices.Equal(imageref.ScopesOf(named), imageref.ScopesOf(canonical)) {
		t.Errorf("%q and %q are in different scopes", named, canonical)
	}
}

// FuzzParseScope checks of any text: what is accepted is written in one way only and finds the images that it is for.
func FuzzParseScope(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		canonical, canonicalErr := imageref.CanonicalScope(in)
		if again, err := imageref.ParseScope(canonical.String()); canonicalErr == nil && (err != nil || again != canonical) {
			t.Fatalf("%q is %q, which is %q, %v", in, canonical, again, err)
		}
		scope, err := imageref.ParseScope(in)
		if err != nil {
			if scope != (imageref.Scope{}) {
				t.Fatal("an error comes with a scope")
			}
			checkMessage(t, err)
			return
		}
		if scope.String() != in {
			t.Fatalf("%q became %q", in, scope)
		}
		image := in
		if rest, ok := strings.CutPrefix(in, "*"); ok {
			image = "host" + rest
		}
		if !strings.ContainsAny(image, "@") && strings.LastIndex(image, ":") <= strings.LastIndex(image, "/") || !strings.Contains(image, "/") {
			image += "/some/image"
		}
		named, err := imageref.ParseImage(image)
		if err != nil {
			return // a path may become too long
		}
		var index imageref.Index[bool]
		index.Add(scope, true)
		if _, found, ok := index.Lookup(named); !ok || found != in {
			t.Errorf("scope %q does not cover %q", in, named)
		}
	})
}

func checkMessage(t *testing.T, err error) {
	t.Helper()
	if len(err.Error()) > 1500 {
		t.Errorf("message of %d bytes", len(err.Error()))
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' && r != '…' }) {
		t.Errorf("message %q is not printable", err)
	}
}
