// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package vectors makes the test vectors of internal/simplesigning: those named accept-… are
// payloads of an atomic container signature (containers-signature(5)), those named reject-…
// have one defect each, which the name tells. What is expected of each in detail stands in
// payload_test.go. `go generate` in internal/simplesigning writes them into testdata, always
// the same bytes.
package vectors

import "fmt"

// All returns the content of every vector by name. No two are the same, which finds edits
// that change nothing.
func All() (map[string]string, error) {
	all, names := map[string]string{}, map[string]string{}
	for _, table := range []map[string]string{documents, edits(), optionals()} {
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
