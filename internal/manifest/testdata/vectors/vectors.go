// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package vectors generates the test vectors of internal/manifest. Those named accept-… are
// manifests of every kind; the others have one defect each, named after the reason for refusing
// them and the defect. manifest_test.go has the expected results. go generate in internal/manifest
// writes them into testdata; the output is reproducible.
package vectors

import "fmt"

// All returns the content of every vector by name. It returns an error if two are the same, which
// finds edits without an effect.
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
