// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/controllers/allowlist"
	format "github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/test/admission/shards"
)

// TestNamespaceEditor lets a user who may write ConfigMaps, Roles and RoleBindings in the operator's
// namespace try to let an epoch count that the operator has withdrawn, or to add to the allowlist.
func TestNamespaceEditor(t *testing.T) {
	writeAllowlist(t, state(), 1)
	meta := metav1.ObjectMeta{Namespace: operatorNamespace, Name: "namespace-editor"}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: []string{"create", "update", "patch", "delete", "get", "list"}},
	}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: meta.Name}},
	}
	fence := shards.Fence(operatorNamespace)[0].(*rbacv1.Role)
	for _, object := range []client.Object{role, binding} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := admin.Delete(cleanupContext(t), object); err != nil {
				t.Error(err)
			}
		})
	}
	config, err := cp.ConfigForUser(meta.Name)
	if err != nil {
		t.Fatal(err)
	}
	namespaceEditor, err := newUser(config)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the permissions to count", func() bool {
		return namespaceEditor.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, GenerateName: "a-"}}, client.DryRunAll) == nil
	})

	const escalation = "attempting to grant RBAC permissions not currently held"
	withdrawn := rbacv1.PolicyRule{
		APIGroups: []string{"assay.dev"}, Resources: []string{"allowlists"}, Verbs: []string{"use"},
		ResourceNames: []string{format.FenceName(format.Name(1, 0), "withdrawn")},
	}
	named := metav1.ObjectMeta{Namespace: operatorNamespace, Name: "another-fence"}
	wantError(t, namespaceEditor.Create(t.Context(), &rbacv1.Role{ObjectMeta: named, Rules: []rbacv1.PolicyRule{withdrawn}}), escalation)
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(fence), fence); err != nil {
		t.Fatal(err)
	}
	widened := fence.DeepCopy()
	widened.Rules = append(widened.Rules, withdrawn)
	wantError(t, namespaceEditor.Update(t.Context(), widened), escalation)
	subject := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: format.FenceAccount}}
	for _, ref := range []rbacv1.RoleRef{
		{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "assay-manager-role"},
		{APIGroup: rbacv1.GroupName, Kind: "Role", Name: fence.Name},
	} {
		wantError(t, namespaceEditor.Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: named, RoleRef: ref, Subjects: subject}), escalation)
	}
	for _, name := range []string{allowlist.FenceRole, "assay-manager-rolebinding"} {
		hijacked := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: name + "-hijacked"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "assay-manager-role"}, Subjects: binding.Subjects,
		}
		wantError(t, namespaceEditor.Create(t.Context(), hijacked), escalation)
	}

	for _, shard := range shards.Encode(t, state(), operatorNamespace, 2) {
		wantError(t, namespaceEditor.Create(t.Context(), shard.DeepCopy()), aboutShards)
		shard.Name = "named-otherwise"
		wantError(t, namespaceEditor.Create(t.Context(), shard.DeepCopy()), aboutShards)
		shard.Name, shard.Labels = format.Name(2, 0), nil
		wantError(t, namespaceEditor.Create(t.Context(), shard), aboutShards)
	}
	shard := shards.Encode(t, state(), operatorNamespace, 1)[0]
	shard.Labels = nil
	wantError(t, namespaceEditor.Update(t.Context(), shard.DeepCopy()), aboutShards)
	wantError(t, namespaceEditor.Delete(t.Context(), shard), aboutShards)
	waitForOutcome(t, enforced+"/app@"+verified, admitted)
}
