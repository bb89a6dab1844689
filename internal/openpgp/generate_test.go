// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/openpgp/testdata/vectors"
)

//go:generate go run ./testdata/generate

// TestGenerate checks that the vectors are what go generate writes.
func TestGenerate(t *testing.T) {
	want, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("testdata/[km]*/*")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, path := range paths {
		name, err := filepath.Rel("testdata", path)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.ToSlash(name)] = string(content)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("testdata is not what go generate writes (-generated +testdata):\n%s", diff)
	}
}
