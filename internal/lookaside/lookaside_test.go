// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package lookaside_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/distribution/reference"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/lookaside"
	"github.com/assay-project/assay/internal/registry"
)

var testDigest = digest.FromString("manifest")

// folder is where the signatures of the image are in a store.
var folder = "team/app@sha256=" + testDigest.Encoded()

const (
	pgp      = "\xa3signature"
	sigstore = "\x00sigstore-json\n{}"
)

func image(t *testing.T) reference.Named {
	t.Helper()
	named, err := reference.ParseNormalizedNamed("registry.example.com/team/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// answer of a store for one file.
type answer struct {
	status int
	body   string
}

func TestSignatures(t *testing.T) {
	atomicOf := func(s string) registry.Signature { return registry.Signature{Type: "atomic", Content: []byte(s)} }
	missing := answer{404, ""}
	tests := map[string]struct {
		files   []answer
		rest    answer
		want    []registry.Signature
		skipped []registry.Code
		code    registry.Code
		fails   bool
		// onDisk is false for what only a server does.
		onDisk bool
	}{
		"none":        {rest: missing, onDisk: true},
		"two":         {files: []answer{{200, pgp + "1"}, {200, pgp + "2"}}, rest: missing, want: []registry.Signature{atomicOf(pgp + "1"), atomicOf(pgp + "2")}, onDisk: true},
		"of sigstore": {files: []answer{{200, sigstore}}, rest: missing, want: []registry.Signature{{Type: "sigstore", Content: []byte(sigstore)}}, onDisk: true},
		"one is bad": {files: []answer{{200, "-----BEGIN PGP MESSAGE-----"}, {200, ""}, {200, pgp}}, rest: missing, want: []registry.Signature{atomicOf(pgp)},
			skipped: []registry.Code{registry.Malformed}, onDisk: true},
		"one is large": {files: []answer{{200, pgp + strings.Repeat("a", registry.MaxSignature)}, {200, pgp}}, rest: missing, want: []registry.Signature{atomicOf(pgp)},
			skipped: []registry.Code{registry.TooLarge}, onDisk: true},
		"403 behind":     {files: []answer{{200, pgp}}, rest: answer{403, ""}, want: []registry.Signature{atomicOf(pgp)}},
		"403":            {rest: answer{403, ""}, fails: true, code: registry.Unauthorized},
		"410":            {rest: answer{410, ""}},
		"401":            {rest: answer{401, ""}, fails: true, code: registry.Unauthorized},
		"500":            {files: []answer{{200, pgp}}, rest: answer{500, ""}, want: []registry.Signature{atomicOf(pgp)}, fails: true, code: registry.Unavailable},
		"429":            {rest: answer{429, ""}, fails: true, code: registry.RateLimited},
		"a page":         {rest: answer{200, "\n <!DOCTYPE html><html>"}, fails: true, code: registry.Malformed},
		"a page behind":  {files: []answer{{200, pgp}}, rest: answer{200, "<html>"}, want: []registry.Signature{atomicOf(pgp)}, fails: true, code: registry.Malformed},
		"XML with a BOM": {rest: answer{200, "\ufeff<?xml version='1.0'?>"}, fails: true, code: registry.Malformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				a, n := tt.rest, 0
				if _, err := fmt.Sscanf(r.URL.Path, "/store/"+folder+"/signature-%d", &n); err == nil && n >= 1 && n <= len(tt.files) {
					a = tt.files[n-1]
				}
				w.WriteHeader(a.status)
				_, _ = w.Write([]byte(a.body))
			}))
			t.Cleanup(server.Close)
			stores := []string{server.URL + "/store", server.URL + "/store/"}
			if tt.onDisk {
				stores = append(stores, onDisk(t, tt.files), "file://"+onDisk(t, tt.files))
			}
			for _, place := range stores {
				store, err := lookaside.Open(place, server.Client())
				if err != nil {
					t.Fatal(err)
				}
				found, err := lookaside.Signatures(t.Context(), store, image(t), testDigest)
				var e *registry.Error
				if tt.fails != (err != nil) || tt.fails && (!errors.As(err, &e) || e.Code != tt.code) {
					t.Errorf("%s: error %v", place, err)
				}
				if diff := cmp.Diff(tt.want, found.Signatures); diff != "" {
					t.Errorf("%s: signatures (-want +got):\n%s", place, diff)
				}
				var codes []registry.Code
				for _, e := range found.Skipped {
					codes = append(codes, e.Code)
				}
				if diff := cmp.Diff(tt.skipped, codes); diff != "" {
					t.Errorf("%s: skipped (-want +got):\n%s", place, diff)
				}
			}
		})
	}
}

// onDisk writes a store with the files.
func onDisk(t *testing.T, files []answer) string {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		if err := os.WriteFile(filepath.Join(root, folder, fmt.Sprintf("signature-%d", i+1)), []byte(file.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestEndless checks that a store with a signature of every number is not asked for ever.
func TestEndless(t *testing.T) {
	for name, body := range map[string]string{"signatures": pgp, "garbage": "garbage", "large": strings.Repeat("a", registry.MaxSignature+1)} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			_, _ = w.Write([]byte(body))
		}))
		store, err := lookaside.Open(server.URL, server.Client())
		if err != nil {
			t.Fatal(err)
		}
		found, err := lookaside.Signatures(t.Context(), store, image(t), testDigest)
		server.Close()
		if err != nil || asked != registry.MaxSignatures || len(found.Signatures) > registry.MaxSignatures {
			t.Errorf("%s: %d requests, %d signatures, %v", name, asked, len(found.Signatures), err)
		}
		if !found.More || len(found.Skipped) > 1 {
			t.Errorf("%s: more: %t, %d are skipped", name, found.More, len(found.Skipped))
		}
	}
}

// TestDirectoryIsNotLeft checks that a store on disk gives nothing from outside of it, and nothing
// that is no file.
func TestDirectoryIsNotLeft(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte(pgp), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink(outside, path) },
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		root := onDisk(t, nil)
		if err := make(filepath.Join(root, folder, "signature-1")); err != nil {
			t.Fatal(err)
		}
		store, err := lookaside.Open(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := lookaside.Signatures(t.Context(), store, image(t), testDigest); err != nil || len(found.Signatures) > 0 || len(found.Skipped) != 1 {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, place := range []string{
		"https://user:password@a.example.com", "https://a.example.com/?a=b", "https://a.example.com/#a", "https:///a", filepath.Join(t.TempDir(), "missing"), "",
	} {
		if store, err := lookaside.Open(place, nil); err == nil {
			t.Errorf("%q: %v", place, store)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("%q: the error has the password: %v", place, err)
		}
	}
}
