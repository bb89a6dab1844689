// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"testing"
	"time"
)

// BenchmarkVerify compares the time for one bundle, from its content to a verdict.
func BenchmarkVerify(b *testing.B) {
	now := time.Now()
	for _, s := range own(b) {
		b.Run(s.name+"/assay", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.assay(s.bundle, now); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.name+"/sigstore-go", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.sigstoreGo(s.bundle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPublicGood compares the same for real bundles of the public instance, whose CA is on P-384.
func BenchmarkPublicGood(b *testing.B) {
	now := time.Now()
	for _, s := range conformance(b) {
		switch s.name {
		case "happy-path-v0.1", "happy-path-v0.3", "happy-path-intoto-in-dsse-v3", "rekor2-happy-path":
		default:
			continue
		}
		b.Run(s.name+"/assay", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.assay(s.bundle, now); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.name+"/sigstore-go", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.sigstoreGo(s.bundle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
