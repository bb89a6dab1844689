// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
)

// fill makes dir an assets directory with the given programs, mode 0755.
func fill(t *testing.T, dir string, programs ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// emptyStore points the store at a fresh directory and returns the path of a
// version's directory in it.
func emptyStore(t *testing.T) func(version string) string {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv(EnvDir, "")
	return func(version string) string {
		t.Helper()
		dir, err := Dir(version)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
}

func TestLocatePrefersTheEnvironment(t *testing.T) {
	store := emptyStore(t)
	fill(t, store("1.37.2"), Programs()...)
	want := fill(t, t.TempDir(), Programs()...)
	t.Setenv(EnvDir, want)
	if got, err := Locate("1.37.2"); err != nil || got != want {
		t.Errorf("Locate = %q, %v; want %q", got, err, want)
	}
}

func TestLocatePassesOverIncompleteEnvironment(t *testing.T) {
	store := emptyStore(t)
	t.Setenv(EnvDir, fill(t, t.TempDir(), Etcd, APIServer))
	want := fill(t, store("1.37.2"), Programs()...)
	if got, err := Locate("1.37.2"); err != nil || got != want {
		t.Errorf("Locate = %q, %v; want %q", got, err, want)
	}
}

func TestLocateInStore(t *testing.T) {
	tests := map[string]struct {
		complete, partial []string
		want              string // a version; "" means ErrNotFound
	}{
		"nothing there":                {},
		"exact version":                {complete: []string{"1.37.2", "1.37.9"}, want: "1.37.2"},
		"highest patch, by number":     {complete: []string{"1.37.9", "1.37.10", "1.37.0"}, want: "1.37.10"},
		"incomplete is not a match":    {complete: []string{"1.37.0"}, partial: []string{"1.37.2", "1.37.4"}, want: "1.37.0"},
		"other minor is not a match":   {complete: []string{"1.36.2", "1.3.7", "2.37.2"}},
		"only incomplete directories":  {partial: []string{"1.37.2"}},
		"pre-release is not a version": {complete: []string{"1.37.0-rc.1"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			store := emptyStore(t)
			root := filepath.Dir(store("1.37.2"))
			for _, v := range tc.complete {
				fill(t, filepath.Join(root, v+platformSuffix()), Programs()...)
			}
			for _, v := range tc.partial {
				fill(t, store(v), APIServer, Kubectl)
			}
			fill(t, filepath.Join(root, "1.37.3-plan9-mips"), Programs()...)

			got, err := Locate("1.37.2")
			if tc.want == "" {
				if !errors.Is(err, ErrNotFound) {
					t.Fatalf("Locate = %q, %v; want ErrNotFound", got, err)
				}
				return
			}
			if err != nil || got != store(tc.want) {
				t.Errorf("Locate = %q, %v; want %q", got, err, store(tc.want))
			}
		})
	}
}

func TestCompleteWantsExecutableFiles(t *testing.T) {
	for _, name := range Programs() {
		t.Run(name, func(t *testing.T) { wantsExecutable(t, name) })
	}
}

func wantsExecutable(t *testing.T, name string) {
	dir := fill(t, t.TempDir(), Programs()...)
	if !Complete(dir) {
		t.Fatal("Complete is false for a complete directory")
	}
	if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
		t.Fatal(err)
	}
	if Complete(dir) {
		t.Error("Complete is true although the program is not executable")
	}
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	if Complete(dir) {
		t.Error("Complete is true although the program is a directory")
	}
}

func TestDirRefusesVersionsThatAreNot(t *testing.T) {
	emptyStore(t)
	for _, version := range []string{"", "1.37", "v1.37.2", "1.37.x", "1.37.2-rc.1", "1.37.02", "../../1", "1.37.2/..", "1..2", "-1.37.2", "1.37.+2", "1.37.99999"} {
		if dir, err := Dir(version); err == nil {
			t.Errorf("Dir(%q) = %q, want an error", version, dir)
		}
	}
}

func TestDirFollowsSetupEnvtest(t *testing.T) {
	emptyStore(t)
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	want := filepath.Join(data, "kubebuilder-envtest", "k8s", "1.37.2-"+runtime.GOOS+"-"+runtime.GOARCH)
	if runtime.GOOS == "darwin" {
		want = filepath.Join(os.Getenv("HOME"), "Library", "Application Support", "io.kubebuilder.envtest", "k8s", "1.37.2-darwin-"+runtime.GOARCH)
	}
	if got, err := Dir("1.37.2"); err != nil || got != want {
		t.Errorf("Dir = %q, %v; want %q", got, err, want)
	}
}

func TestDefaultVersionIsThePinnedOne(t *testing.T) {
	mod, err := os.ReadFile("../../../../hack/controlplane/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes v(\S+)`).FindSubmatch(mod)
	if len(pinned) != 2 || string(pinned[1]) != DefaultVersion {
		t.Errorf("hack/controlplane/go.mod requires k8s.io/kubernetes %q, DefaultVersion is %s", pinned, DefaultVersion)
	}
}
