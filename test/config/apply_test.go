// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kustomizations are the folders of config/ and how many objects of which kind each has.
var kustomizations = map[string]map[string]int{
	"crd": {"CustomResourceDefinition": 3},
	"rbac": {
		"ServiceAccount": 1, "ClusterRole": 12, "ClusterRoleBinding": 2, "Role": 2, "RoleBinding": 2,
	},
	"manager": {"Namespace": 1, "Deployment": 1, "PodDisruptionBudget": 1},
	"default": {
		"Namespace": 1, "CustomResourceDefinition": 3,
		"ServiceAccount": 1, "ClusterRole": 12, "ClusterRoleBinding": 2, "Role": 2, "RoleBinding": 2,
		"Deployment": 1, "PodDisruptionBudget": 1, "Service": 1,
	},
	"admission": {
		"Namespace": 1, "CustomResourceDefinition": 3,
		"ServiceAccount": 1, "ClusterRole": 12, "ClusterRoleBinding": 2, "Role": 2, "RoleBinding": 2,
		"Deployment": 1, "PodDisruptionBudget": 1, "Service": 1,
		"ValidatingAdmissionPolicy": 8, "ValidatingAdmissionPolicyBinding": 15,
		"MutatingAdmissionPolicy": 1, "MutatingAdmissionPolicyBinding": 1,
	},
	"samples": {"Secret": 1, "ConfigMap": 1, "TrustPolicy": 4, "Image": 16},

	"samples-argo-cd":    {"ConfigMap": 1},
	"samples-registries": {"RegistryConfig": 2},
	"samples-sigstore": {
		"ServiceAccount": 1, "Role": 1, "RoleBinding": 1, "ConfigMap": 1, "CronJob": 1,
	},
}

// components are the folders of config/ that go on top of one of those. All of them are in
// testdata/components and in testdata/renamed-components.
var components = map[string]map[string]int{
	"prometheus":     {"ServiceMonitor": 1, "PrometheusRule": 1},
	"grafana":        {"ConfigMap": 1},
	"network-policy": {"NetworkPolicy": 2},
}

func TestEveryKustomizationIsTested(t *testing.T) {
	files, err := filepath.Glob(configDir + "*/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range files {
		got = append(got, filepath.Base(filepath.Dir(file)))
	}
	want := slices.Concat(slices.Collect(maps.Keys(kustomizations)), slices.Collect(maps.Keys(components)))
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders of config/ with a kustomization (-tested +there):\n%s", diff)
	}
}

// TestEveryFileIsUsed finds an object that was added to a folder and forgotten in its
// kustomization, at any depth.
func TestEveryFileIsUsed(t *testing.T) {
	for _, top := range slices.Concat(slices.Collect(maps.Keys(kustomizations)), slices.Collect(maps.Keys(components))) {
		var dir, text string // of the kustomization that files are to be in
		err := filepath.WalkDir(filepath.Join(configDir, top), func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if data, err := os.ReadFile(filepath.Join(path, "kustomization.yaml")); err == nil {
					dir, text = path, string(data)
				}
				return nil
			}
			if filepath.Ext(path) != ".yaml" || entry.Name() == "kustomization.yaml" {
				return nil
			}
			name, err := filepath.Rel(dir, path)
			if err == nil && !strings.Contains(text, "- "+filepath.ToSlash(name)+"\n") {
				t.Errorf("%s/kustomization.yaml does not name %s", dir, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestOldKubernetes: what 1.34 and 1.35 do not have is left out by a component, and nothing else is.
func TestOldKubernetes(t *testing.T) {
	old := map[string]struct{}{}
	for _, object := range build(t, "testdata/kubernetes-1.34") {
		old[object.GetKind()+" "+object.GetName()] = struct{}{}
	}
	for _, object := range build(t, configDir+"admission") {
		kind := object.GetKind()
		if _, ok := old[kind+" "+object.GetName()]; ok == strings.HasPrefix(kind, "MutatingAdmissionPolicy") {
			t.Errorf("%s %s: %t with the component", kind, object.GetName(), ok)
		}
	}
}

// TestApply applies every kustomization twice: the API server accepts it, and the second
// time finds nothing to change.
func TestApply(t *testing.T) {
	apply(t, build(t, "testdata/crds"))
	// What config/rbac and the others hold is for a namespace that config/manager makes.
	apply(t, build(t, configDir+"manager"))
	argo := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "argocd"}}}
	apply(t, []*unstructured.Unstructured{argo})
	all := maps.Clone(kustomizations["admission"])
	tests := map[string]map[string]int{"testdata/components": all, "testdata/renamed-components": all}
	for _, kinds := range components {
		maps.Copy(all, kinds)
	}
	for dir, kinds := range kustomizations {
		tests[configDir+dir] = kinds
	}
	for dir, wantKinds := range tests {
		t.Run(strings.TrimPrefix(dir, configDir), func(t *testing.T) {
			objects := build(t, dir)
			kinds := map[string]int{}
			for _, object := range objects {
				kinds[object.GetKind()]++
			}
			if diff := cmp.Diff(wantKinds, kinds); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
			apply(t, objects)
			if kinds["Image"]+kinds["RegistryConfig"] > 0 {
				// An API server stores the default of status with the first update, not on creation.
				apply(t, objects)
			}
			first := resourceVersions(t, objects)
			apply(t, objects)
			if diff := cmp.Diff(first, resourceVersions(t, objects)); diff != "" {
				t.Errorf("applying it again changed objects (-first +second):\n%s", diff)
			}
		})
	}
}

// resourceVersions returns the versions of stored objects by kind, namespace and name.
func resourceVersions(t *testing.T, objects []*unstructured.Unstructured) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, object := range objects {
		stored := &unstructured.Unstructured{}
		stored.SetGroupVersionKind(object.GroupVersionKind())
		key := client.ObjectKeyFromObject(object)
		if err := admin.Get(t.Context(), key, stored); err != nil {
			t.Fatal(err)
		}
		versions[object.GetKind()+" "+key.String()] = stored.GetResourceVersion()
	}
	return versions
}

// TestReferences checks that roles, accounts and selectors name what there is, under the
// default names and in an installation under other names.
func TestReferences(t *testing.T) {
	tests := map[string]struct {
		dir, namespace, prefix string
	}{
		"default":            {configDir + "default", "assay-system", "assay-"},
		"renamed":            {"testdata/renamed", "image-trust", "acme-assay-"},
		"components":         {"testdata/components", "assay-system", "assay-"},
		"renamed components": {"testdata/renamed-components", "image-trust", "acme-assay-"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			objects := build(t, tc.dir)
			there := map[string]bool{}
			for _, object := range objects {
				there[object.GetKind()+" "+object.GetName()] = true
				if object.GetLabels()["app.kubernetes.io/part-of"] != "assay" {
					t.Errorf("%s %s has no label by which it is found to be removed", object.GetKind(), object.GetName())
				}
				if ns := object.GetNamespace(); ns != "" && ns != tc.namespace {
					t.Errorf("%s %s is in namespace %s", object.GetKind(), object.GetName(), ns)
				}
			}
			for _, ref := range references(t, objects) {
				if !there[ref] {
					t.Errorf("%s is referred to and not there", ref)
				}
			}
			if want := "Deployment " + tc.prefix + "controller-manager"; !there[want] {
				t.Errorf("no %s", want)
			}
			apply(t, objects)
		})
	}
}

// references returns "<kind> <name>" of everything that the objects refer to.
func references(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var refs []string
	for _, object := range objects {
		switch object.GetKind() {
		case "RoleBinding", "ClusterRoleBinding":
			refs = append(refs, text(t, object.Object, "roleRef", "kind")+" "+text(t, object.Object, "roleRef", "name"))
			subjects, _, err := unstructured.NestedSlice(object.Object, "subjects")
			if err != nil || len(subjects) == 0 {
				t.Fatalf("%s has no subjects: %v", object.GetName(), err)
			}
			for _, subject := range subjects {
				s := subject.(map[string]any)
				refs = append(refs, text(t, s, "kind")+" "+text(t, s, "name"), "Namespace "+text(t, s, "namespace"))
			}
		case "Deployment":
			refs = append(refs, "ServiceAccount "+text(t, object.Object, "spec", "template", "spec", "serviceAccountName"))
		case "ServiceMonitor":
			refs = append(refs, scraped(t, object)...)
		}
	}
	if len(refs) == 0 {
		t.Fatal("no references found")
	}
	return refs
}

// scraped returns what the name in the certificate of a scraped endpoint, which is
// <service>.<namespace>.svc, refers to.
func scraped(t *testing.T, monitor *unstructured.Unstructured) []string {
	t.Helper()
	endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
	if err != nil || len(endpoints) != 1 {
		t.Fatalf("%d endpoints, error %v", len(endpoints), err)
	}
	name := text(t, endpoints[0].(map[string]any), "tlsConfig", "serverName")
	parts := strings.Split(name, ".")
	if len(parts) != 3 || parts[2] != "svc" {
		t.Fatalf("the certificate is checked against %s", name)
	}
	return []string{"Service " + parts[0], "Namespace " + parts[1]}
}

func text(t *testing.T, object map[string]any, path ...string) string {
	t.Helper()
	value, found, err := unstructured.NestedString(object, path...)
	if err != nil || !found {
		t.Fatalf("%s: found %v, error %v", strings.Join(path, "."), found, err)
	}
	return value
}
