// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/assay-project/assay/internal/verify"
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
			status: `{signatureSummary: 1/2, verified: "True", reason: Verified, conditions: [{type: Other, status: "False", reason: Other, message: other, lastTransitionTime: "2020-01-01T00:00:00Z"},
				{type: Verified, status: "True", reason: Verified, message: fine, lastTransitionTime: "2020-01-01T00:00:00Z"}]}`,
			narrow:    []string{"Name", "Verified", "Reason", "Signatures", "Age"},
			wide:      []string{"Reference", "Message"},
			unchecked: []any{"one", nil, nil, nil, "registry.example.com/team/app:v1", nil},
			checked:   []any{"one", "True", "Verified", "1/2", "registry.example.com/team/app:v1", "fine"},
		},
		"trustpolicies": {
			resource: policyResource,
			object:   policy(t, `enforcement: Warn`),
			status: `{keySummary: 1/2, conditions: [{type: Ready, status: "True", reason: SomeKeysUnusable, message: one is broken, lastTransitionTime: "2020-01-01T00:00:00Z"}],
				keys: [{name: release, usable: true}], signers: [{name: ci, usable: false, reason: NoRoot}], images: {verified: 1, failed: 2, unknown: 3}}`,
			narrow:    []string{"Name", "Ready", "Reason", "Keys", "Enforcement", "Age"},
			wide:      []string{"Message"},
			unchecked: []any{"team", nil, nil, nil, "Warn", nil},
			checked:   []any{"team", "True", "SomeKeysUnusable", "1/2", "Warn", "one is broken"},
		},
		"registryconfigs": {
			resource: registryConfigResource,
			object:   registryConfig(t, `{}`),
			status: `{conditions: [{type: Ready, status: "False", reason: RateLimited, message: too many, lastTransitionTime: "2020-01-01T00:00:00Z"}],
				images: {imported: 3, pending: 2, failed: 1}}`,
			narrow:    []string{"Name", "Ready", "Reason", "Imported", "Pending", "Failed", "Age"},
			wide:      []string{"Message"},
			unchecked: []any{"team", nil, nil, nil, nil, nil, nil},
			checked:   []any{"team", "False", "RateLimited", 3.0, 2.0, 1.0, "too many"},
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

// TestImagesAreNotWrapped checks that a line of kubectl get images fits into 160 columns of a
// terminal for an Image that is named after its digest.
func TestImagesAreNotWrapped(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	o := image(t, "dockerImageReference: registry.example.com/team/app@sha256:"+digest)
	o["metadata"] = map[string]any{"name": "sha256-" + digest}
	store(t, imageResource, o)
	got := table(t, imageResource)
	if len(got.Rows) != 1 {
		t.Fatalf("%d rows, want 1", len(got.Rows))
	}
	cells := got.Rows[0].Cells
	for i, column := range got.ColumnDefinitions {
		switch column.Name {
		case "Verified":
			cells[i] = "Unknown"
		case "Reason":
			cells[i] = longestReason(t)
		case "Signatures":
			cells[i] = "128/128"
		case "Age":
			cells[i] = "3y120d"
		}
	}
	var out strings.Builder
	if err := printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(got, &out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if width := len(strings.TrimRight(line, " \n")); width < len(digest) || width > 160 {
			t.Errorf("a line of %d columns:\n%s", width, out.String())
		}
	}
}

// longestReason returns the longest reason that a check can end with.
func longestReason(t *testing.T) (longest string) {
	t.Helper()
	for _, check := range verify.Checks() {
		for _, reason := range check.Reasons {
			if len(reason) > len(longest) {
				longest = reason
			}
		}
	}
	if longest == "" {
		t.Fatal("there are no reasons")
	}
	return longest
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
