// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/test/admission/shards"
)

// TestRenamed installs Assay in another namespace under other names, and lets that namespace go in the end: what is in it
// goes too. The policies are not renamed, so this installation takes the first one's place meanwhile.
func TestRenamed(t *testing.T) {
	const namespace = "image-trust"
	if err := install(t.Context(), "renamed"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := install(cleanupContext(t), "enforce"); err != nil {
			t.Fatal(err)
		}
		writeAllowlist(t, state(), 1)
	})
	// Without shards of its own this installation refuses all.
	waitForOutcome(t, "elsewhere.example.com/app:v1", denied)
	exempt := podOf(namespace, container(enforced+"/app:v1"), restrict)
	waitFor(t, "a Pod in the operator's namespace", func() bool { return create(t.Context(), exempt.DeepCopy()) == nil })

	for _, object := range shards.Fence(namespace) {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	shard := shards.Encode(t, state(), namespace, 1)[0]
	wantError(t, create(t.Context(), shard.DeepCopy()), aboutShards)
	if err := admin.Create(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	waitForOutcome(t, enforced+"/app@"+verified, admitted)
	waitForOutcome(t, enforced+"/app:v1", denied)

	wantError(t, editor.Delete(t.Context(), shard.DeepCopy()), aboutShards)
	if err := admin.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	letGo(t, namespace, shard)
}

// letGo checks who may delete a shard of a namespace that goes: what empties the namespace may, and others who may delete
// ConfigMaps may not. They could delete one of several, for good, and images of its buckets would be admitted. The Role of
// the fence goes with the namespace, and everything is refused from then on, whatever shards are left.
func letGo(t *testing.T, namespace string, shard *corev1.ConfigMap) {
	t.Helper()
	configMaps := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"delete", "deletecollection"}}
	finalize := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces/finalize"}, Verbs: []string{"update"}}
	deleter, controller := grant(t, "deleter", configMaps), grant(t, "namespace-controller", configMaps, finalize)
	waitFor(t, "the permission to delete", func() bool {
		return apierrors.IsNotFound(deleter.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "none"}}))
	})
	wantError(t, deleter.Delete(t.Context(), shard.DeepCopy()), aboutShards)
	wantError(t, deleter.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace(namespace)), aboutShards)
	waitForOutcome(t, enforced+"/app@"+verified, admitted)
	if err := admin.Delete(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: shards.FenceName}}); err != nil {
		t.Fatal(err)
	}
	waitForOutcome(t, enforced+"/app@"+verified, denied)
	waitFor(t, "the end of the shard", func() bool { return controller.Delete(t.Context(), shard.DeepCopy()) == nil })
}

// grant makes a user with permissions of its own.
func grant(t *testing.T, name string, rules ...rbacv1.PolicyRule) *user {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
	}
	if err := errors.Join(admin.Create(t.Context(), role), admin.Create(t.Context(), binding)); err != nil {
		t.Fatal(err)
	}
	config, err := cp.ConfigForUser(name)
	if err != nil {
		t.Fatal(err)
	}
	u, err := newUser(config)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestNames checks that what a binding names is there.
func TestNames(t *testing.T) {
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	if err := admin.List(t.Context(), &bindings); err != nil {
		t.Fatal(err)
	}
	if len(bindings.Items) != 15 {
		t.Errorf("there are %d bindings, want 15", len(bindings.Items))
	}
	for _, binding := range bindings.Items {
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		if err := admin.Get(t.Context(), client.ObjectKey{Name: binding.Spec.PolicyName}, policy); err != nil {
			t.Error(err)
		}
	}
}

// cleanupContext outlives the test's own, which ends before its cleanups run.
func cleanupContext(t *testing.T) context.Context {
	t.Helper()
	return context.WithoutCancel(t.Context())
}
