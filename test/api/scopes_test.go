// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/assay-project/assay/internal/imageref"
)

// scopeGenerator makes up scopes, and texts that are nearly some.
type scopeGenerator struct{ *rand.Rand }

func (g scopeGenerator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g scopeGenerator) scope() string {
	host := g.pick("a.example.com", "A.example.com", "example.com.", "localhost", "Localhost", "registry", "docker.io", "index.docker.io", "registry-1.docker.io",
		"registry.hub.docker.com", "10.0.0.1", "10.0.0.01", "10.1", "0x1f", "a.0x", "1.a", "[2001:db8::1]", "[2001:db8:0::1]", "[2001:DB8::1]", "[::ffff:a00:1]", "[::443]",
		"[1:2]", "[]", "*.example.com", "*.Example.com", "*.0.0.1", "*.com", "*", "*example.com", "a_b.example.com", "a--b.example.com", "-a.example.com", "sha256")
	if g.IntN(2) == 0 {
		host = g.pick("a.example.com", "localhost", "docker.io", "10.0.0.1", "[2001:db8::1]", "*.example.com", "registry:5000")
	}
	port := g.pick("", "", "", "", "", "", "", "", "", ":5000", ":80", ":443", ":0443", ":5000", ":05000", ":65535", ":65536", ":70000", ":123456", ":0", ":", ":a")
	scope := host + port
	for range g.IntN(4) {
		scope += "/" + g.pick("app", "team", "library", "a.b", "a__b", "web", "x", "y", "z", "a___b", "App", "", "443", "x-", "a--b")
	}
	switch g.IntN(6) {
	case 0:
		scope += g.pick(":v1", ":443", ":70000", ":", ":-a", ":"+strings.Repeat("a", 128), ":"+strings.Repeat("a", 129))
	case 1:
		scope += g.pick("@sha256:"+strings.Repeat("0a", 32), "@sha512:"+strings.Repeat("0a", 64), "@sha256:0a", "@sha256:"+strings.Repeat("0A", 32), ":v1@sha256:"+strings.Repeat("0a", 32))
	}
	return scope
}

// TestGeneratedScopes checks of made-up scopes that the server accepts those that package imageref does, and no others.
func TestGeneratedScopes(t *testing.T) {
	const creates, scopes = 60, 50
	g := scopeGenerator{rand.New(rand.NewPCG(5, 6))}
	outcomes := map[bool]int{}
	for range creates {
		o := policy(t, "{}")
		var list []any
		seen := map[string]bool{}
		for len(list) < scopes {
			if scope := g.scope(); !seen[scope] {
				seen[scope] = true
				list = append(list, scope)
			}
		}
		o["spec"].(map[string]any)["scopes"] = list
		_, err := dryCreate(t, policyResource, o)
		refused := refusedIndices(t, err)
		for i, scope := range list {
			_, parseErr := imageref.ParseScope(scope.(string))
			if accepted := !refused[i]; accepted != (parseErr == nil) {
				t.Errorf("scope %q: the server accepts it: %t; ParseScope: %v", scope, accepted, parseErr)
			}
			outcomes[refused[i]]++
		}
	}
	if outcomes[true] < creates*scopes/10 || outcomes[false] < creates*scopes/10 {
		t.Errorf("the scopes do not put the server to the test: %v", outcomes)
	}
	t.Log(outcomes)
}

// refusedIndices returns the indices of the scopes that an error of the server names.
func refusedIndices(t *testing.T, err error) map[int]bool {
	t.Helper()
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil {
		t.Fatalf("create: %v, want some scopes to be invalid", err)
	}
	refused := map[int]bool{}
	for _, cause := range status.ErrStatus.Details.Causes {
		digits, ok := strings.CutPrefix(cause.Field, "spec.scopes[")
		i, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
		if !ok || err != nil {
			t.Fatalf("the server complains about %s: %s", cause.Field, cause.Message)
		}
		refused[i] = true
	}
	return refused
}
