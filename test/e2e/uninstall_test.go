// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// TestUninstall installs Assay, lets it work, removes it as docs/install.md describes while the
// manager runs, and compares the content of the API server with the content before.
func TestUninstall(t *testing.T) {
	ctx := t.Context()
	c, err := startCluster(context.WithoutCancel(ctx), filepath.Join(t.TempDir(), "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("status without", c.testStatusWithoutAssay)
	before, err := c.everything(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.install(ctx); err != nil {
		t.Fatal(err)
	}
	s := newScenario(t, c, "uninstall")
	s.startManager("--leader-elect")
	s.create(s.image("good", release))
	s.awaitReason("good", assayv1alpha1.ReasonVerified)
	s.awaitListed("good", true)
	installed, err := c.everything(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for name, finalizers := range installed {
		if _, old := before[name]; !old && len(finalizers) > 0 {
			t.Errorf("%s still waits for its finalizers: %v", name, finalizers)
		}
	}

	labelled := client.MatchingLabels{"app.kubernetes.io/part-of": "assay"}
	for _, kind := range []client.Object{
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, &admissionregistrationv1.ValidatingAdmissionPolicy{},
		&admissionregistrationv1.MutatingAdmissionPolicyBinding{}, &admissionregistrationv1.MutatingAdmissionPolicy{},
	} {
		if err := c.admin.DeleteAllOf(ctx, kind, labelled); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range slices.Backward(c.installed) {
		if err := c.admin.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			t.Fatalf("deleting %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	s.eventually("everything to be gone", func(ctx context.Context) (bool, string) {
		if err := c.emptyNamespace(ctx); err != nil {
			return false, err.Error()
		}
		left, err := c.everything(ctx)
		if err != nil {
			return false, err.Error()
		}
		maps.DeleteFunc(left, func(name string, _ []string) bool {
			_, old := before[name]
			return old || strings.HasPrefix(name, "events") || name == "namespaces /"+manager.Namespace
		})
		return len(left) == 0, strings.Join(slices.Sorted(maps.Keys(left)), ", ")
	})
}

// everything returns the finalizers of all objects by resource, namespace and name, except the API
// server's own on custom resource definitions.
func (c *cluster) everything(ctx context.Context) (map[string][]string, error) {
	found := map[string][]string{}
	return found, c.eachObject(ctx, "list", func(_ dynamic.ResourceInterface, kind string, object *unstructured.Unstructured) error {
		found[kind+" "+object.GetNamespace()+"/"+object.GetName()] = slices.DeleteFunc(object.GetFinalizers(), func(name string) bool {
			return name == "customresourcecleanup.apiextensions.k8s.io"
		})
		return nil
	})
}

// emptyNamespace acts as the namespace controller after the deletion of a namespace. The controller
// is not part of the API server and does not run here.
func (c *cluster) emptyNamespace(ctx context.Context) error {
	return c.eachObject(ctx, "delete", func(objects dynamic.ResourceInterface, _ string, object *unstructured.Unstructured) error {
		if object.GetNamespace() != manager.Namespace {
			return nil
		}
		return client.IgnoreNotFound(objects.Delete(ctx, object.GetName(), metav1.DeleteOptions{}))
	})
}

// eachObject visits all objects of the resources that support a verb, except those that the API
// server creates for itself, some of them a while after its start. While a custom resource
// definition is being removed, the API server may list its resource without serving it, which is an
// error.
func (c *cluster) eachObject(ctx context.Context, verb string, visit func(objects dynamic.ResourceInterface, kind string, object *unstructured.Unstructured) error) error {
	config := rest.CopyConfig(c.Config())
	config.QPS = -1                           // Hundreds of consecutive requests.
	config.WarningHandler = rest.NoWarnings{} // Some of the resources are deprecated.
	discover, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	lists, err := discover.ServerPreferredResources()
	if err != nil {
		return err
	}
	resources, err := discovery.GroupVersionResources(discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", verb}}, lists))
	if err != nil {
		return err
	}
	for resource := range resources {
		list, err := objects.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("%s: %w", resource, err)
		}
		for i := range list.Items {
			if madeByAPIServer(&list.Items[i]) {
				continue
			}
			of := objects.Resource(resource).Namespace(list.Items[i].GetNamespace())
			if err := visit(of, resource.GroupResource().String(), &list.Items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func madeByAPIServer(object *unstructured.Unstructured) bool {
	fields := object.GetManagedFields()
	return len(fields) > 0 && !slices.ContainsFunc(fields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager != "kube-apiserver" })
}
