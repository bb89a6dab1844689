// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/imageref"
)

func TestParseScopeAccepts(t *testing.T) {
	for _, in := range []string{
		"docker.io/library/busybox:latest",
		"docker.io/library/busybox@" + digestA,
		"docker.io/library/busybox",
		"docker.io/library",
		"docker.io",
		"docker.io/bitnami",
		"localhost",
		"localhost/app",
		"localhost:5000/app:v1",
		"registry:5000", // in registry:5000/app
		"registry:5000/app",
		"registry.example.com",
		"registry.example.com:5000",
		repo,
		repo + ":v1",
		repo + "@sha512:" + strings.Repeat("0", 128),
		"10.0.0.1:5000/app",
		"registry:443/app",
		"a.io:80/app",
		"[2001:db8::1]",
		"[2001:db8::1]:5000/app:v1",
		"*.example.com",
		"*.a-b.example.com:5000",
		"*.com",
		"*.internal",
	} {
		t.Run(in, func(t *testing.T) {
			scope, err := imageref.ParseScope(in)
			if err != nil || scope.String() != in {
				t.Errorf("ParseScope(%q) = %q, %v", in, scope, err)
			}
		})
	}
}

func TestParseScopeRefuses(t *testing.T) {
	const wildcard = ": a wildcard is written *.example.com, in lower case and without a path"
	const noReference = " is not an image reference: want [host[:port]/]path[:tag][@digest]"
	tests := map[string]string{
		"":                                  "a scope is empty",
		strings.Repeat("a", 1025):           "a scope is longer than 1024 bytes",
		"busybox":                           `scope "busybox": write it as "docker.io/library/busybox"`,
		"busybox:latest":                    `scope "busybox:latest": write it as "docker.io/library/busybox:latest"`,
		"team/app":                          `scope "team/app": write it as "docker.io/team/app"`,
		"team/app@" + digestA:               `scope "team/app@` + digestA + `": write it as "docker.io/team/app@` + digestA + `"`,
		"docker.io/busybox:1":               `scope "docker.io/busybox:1": write it as "docker.io/library/busybox:1"`,
		"index.docker.io":                   `scope "index.docker.io": write it as "docker.io"`,
		"index.docker.io/library/busybox":   `scope "index.docker.io/library/busybox": write it as "docker.io/library/busybox"`,
		"index.docker.io/library/busybox:1": `scope "index.docker.io/library/busybox:1": write it as "docker.io/library/busybox:1"`,
		"Registry.Example.com":              `scope "Registry.Example.com": write it as "registry.example.com"`,
		"Registry.Example.com:5000/app:V1":  `scope "Registry.Example.com:5000/app:V1": write it as "registry.example.com:5000/app:V1"`,
		"a.io/b:v1@" + digestA:              `scope "a.io/b:v1@` + digestA + `": write it as "a.io/b@` + digestA + `"`,
		"https://a.io/b":                    `scope "https://a.io/b": leave out the scheme`,
		"a.io/b/":                           `scope "a.io/b/": leave out the slash at the end; a namespace covers what is below it`,
		"/":                                 `scope "/": leave out the slash at the end; a namespace covers what is below it`,
		"my_host.example.com":               `scope "my_host.example.com": write it as "docker.io/library/my_host.example.com"`,
		"my_host.example.com/a":             `scope: "my_host.example.com/a" is not an image reference: its host is not a host name or address: host names have no underscore`,
		"my_host.example.com/a:1":           `scope: "my_host.example.com/a:1" is not an image reference: its host is not a host name or address: host names have no underscore`,
		"a.io//b":                           `scope: "a.io//b"` + noReference,
		"a.io/b:":                           `scope: "a.io/b:"` + noReference,
		" a.io":                             `scope: " a.io"` + noReference,
		"a.io/b\n":                          `scope: "a.io/b\n"` + noReference,
		"\u202ea.io":                        `scope: "\u202ea.io"` + noReference,
		"a.io/Team":                         `scope: "a.io/Team" is not an image reference: the repository name has upper-case letters`,
		"*":                                 `scope "*"` + wildcard,
		"*.":                                `scope "*."` + wildcard,
		"*example.com":                      `scope "*example.com"` + wildcard,
		"*.Example.com":                     `scope "*.Example.com"` + wildcard,
		"*.example.com/team":                `scope "*.example.com/team"` + wildcard,
		"*.*.example.com":                   `scope "*.*.example.com"` + wildcard,
		"a.*.example.com":                   `scope "a.*.example.com"` + wildcard,
		"a.io/*":                            `scope "a.io/*"` + wildcard,
		"*.-a.com":                          `scope "*.-a.com"` + wildcard,
		"*..com":                            `scope "*..com"` + wildcard,
		"*.com.":                            `scope "*.com."` + wildcard,
		"*.0.0.1":                           `scope "*.0.0.1"` + wildcard,
		"*.1":                               `scope "*.1"` + wildcard,
		"*.0x1f":                            `scope "*.0x1f"` + wildcard,
		"*.example.com:443":                 `scope "*.example.com:443": write it as "*.example.com"`,
		"*.example.com:05000":               `scope "*.example.com:05000": write it as "*.example.com:5000"`,
		"*.example.com:65536":               `scope "*.example.com:65536": its port is not between 1 and 65535`,
		"a.io:443/b":                        `scope "a.io:443/b": write it as "a.io/b"`,
		"a.io:05000":                        `scope "a.io:05000": write it as "a.io:5000"`,
		"a.io:0/b":                          `scope "a.io:0/b": its port is not between 1 and 65535`,
		"docker.io:443/team":                `scope "docker.io:443/team": write it as "docker.io/team"`,
		"registry-1.docker.io/team":         `scope "registry-1.docker.io/team": write it as "docker.io/team"`,
		"registry.hub.docker.com:443":       `scope "registry.hub.docker.com:443": write it as "docker.io"`,
		"Registry":                          `scope "Registry": write it as "registry:443"`,
		"registry:0443/app":                 `scope "registry:0443/app": write it as "registry:443/app"`,
		"localhost:443":                     `scope "localhost:443": write it as "localhost"`,
		"[2001:DB8:0::1]:443/app:v1":        `scope "[2001:DB8:0::1]:443/app:v1": write it as "[2001:db8::1]/app:v1"`,
		"[2001:db8]":                        `scope "[2001:db8]": its host is not an IPv6 address`,
		"[::ffff:a00:1]:5000":               `scope "[::ffff:a00:1]:5000": its host is an IPv4 address in IPv6 form: write 10.0.0.1`,
		"010.0.0.1": `scope "010.0.0.1": its host ends in a number and is not an IPv4 address: ` +
			`write four decimal numbers without leading zeros`,
	}
	for in, want := range tests {
		t.Run(in, func(t *testing.T) {
			scope, err := imageref.ParseScope(in)
			if scope != (imageref.Scope{}) || text(err) != want {
				t.Errorf("ParseScope(%q) = %q and error\n%s\nwant\n%s", in, scope, text(err), want)
			}
		})
	}
}

func TestScopesOf(t *testing.T) {
	tests := map[string][]string{
		"busybox": {"docker.io/library/busybox", "docker.io/library", "docker.io", "*.io"},
		repo + ":v1": {repo + ":v1", repo, "registry.example.com:5000/team", "registry.example.com:5000",
			"*.example.com:5000", "*.example.com", "*.com:5000", "*.com"},
		"a.b.example.com/x/y/z@" + digestA: {"a.b.example.com/x/y/z@" + digestA, "a.b.example.com/x/y/z", "a.b.example.com/x/y",
			"a.b.example.com/x", "a.b.example.com", "*.b.example.com", "*.example.com", "*.com"},
		"a.io/b:v1@" + digestA:           {"a.io/b@" + digestA, "a.io/b", "a.io", "*.io"},
		"localhost/app:v1":               {"localhost/app:v1", "localhost/app", "localhost"},
		"registry:5000/app":              {"registry:5000/app", "registry:5000"},
		"10.0.0.1:5000/app":              {"10.0.0.1:5000/app", "10.0.0.1:5000"},
		"10.0.0.1/app":                   {"10.0.0.1/app", "10.0.0.1"},
		"[2001:db8::1]:5000/app:v1":      {"[2001:db8::1]:5000/app:v1", "[2001:db8::1]:5000/app", "[2001:db8::1]:5000"},
		"registry.example.com:0443/a:v1": {"registry.example.com/a:v1", "registry.example.com/a", "registry.example.com", "*.example.com", "*.com"},
		"a.io:80/b:v1":                   {"a.io:80/b:v1", "a.io:80/b", "a.io:80", "a.io/b:v1", "a.io/b", "a.io", "*.io:80", "*.io"},
		"registry:80/b":                  {"registry:80/b", "registry:80", "registry:443/b", "registry:443"},
		"Docker.io/busybox":              {"docker.io/library/busybox", "docker.io/library", "docker.io", "*.io"},
		"INDEX.docker.io:080/busybox":    {"docker.io/library/busybox", "docker.io/library", "docker.io", "*.io"},
		"Registry.EXAMPLE.com/a:V1":      {"registry.example.com/a:V1", "registry.example.com/a", "registry.example.com", "*.example.com", "*.com"},
	}
	for in, want := range tests {
		t.Run(in, func(t *testing.T) {
			if diff := cmp.Diff(want, imageref.ScopesOf(mustParse(t, in))); diff != "" {
				t.Errorf("ScopesOf (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIndex looks images up among all of these scopes; an empty scope means that none covers the image.
func TestIndex(t *testing.T) {
	scopes := []string{
		"*.example.com", "*.b.example.com", "*.example.com:5000", "registry.example.com", "registry.example.com:5000",
		"registry.example.com/team", "registry.example.com/team/app", "registry.example.com/team/app:v1",
		"registry.example.com/team/app@" + digestA, "docker.io/library/busybox",
	}
	tests := map[string]string{
		"registry.example.com/team/app:v1":            "registry.example.com/team/app:v1",
		"registry.example.com/team/app@" + digestA:    "registry.example.com/team/app@" + digestA,
		"registry.example.com/team/app:v1@" + digestA: "registry.example.com/team/app@" + digestA,
		"registry.example.com/team/app:v1@" + digestB: "registry.example.com/team/app", // the tag selects nothing
		"registry.example.com/team/app:v2":            "registry.example.com/team/app",
		"registry.example.com/team/app":               "registry.example.com/team/app",
		"registry.example.com/team/app/sub:v1":        "registry.example.com/team/app",
		"registry.example.com/team/application:v1":    "registry.example.com/team",
		"registry.example.com/teams/app:v1":           "registry.example.com",
		"registry.example.com:5000/team/app:v1":       "registry.example.com:5000",
		"registry.example.com:5001/team/app:v1":       "*.example.com",
		"REGISTRY.example.com/team/app:v1":            "registry.example.com/team/app:v1",
		"registry.example.com:443/team/app:v1":        "registry.example.com/team/app:v1",
		"registry.example.com:05000/team/app:v1":      "registry.example.com:5000",
		"registry.example.com:080/team/app:v1":        "registry.example.com/team/app:v1",
		"a.example.com/x":                             "*.example.com",
		"a.example.com:5000/x":                        "*.example.com:5000",
		"a.b.example.com:5000/x":                      "*.b.example.com",
		"a.c.example.com/x":                           "*.example.com",
		"b.example.com/x":                             "*.example.com",
		"busybox:1":                                   "docker.io/library/busybox",
		"example.com/x":                               "",
		"evilexample.com/x":                           "",
		"registry.example.com.evil.net/team/app:v1":   "",
		"evil.net/registry.example.com/team/app:v1":   "",
	}
	var forward, backward imageref.Index[string]
	for i := range scopes {
		add(t, &forward, scopes[i])
		add(t, &backward, scopes[len(scopes)-1-i])
	}
	for in, want := range tests {
		for order, index := range map[string]*imageref.Index[string]{"forward": &forward, "backward": &backward} {
			t.Run(in+" "+order, func(t *testing.T) {
				values, scope, ok := index.Lookup(mustParse(t, in))
				if scope != want || ok != (want != "") {
					t.Errorf("Lookup(%q) = %q, %v; want %q", in, scope, ok, want)
				}
				if ok && !slices.Equal(values, []string{want + " 1", want + " 2"}) {
					t.Errorf("Lookup(%q) has values %q", in, values)
				}
			})
		}
	}
}

// add attaches two values to a scope.
func add(t *testing.T, index *imageref.Index[string], scope string) {
	t.Helper()
	s, err := imageref.ParseScope(scope)
	if err != nil {
		t.Fatal(err)
	}
	index.Add(s, scope+" 1")
	index.Add(s, scope+" 2")
}

func TestEmptyIndex(t *testing.T) {
	var index imageref.Index[int]
	if values, scope, ok := index.Lookup(mustParse(t, "busybox")); ok || values != nil || scope != "" {
		t.Errorf("Lookup = %v, %q, %v", values, scope, ok)
	}
	index.Add(imageref.Scope{}, 1)
	if values, scope, ok := index.Lookup(mustParse(t, "busybox")); ok || values != nil || scope != "" {
		t.Errorf("the zero scope covers an image: Lookup = %v, %q, %v", values, scope, ok)
	}
}
