// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package vectors makes the test vectors of internal/manifest: those named accept-… are
// manifests of every kind, the others have one defect each, which the name tells; its first
// word is the reason for refusing it. What is expected of each in detail stands in
// manifest_test.go. `go generate` in internal/manifest writes them into testdata, always the
// same bytes.
package vectors

import "fmt"

// All returns the content of every vector by name. No two are the same, which finds edits
// that change nothing.
func All() (map[string]string, error) {
	all, names := map[string]string{}, map[string]string{}
	for _, table := range []map[string]string{documents(), edits(), signedDocuments(), signatureBlocks(), protectedHeaders()} {
		for name, content := range table {
			if _, ok := all[name]; ok {
				return nil, fmt.Errorf("two vectors are named %s", name)
			}
			if other, ok := names[content]; ok {
				return nil, fmt.Errorf("%s and %s are the same", min(name, other), max(name, other))
			}
			all[name], names[content] = content, name
		}
	}
	return all, nil
}
