// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// TestUninstall installs Assay, lets it work, removes it as docs/install.md describes while the
// manager and Kubernetes' controllers run, and compares the content of the API server with the content
// before. The controllers make the manager's Pods, end its namespace and collect garbage.
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
	if err := c.ControllerManager.Start(ctx); err != nil {
		t.Fatal(err)
	}
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

	s.eventually("the Pods of the Deployment", func(ctx context.Context) (bool, string) {
		var pods corev1.PodList
		err := c.admin.List(ctx, &pods, client.InNamespace(manager.Namespace))
		return len(pods.Items) > 0, fmt.Sprintf("%d Pods, %v", len(pods.Items), err)
	})

	// The commands wait until what they delete is gone.
	for _, kinds := range []string{
		"validatingadmissionpolicybindings,validatingadmissionpolicies", "mutatingadmissionpolicybindings,mutatingadmissionpolicies",
	} {
		c.kubectl(t, "delete", kinds, "-l", "app.kubernetes.io/part-of=assay,app.kubernetes.io/component=admission")
	}
	c.kubectl(t, "delete", "--ignore-not-found", "-k", enforced)
	s.eventually("everything to be gone", func(ctx context.Context) (bool, string) {
		left, err := c.everything(ctx)
		if err != nil {
			return false, err.Error()
		}
		maps.DeleteFunc(left, func(name string, _ []string) bool {
			_, old := before[name]
			return old || strings.HasPrefix(name, "events")
		})
		return len(left) == 0, strings.Join(slices.Sorted(maps.Keys(left)), ", ")
	})
}

// kubectl runs a command that has to succeed.
func (c *cluster) kubectl(t *testing.T, args ...string) {
	t.Helper()
	programs, err := assets.Locate(assets.DefaultVersion)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(programs, assets.Kubectl), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(), "KUBECACHEDIR="+t.TempDir())
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// everything returns the finalizers of all objects by resource, namespace and name, except the API
// server's own on custom resource definitions, and except the objects that Kubernetes makes for itself,
// some of them a while after its start. While a custom resource definition is being removed, the API
// server may list its resource without serving it, which is an error.
func (c *cluster) everything(ctx context.Context) (map[string][]string, error) {
	found := map[string][]string{}
	return found, c.eachObject(ctx, func(name string, object *unstructured.Unstructured) error {
		if madeByKubernetes(object) {
			return nil
		}
		found[name] = slices.DeleteFunc(object.GetFinalizers(), func(name string) bool {
			return name == "customresourcecleanup.apiextensions.k8s.io"
		})
		return nil
	})
}

// eachObject visits all objects of the cluster, by resource, namespace and name. While a custom
// resource definition is being removed, the API server may list its resource without serving it, which
// is an error.
func (c *cluster) eachObject(ctx context.Context, visit func(name string, object *unstructured.Unstructured) error) error {
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
	resources, err := discovery.GroupVersionResources(discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists))
	if err != nil {
		return err
	}
	for resource := range resources {
		list, err := objects.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("%s: %w", resource, err)
		}
		for i := range list.Items {
			object := &list.Items[i]
			if err := visit(resource.GroupResource().String()+" "+object.GetNamespace()+"/"+object.GetName(), object); err != nil {
				return err
			}
		}
	}
	return nil
}

// madeByKubernetes reports whether an object is of the API server, or one that every namespace gets
// or that a controller of Kubernetes runs as.
func madeByKubernetes(object *unstructured.Unstructured) bool {
	if object.GetKind() == "ServiceAccount" && (object.GetName() == "default" || object.GetNamespace() == metav1.NamespaceSystem) {
		return true
	}
	fields := object.GetManagedFields()
	return len(fields) > 0 && !slices.ContainsFunc(fields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager != "kube-apiserver" })
}
