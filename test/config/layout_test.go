// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// visitFolders calls visit with every folder below config/.
func visitFolders(t *testing.T, visit func(dir string)) {
	t.Helper()
	count := 0
	err := filepath.WalkDir(configDir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != configDir {
			count++
			visit(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if count == 0 {
		t.Fatal("config/ has no folders")
	}
}

// TestFolderNames checks that a folder's name means one thing wherever it occurs.
func TestFolderNames(t *testing.T) {
	first := map[string]string{}
	visitFolders(t, func(dir string) {
		name := filepath.Base(dir)
		if other, twice := first[name]; twice {
			t.Errorf("%s and %s have the same name", other, dir)
		}
		first[name] = dir
	})
}

// TestPlacesByName checks that patches and replacements select elements of lists by name or
// value. An index silently means another element once the list has changed.
func TestPlacesByName(t *testing.T) {
	places := 0
	visitFolders(t, func(dir string) {
		data, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
		if os.IsNotExist(err) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var k types.Kustomization
		if err := yaml.UnmarshalStrict(data, &k); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, place := range placesOf(t, &k) {
			places++
			for _, step := range strings.FieldsFunc(place, func(r rune) bool { return r == '.' || r == '/' }) {
				if step == "-" || strings.Trim(step, "0123456789") == "" {
					t.Errorf("%s: %s selects an element by its index", dir, place)
				}
			}
		}
	})
	if places == 0 {
		t.Error("no patches and no replacements found")
	}
}

// placesOf returns the paths that a kustomization reads or writes in objects.
func placesOf(t *testing.T, k *types.Kustomization) []string {
	t.Helper()
	var places []string
	for _, patch := range k.Patches {
		var operations []struct{ Path, From string }
		// A strategic merge patch is an object, and has no paths.
		if strings.HasPrefix(strings.TrimSpace(patch.Patch), "-") || strings.HasPrefix(patch.Patch, "#") {
			if err := yaml.Unmarshal([]byte(patch.Patch), &operations); err != nil {
				t.Fatal(err)
			}
		}
		for _, operation := range operations {
			places = append(places, operation.Path, operation.From)
		}
	}
	for _, replacement := range k.Replacements {
		places = append(places, replacement.Source.FieldPath)
		for _, target := range replacement.Targets {
			places = append(places, target.FieldPaths...)
		}
	}
	return places
}
