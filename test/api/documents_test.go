// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resources by kind.
var resources = map[string]schema.GroupVersionResource{"Image": imageResource, "TrustPolicy": policyResource, "RegistryConfig": registryConfigResource}

// What the documents and the samples show has to be accepted as it stands.
func TestDocumentedObjects(t *testing.T) {
	tests := map[string]struct {
		pattern string
		enough  int // objects at least
	}{
		"specifications":      {"../../docs/spec/*.md", 3},
		"samples of images":   {"../../config/samples/images/*.yaml", 5},
		"samples of policies": {"../../config/samples/policies/*.yaml", 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			paths, err := filepath.Glob(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			for _, path := range paths {
				for _, o := range objectsIn(t, path) {
					seen++
					resource, ok := resources[o["kind"].(string)]
					if !ok {
						t.Errorf("%s: unexpected kind %v", path, o["kind"])
						continue
					}
					if _, err := dryCreate(t, resource, o); err != nil {
						t.Errorf("%s: %v", path, err)
					}
				}
			}
			if seen < tt.enough {
				t.Errorf("%d objects in %s, want %d or more", seen, tt.pattern, tt.enough)
			}
		})
	}
}

// objectsIn returns the objects of a YAML file, or of the fenced YAML in Markdown.
func objectsIn(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	if filepath.Ext(path) == ".md" {
		for _, fenced := range strings.Split(string(data), "```yaml\n")[1:] {
			text, _, _ := strings.Cut(fenced, "```")
			texts = append(texts, text)
		}
	} else {
		texts = strings.Split(string(data), "\n---\n")
	}
	var out []map[string]any
	for _, text := range texts {
		if o := object(t, text); o["kind"] != nil {
			out = append(out, o)
		}
	}
	return out
}
