// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	generated "github.com/assay-project/assay/internal/manifest/testdata/vectors"
)

//go:generate go run ./testdata/generate

// TestGenerate checks that the vectors are the output of go generate.
func TestGenerate(t *testing.T) {
	want, err := generated.All()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, content := range vectors(t) {
		got[name] = string(content)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("testdata is not the output of go generate (-generated +testdata):\n%s", diff)
	}
}
