// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package credentialprovider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/registry"
)

// TestCredential checks which images a program is asked for, and which of its credentials is used.
func TestCredential(t *testing.T) {
	for image, want := range map[string]registry.Credential{
		"a.example.com/app:v1":                                        {Username: "wide", Password: "a.example.com/app"},
		"a.example.com/team/app":                                      {Username: "team", Password: "a.example.com/team/app"},
		"a.b.example.com/app":                                         {},
		"example.com/app":                                             {},
		"a.example.com:5000/app":                                      {},
		"registry.example.net:5000/other":                             {},
		"registry.example.net/team/app":                               {},
		"registry.example.net:5000/team/app":                          {}, // It is asked, and has nothing for it.
		"docker.io/library/busybox@sha256:" + strings.Repeat("a", 64): {},
	} {
		h := newHelper(t, "answer", "CACHE_KEY_TYPE=Image")
		got, ok, err := h.Credential(t.Context(), named(t, image))
		if err != nil || got != want || ok != (want != registry.Credential{}) {
			t.Errorf("%s: user %q, %v, error %v; want %q", image, got.Username, ok, err, want.Username)
		}
		asked := strings.HasPrefix(image, "a.example.com/") || strings.HasPrefix(image, "registry.example.net:5000/team")
		if n := h.ran(); (n == 1) != asked || n > 1 {
			t.Errorf("%s: the program ran %d times", image, n)
		}
	}
}

// TestCache checks for which images and for how long an answer is kept.
func TestCache(t *testing.T) {
	const first, sibling, other = "a.example.com/app", "a.example.com/web", "b.example.com/app"
	for name, tt := range map[string]struct {
		env []string
		// after is when the images are asked for again; runs counts those of the program before that,
		// and again those after it.
		after       time.Duration
		runs, again int
	}{
		"by image":            {[]string{"CACHE_KEY_TYPE=Image"}, 9 * time.Minute, 3, 0},
		"by registry":         {[]string{"CACHE_KEY_TYPE=Registry"}, 9 * time.Minute, 2, 0},
		"for all":             {[]string{"CACHE_KEY_TYPE=Global"}, 9 * time.Minute, 1, 0},
		"until it ends":       {[]string{"CACHE_KEY_TYPE=Registry"}, 10 * time.Minute, 2, 2},
		"for as long as said": {[]string{"CACHE_KEY_TYPE=Global", `CACHE_DURATION="cacheDuration":"1h",`}, 59 * time.Minute, 1, 0},
		"not at all":          {[]string{"CACHE_KEY_TYPE=Global", `CACHE_DURATION="cacheDuration":"0s",`}, 0, 3, 3},
		"not below zero":      {[]string{"CACHE_KEY_TYPE=Global", `CACHE_DURATION="cacheDuration":"-1h",`}, 0, 3, 3},
		"without a duration":  {[]string{"CACHE_KEY_TYPE=Global", `CACHE_DURATION="cacheDuration":null,`}, 9 * time.Minute, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHelper(t, "answer", tt.env...)
			ask := func() {
				t.Helper()
				for _, image := range []string{first, sibling, other} {
					if _, ok, err := h.Credential(t.Context(), named(t, image)); !ok || err != nil {
						t.Errorf("%s: %v, %v", image, ok, err)
					}
				}
			}
			ask()
			if n := h.ran(); n != tt.runs {
				t.Errorf("the program ran %d times, want %d", n, tt.runs)
			}
			h.clock.SetTime(testNow.Add(tt.after))
			ask()
			if n := h.ran() - tt.runs; n != tt.again {
				t.Errorf("the program ran %d times later, want %d", n, tt.again)
			}
		})
	}
}

// TestFailures checks that a program that misbehaves gives a reason, and nothing of what it wrote;
// and that it is not asked again at once.
func TestFailures(t *testing.T) {
	const head = `{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1",`
	for name, tt := range map[string]struct{ mode, want string }{
		"it hangs":                {"hang", "did not answer within 1s"},
		"it floods":               {"flood", "writes more than 256 KiB"},
		"it fails":                {"exit", "ended with exit status 3"},
		"its child stays":         {"orphan", "left a program behind"},
		"garbage":                 {"secret-canary", "does not answer in JSON"},
		"a list":                  {`["secret-canary"]`, "does not answer in JSON"},
		"two answers":             {head + `"cacheKeyType":"Image"}{"secret-canary":1}`, "does not answer in JSON"},
		"another kind":            {`{"kind":"secret-canary","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Image"}`, "does not answer with a CredentialProviderResponse"},
		"another version":         {`{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1alpha1","cacheKeyType":"Image"}`, "does not answer with a"},
		"another key type":        {head + `"cacheKeyType":"secret-canary"}`, "answers with a cacheKeyType other than"},
		"a duration that is none": {head + `"cacheKeyType":"Image","cacheDuration":"secret-canary"}`, "does not answer in JSON"},
		"very many":               {head + `"cacheKeyType":"Image","auth":{` + strings.TrimSuffix(manyEntries(), ",") + `}}`, "answers with more than 256 credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHelper(t, tt.mode)
			h.providers[0].timeout = time.Second
			if tt.mode != "hang" {
				h.providers[0].timeout = time.Minute
			}
			_, ok, err := h.Credential(t.Context(), named(t, "a.example.com/app"))
			var e *registry.Error
			if ok || !errors.As(err, &e) || e.Code != registry.Unauthorized || e.Host != "a.example.com" || e.Wait != failureRest ||
				!strings.Contains(e.Error(), "the credential provider helper "+tt.want) || strings.Contains(e.Error(), "canary") {
				t.Errorf("%v, error %v, want %q", ok, err, tt.want)
			}
			h.clock.SetTime(testNow.Add(failureRest - time.Second))
			_, _, err = h.Credential(t.Context(), named(t, "a.example.com/web"))
			if !errors.As(err, &e) || e.Wait != time.Second || h.ran() != 1 {
				t.Errorf("asked again after %d runs: %v", h.ran(), err)
			}
			if _, _, err := h.Credential(t.Context(), named(t, "registry.example.net:5000/other")); err != nil {
				t.Errorf("another image: %v", err)
			}
			h.clock.SetTime(testNow.Add(failureRest))
			_, _, _ = h.Credential(t.Context(), named(t, "a.example.com/app"))
			if n := h.ran(); n != 2 {
				t.Errorf("the program ran %d times, want 2", n)
			}
		})
	}
}

func manyEntries() string {
	var b strings.Builder
	for i := range maxEntries + 1 {
		fmt.Fprintf(&b, `"r%d.example.com":{},`, i)
	}
	return b.String()
}

// TestGivingUp checks that a caller who gives up is no failure of the program for others.
func TestGivingUp(t *testing.T) {
	h := newHelper(t, "hang")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := h.Credential(ctx, named(t, "a.example.com/app")); err == nil {
		t.Error("no error")
	}
	if a, ok := h.providers[0].lookup(testNow, named(t, "a.example.com/app")); ok {
		t.Errorf("it is kept: %+v", a)
	}
}

// TestManyAtOnce checks that the images of a registry that come together share one answer.
func TestManyAtOnce(t *testing.T) {
	h := newHelper(t, "answer", "CACHE_KEY_TYPE=Registry")
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, ok, err := h.Credential(t.Context(), named(t, fmt.Sprintf("a.example.com/app%d", i))); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
		})
	}
	group.Wait()
	if n := h.ran(); n != 1 {
		t.Errorf("the program ran %d times", n)
	}
	if n := len(h.providers[0].asking); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

// TestCacheIsBounded checks that the answers for very many images are not all kept.
func TestCacheIsBounded(t *testing.T) {
	p := &provider{}
	for i := range 3 * maxCached {
		p.keep(cacheKey{image: fmt.Sprint(i)}, answer{expires: testNow.Add(time.Hour)}, testNow)
	}
	if n := len(p.cached); n > maxCached {
		t.Errorf("%d answers are kept", n)
	}
}

// TestConfig checks what kubelet refuses as well.
func TestConfig(t *testing.T) {
	bin := t.TempDir()
	for name, mode := range map[string]os.FileMode{"good": 0o700, "plain": 0o600} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	const head = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n"
	provider := func(name, more string) string {
		return head + "- name: " + name + "\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  defaultCacheDuration: 1m\n  matchImages: ['*.example.com']\n" + more
	}
	if _, err := New([]byte(provider("good", "  args: [a]\n  env: [{name: A, value: b}]\n")), bin); err != nil {
		t.Error(err)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":            {"", "it is a"},
		"no YAML":            {"\t", "it is not a CredentialProviderConfig"},
		"another kind":       {"apiVersion: v1\nkind: Secret\n", "it is not a CredentialProviderConfig|it is a"},
		"an old version":     {strings.Replace(provider("good", ""), "kubelet.config.k8s.io/v1", "kubelet.config.k8s.io/v1beta1", 1), "must be a CredentialProviderConfig of"},
		"no providers":       {head, "no providers"},
		"an unknown field":   {provider("good", "  more: 1\n"), "more"},
		"a path":             {provider("../good", ""), "without spaces and separators"},
		"a missing program":  {provider("none", ""), "cannot be run"},
		"no program":         {provider("plain", ""), "cannot be run"},
		"a doubled provider": {provider("good", strings.TrimPrefix(provider("good", ""), head)), "there twice"},
		"a protocol":         {strings.Replace(provider("good", ""), "credentialprovider.kubelet.k8s.io/v1", "credentialprovider.kubelet.k8s.io/v1alpha1", 1), "must be credentialprovider"},
		"no duration":        {strings.Replace(provider("good", ""), "  defaultCacheDuration: 1m\n", "", 1), "defaultCacheDuration"},
		"a negative one":     {strings.Replace(provider("good", ""), "1m", "-1m", 1), "must not be negative"},
		"no images":          {strings.Replace(provider("good", ""), "['*.example.com']", "[]", 1), "matchImages"},
		"a scheme":           {strings.Replace(provider("good", ""), "*.example.com", "https://example.com", 1), "matchImages"},
		"a bad pattern":      {strings.Replace(provider("good", ""), "*.example.com", "a-]b[.example.com", 1), "matchImages"},
		"service accounts":   {provider("good", "  tokenAttributes: {requireServiceAccount: true}\n"), "tokenAttributes"},
		"a nameless one":     {provider("good", "  env: [{value: b}]\n"), "no name"},
		"large":              {strings.Repeat("#", maxConfig+1), "larger than"},
	} {
		_, err := New([]byte(tt.text), bin)
		if err == nil || !containsOne(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}

func containsOne(text, parts string) bool {
	for part := range strings.SplitSeq(parts, "|") {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// FuzzResponse checks that any answer is refused with a bounded text that has nothing of it, or has
// credentials.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Image","cacheDuration":"6h","auth":{"*.example.com/a":{"username":"u","password":"p"}}}`))
	f.Add([]byte(`{"auth":null}`))
	f.Add([]byte(strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseResponse(data)
		if (r == nil) == (err == nil) || err != nil && len(err.Error()) > 200 {
			t.Fatalf("%v, error %v", r, err)
		}
		if err != nil {
			return
		}
		image, err := splitImage("registry.example.com/team/app")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.entries() {
			e.pattern.matches(&image)
		}
	})
}
