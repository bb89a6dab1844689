// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
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
		project(t, state(), 1)
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
	waitFor(t, "the shard of a namespace that goes", func() bool { return editor.Delete(t.Context(), shard.DeepCopy()) == nil })
}

// TestNames checks that what a binding names is there.
func TestNames(t *testing.T) {
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	if err := admin.List(t.Context(), &bindings); err != nil {
		t.Fatal(err)
	}
	if len(bindings.Items) != 8 {
		t.Errorf("there are %d bindings, want 8", len(bindings.Items))
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
