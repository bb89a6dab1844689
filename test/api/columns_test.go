// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
)

// What kubectl get prints is the server's Table: columns of priority 0, and with -o wide
// the others too.
func TestColumns(t *testing.T) {
	tests := map[string]struct {
		resource  schema.GroupVersionResource
		object    map[string]any
		status    string
		narrow    []string
		wide      []string
		unchecked []any // the cells of an object without status, but for its age
		checked   []any
	}{
		"images": {
			resource: imageResource,
			object:   image(t, `dockerImageReference: registry.example.com/team/app:v1`),
			status: `{signatureSummary: 1/2, conditions: [{type: Other, status: "False", reason: Other, message: other, lastTransitionTime: "2020-01-01T00:00:00Z"},
				{type: Verified, status: "True", reason: Verified, message: fine, lastTransitionTime: "2020-01-01T00:00:00Z"}]}`,
			narrow:    []string{"Name", "Reference", "Verified", "Reason", "Signatures", "Age"},
			wide:      []string{"Message"},
			unchecked: []any{"one", "registry.example.com/team/app:v1", nil, nil, nil, nil},
			checked:   []any{"one", "registry.example.com/team/app:v1", "True", "Verified", "1/2", "fine"},
		},
		"trustpolicies": {
			resource: policyResource,
			object:   policy(t, `enforcement: Warn`),
			status: `{keySummary: 1/2, conditions: [{type: Ready, status: "True", reason: SomeKeysUnusable, message: one is broken, lastTransitionTime: "2020-01-01T00:00:00Z"}],
				keys: [{name: release, usable: true}], images: {verified: 1, failed: 2, unknown: 3}}`,
			narrow:    []string{"Name", "Ready", "Reason", "Keys", "Enforcement", "Age"},
			wide:      []string{"Message"},
			unchecked: []any{"team", nil, nil, nil, "Warn", nil},
			checked:   []any{"team", "True", "SomeKeysUnusable", "1/2", "Warn", "one is broken"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			objects := store(t, tt.resource, tt.object)
			got := table(t, tt.resource)
			if diff := cmp.Diff(tt.narrow, columns(got, 0)); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wide, columns(got, 1)); diff != "" {
				t.Errorf("wide columns (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.unchecked, cells(t, got)); diff != "" {
				t.Errorf("cells before the first check (-want +got):\n%s", diff)
			}

			o := objects.get(t)
			o.Object["status"] = object(t, tt.status)
			if _, err := objects.client.UpdateStatus(t.Context(), o, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.checked, cells(t, table(t, tt.resource))); diff != "" {
				t.Errorf("cells (-want +got):\n%s", diff)
			}
		})
	}
}

// stored is an object on the server.
type stored struct {
	client dynamic.ResourceInterface
	name   string
}

// store creates an object, which goes away with the test.
func store(t *testing.T, resource schema.GroupVersionResource, o map[string]any) stored {
	t.Helper()
	c, err := dynamic.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	created, err := c.Resource(resource).Create(t.Context(), &unstructured.Unstructured{Object: o}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := stored{client: c.Resource(resource), name: created.GetName()}
	t.Cleanup(func() {
		if err := s.client.Delete(context.WithoutCancel(t.Context()), s.name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s stored) get(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	o, err := s.client.Get(t.Context(), s.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// table lists a resource as kubectl get does.
func table(t *testing.T, resource schema.GroupVersionResource) *metav1.Table {
	t.Helper()
	c, err := discovery.NewDiscoveryClientForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.RESTClient().Get().AbsPath("/apis", resource.Group, resource.Version, resource.Resource).
		SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := &metav1.Table{}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// columns returns the names of the columns of a priority.
func columns(table *metav1.Table, priority int32) []string {
	var names []string
	for _, column := range table.ColumnDefinitions {
		if column.Priority == priority {
			names = append(names, column.Name)
		}
	}
	return names
}

// cells returns the only row without the age, which depends on the clock.
func cells(t *testing.T, table *metav1.Table) []any {
	t.Helper()
	if len(table.Rows) != 1 {
		t.Fatalf("%d rows, want 1", len(table.Rows))
	}
	var out []any
	for i, cell := range table.Rows[0].Cells {
		if table.ColumnDefinitions[i].Name != "Age" {
			out = append(out, cell)
		}
	}
	return out
}
