// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package identity_test

import (
	"testing"

	"github.com/assay-project/assay/internal/identity"
)

func BenchmarkMatch(b *testing.B) {
	m, err := identity.NewMatcher(identity.Rule{})
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
