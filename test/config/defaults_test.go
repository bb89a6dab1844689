// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// derived are the fields, by kind, that an API server does not default but chooses for each
// object, or copies from another field that kustomize may change.
var derived = map[string][]string{
	"Namespace":  {`.metadata.labels["kubernetes.io/metadata.name"]`, ".spec"},
	"Service":    {".spec.clusterIP", ".spec.clusterIPs", ".spec.ipFamilies"},
	"Deployment": {".spec.template.spec.serviceAccount"},
}

// fieldName matches the names that are a step of a path without quotes.
var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// TestDefaultsAreWrittenOut compares what config/ states with what is stored: no field appears
// that config/ does not state. Such a field belongs to no field manager, so that a client that states
// it later owns it, and stands in the way of a configuration that states it too.
func TestDefaultsAreWrittenOut(t *testing.T) {
	apply(t, build(t, "testdata/crds"))
	for _, dir := range []string{"testdata/components", "../admission/testdata/enforce", "../admission/testdata/deny-unlisted"} {
		t.Run(dir, func(t *testing.T) {
			objects := build(t, dir)
			apply(t, objects)
			for _, object := range objects {
				added := addedFields("", object.Object, storedObject(t, object).Object)
				added = slices.DeleteFunc(added, func(path string) bool { return slices.Contains(derived[object.GetKind()], path) })
				for _, path := range added {
					t.Errorf("%s %s: the API server adds %s", object.GetKind(), object.GetName(), path)
				}
			}
		})
	}
}

// storedObject returns an object as it is stored, without what the API server keeps about
// every object and without its status.
func storedObject(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	stored := &unstructured.Unstructured{}
	stored.SetGroupVersionKind(object.GroupVersionKind())
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"} {
		unstructured.RemoveNestedField(stored.Object, "metadata", name)
	}
	delete(stored.Object, "status")
	return stored
}

// addedFields returns the paths of all fields of b that a does not have or that have another value.
func addedFields(path string, a, b any) []string {
	var added []string
	switch b := b.(type) {
	case map[string]any:
		a, ok := a.(map[string]any)
		if !ok {
			return []string{path}
		}
		for _, name := range slices.Sorted(maps.Keys(b)) {
			step := "." + name
			if !fieldName.MatchString(name) {
				step = fmt.Sprintf("[%q]", name)
			}
			if value, there := a[name]; there {
				added = append(added, addedFields(path+step, value, b[name])...)
			} else {
				added = append(added, path+step)
			}
		}
	case []any:
		a, ok := a.([]any)
		if !ok || len(a) != len(b) {
			return []string{path}
		}
		for i := range b {
			added = append(added, addedFields(fmt.Sprintf("%s[%d]", path, i), a[i], b[i])...)
		}
	default:
		if !cmp.Equal(a, b) {
			added = append(added, path)
		}
	}
	return added
}

// TestSecondManager lets another field manager apply what is stored, as a tool does that adopts
// a running installation, and applies config/ again. Neither meets a conflict or changes anything.
func TestSecondManager(t *testing.T) {
	apply(t, build(t, "testdata/crds"))
	objects := build(t, "testdata/components")
	apply(t, objects)
	for _, object := range objects {
		applyAs(t, "first", object)
		want := storedObject(t, object)
		applyAs(t, "second", want.DeepCopy())
		applyAs(t, "first", object)
		if diff := cmp.Diff(want.Object, storedObject(t, object).Object); diff != "" {
			t.Errorf("%s %s (-before +after):\n%s", object.GetKind(), object.GetName(), diff)
		}
	}
}

// applyAs applies an object on the server's side as a field manager that takes nothing over from another.
func applyAs(t *testing.T, manager string, object *unstructured.Unstructured) {
	t.Helper()
	err := admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner(manager))
	if err != nil {
		t.Errorf("manager %s: %v", manager, err)
	}
}
