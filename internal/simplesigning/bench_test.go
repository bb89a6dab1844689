// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package simplesigning_test

import (
	"testing"

	"github.com/assay-project/assay/internal/simplesigning"
)

func BenchmarkParse(b *testing.B) {
	content := vectors(b)["accept-plain"]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := simplesigning.Parse(content); err != nil {
			b.Fatal(err)
		}
	}
}
