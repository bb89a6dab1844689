// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref_test

import (
	"testing"

	"github.com/assay-project/assay/internal/imageref"
)

func BenchmarkMatch(b *testing.B) {
	m, err := imageref.NewMatcher(imageref.Rule{})
	if err != nil {
		b.Fatal(err)
	}
	image := mustParse(b, repo+"@"+digestA)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Match(image, repo+":v1"); err != nil {
			b.Fatal(err)
		}
	}
}
