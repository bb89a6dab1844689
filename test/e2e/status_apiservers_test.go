// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/apiserverstatus"
	"github.com/assay-project/assay/internal/cli/summary"
	"github.com/assay-project/assay/internal/importstatus"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// nowhere is an address that no API server has (RFC 5737).
const nowhere = "192.0.2.1"

// createEndpointSlice creates the EndpointSlice of the API servers until the end of the test. It
// cannot have the address of the real one, which is a loopback address.
func (s *scenario) createEndpointSlice() {
	s.Helper()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{nowhere}}},
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("https"), Port: ptr.To[int32](6443)}},
	}
	s.create(slice)
	s.Cleanup(func() {
		if err := s.admin.Delete(context.WithoutCancel(s.Context()), slice); client.IgnoreNotFound(err) != nil {
			s.Error(err)
		}
	})
}

// awaitAPIServers waits until the status shows the API server in a state.
func (s *scenario) awaitAPIServers(kubeconfig string, state apiserverstatus.State) {
	s.Helper()
	s.awaitStatus(kubeconfig, func(st *summary.Status) bool {
		return len(st.APIServers) == 1 && st.APIServers[0].Address == nowhere+":6443" && st.APIServers[0].State == state && st.APIServersNote == ""
	})
}

// TestStatusOfAPIServers reads the API servers as a user who may read the one ConfigMap, and as one
// who may not.
func TestStatusOfAPIServers(t *testing.T) {
	s := newScenario(t, shared, "apiservers")
	s.createEndpointSlice()
	earlier := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: apiserverstatus.Name}}
	if err := s.admin.Delete(t.Context(), earlier); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	kubeconfig := s.kubeconfigFor("apiserver-reader")
	for _, role := range []string{"assay-image-viewer-role", "assay-trustpolicy-viewer-role"} {
		s.bind("apiserver-"+role, role, "apiserver-reader")
	}
	s.awaitStatus(kubeconfig, func(st *summary.Status) bool {
		return len(st.APIServers) == 0 && strings.Contains(st.APIServersNote, "ConfigMap assay-apiservers in namespace assay-system is not permitted")
	})
	reader := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "apiserver-reader"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{apiserverstatus.Name},
			Verbs: []string{"list", "watch"},
		}},
	}
	s.create(reader)
	s.bind(reader.Name, reader.Name, "apiserver-reader")
	s.awaitStatus(kubeconfig, func(st *summary.Status) bool { return st.APIServersNote == "" })

	watching := s.watchStatus(kubeconfig)
	s.startManager("--apiserver-check-interval=5s")
	s.create(s.image("good", release))
	for {
		now := watching.next()
		if len(now.APIServers) == 1 && now.APIServers[0].State == apiserverstatus.Unknown {
			break
		}
	}
	watching.interrupt()
	s.awaitAPIServers(kubeconfig, apiserverstatus.Unknown)
	table, _, err := assay(t.Context(), "", "status", "--kubeconfig", kubeconfig, "-o", "wide")
	if err != nil || !strings.Contains(table, nowhere+":6443") || !strings.Contains(table, "API SERVER") {
		t.Errorf("error %v, and no API server in\n%.3000s", err, table)
	}
	elsewhere, _, err := assay(t.Context(), "", "status", "--kubeconfig", s.Kubeconfig(), "--operator-namespace", "elsewhere")
	if err != nil || strings.Contains(elsewhere, nowhere) {
		t.Errorf("error %v, and an API server of another installation in\n%.3000s", err, elsewhere)
	}
}

// TestStatusOfImports reads RegistryConfigs and the state of imports as a user who may, and as one
// who may not.
func TestStatusOfImports(t *testing.T) {
	s := newScenario(t, ownCluster(t), "imports")
	config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	config.Spec.Scopes = []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(s.repository())}
	s.create(config)
	kubeconfig := s.kubeconfigFor("import-reader")
	for _, role := range []string{"assay-image-viewer-role", "assay-trustpolicy-viewer-role"} {
		s.bind("import-"+role, role, "import-reader")
	}
	s.awaitStatus(kubeconfig, func(st *summary.Status) bool {
		return len(st.RegistryConfigs) == 0 && strings.Contains(st.RegistryConfigsNote, "assay-registryconfig-viewer-role") &&
			strings.Contains(st.ImportNote, "ConfigMap assay-import in namespace assay-system is not permitted")
	})
	s.bind("import-registries", "assay-registryconfig-viewer-role", "import-reader")
	reader := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "import-reader"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{importstatus.Name},
			Verbs: []string{"list", "watch"},
		}},
	}
	s.create(reader)
	s.bind(reader.Name, reader.Name, "import-reader")
	s.awaitStatus(kubeconfig, func(st *summary.Status) bool {
		return len(st.RegistryConfigs) == 1 && st.RegistryConfigs[0].Name == s.name && st.RegistryConfigsNote == "" && st.ImportNote == ""
	})
	watching := s.watchStatus(kubeconfig)
	s.startManager()
	image := s.image("waits")
	image.Annotations = map[string]string{assayv1alpha1.ImportAnnotation: "true"}
	s.create(image)
	for {
		now := watching.next()
		if now.Import.Pending.Images > 0 && now.Import.Pending.Oldest != nil && now.Import.Pending.Oldest.Name == image.Name {
			break
		}
	}
	watching.interrupt()
	table, _, err := assay(t.Context(), "", "status", "--kubeconfig", kubeconfig, "-o", "wide")
	for _, part := range []string{"REGISTRYCONFIG", s.name, "Images that wait for signatures: 1"} {
		if err != nil || !strings.Contains(table, part) {
			t.Errorf("error %v, and no %s in\n%.3000s", err, part, table)
		}
	}
}

// bind grants a cluster role to a service account of the operator's namespace.
func (s *scenario) bind(name, role, account string) {
	s.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: manager.Namespace, Name: account}},
	}
	s.create(binding)
	s.Cleanup(func() {
		if err := s.admin.Delete(context.WithoutCancel(s.Context()), binding); err != nil {
			s.Error(fmt.Errorf("%s: %w", name, err))
		}
	})
}
