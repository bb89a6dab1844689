// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/discovery"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// kubectl explain prints the descriptions that the server publishes. Each begins with the
// name of its field, as the conventions of the Kubernetes API ask for.
func TestPublishedDescriptions(t *testing.T) {
	tests := map[string]struct {
		path, kind string
		enough     int // properties at least, so that an empty answer does not pass
	}{
		"images":        {"apis/image.openshift.io/v1", "Image", 50},
		"trustpolicies": {"apis/assay.dev/v1alpha1", "TrustPolicy", 35},

		"registryconfigs": {"apis/assay.dev/v1alpha1", "RegistryConfig", 25},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &descriptions{t: t}
			root := published(t, tt.path, tt.kind)
			if !strings.HasPrefix(root.Description, tt.kind+" ") {
				t.Errorf("%s: described as %q", tt.kind, root.Description)
			}
			w.properties(tt.kind, root)
			if w.seen < tt.enough {
				t.Errorf("%d properties, want %d or more", w.seen, tt.enough)
			}
		})
	}
}

// published returns the schema of a kind from the server's OpenAPI v3.
func published(t *testing.T, path, kind string) *spec.Schema {
	t.Helper()
	c, err := discovery.NewDiscoveryClientForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := c.OpenAPIV3().Paths()
	if err != nil {
		t.Fatal(err)
	}
	group, ok := paths[path]
	if !ok {
		t.Fatalf("the server publishes nothing at %s", path)
	}
	data, err := group.Schema("application/json")
	if err != nil {
		t.Fatal(err)
	}
	var document spec3.OpenAPI
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	for name, schema := range document.Components.Schemas {
		if strings.HasSuffix(name, "."+kind) {
			return schema
		}
	}
	t.Fatalf("%s has no schema of %s", path, kind)
	return nil
}

// descriptions walks a schema.
type descriptions struct {
	t    *testing.T
	seen int
}

// properties checks the properties of an object. Those that every object has are
// described by Kubernetes.
func (w *descriptions) properties(path string, schema *spec.Schema) {
	top := !strings.Contains(path, ".")
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if top && slices.Contains([]string{"apiVersion", "kind", "metadata"}, name) {
			continue
		}
		property := schema.Properties[name]
		text := property.Description
		w.seen++
		if !strings.HasPrefix(text, name+" ") && !strings.HasPrefix(text, name+", ") {
			w.t.Errorf("%s.%s: described as %q", path, name, text)
		}
		w.properties(path+"."+name, &property)
		if property.Items != nil && property.Items.Schema != nil {
			w.properties(path+"."+name+"[]", property.Items.Schema)
		}
	}
}
