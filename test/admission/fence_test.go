// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/allowlist"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/test/admission/shards"
)

// TestFrozenAllowlist deletes every binding that has the allowlist for a parameter, the anchor
// included, and puts them back: the API server stops watching the shards and goes by what it
// has. The key of an image is revoked then, and the image must not be admitted.
func TestFrozenAllowlist(t *testing.T) {
	key := pgp.EdDSA(keyCreated, "frozen")
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: "frozen"}}
	policy.Spec.Scopes = []assayv1alpha1.Scope{"registry.example.com/operated"}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "frozen", Inline: string(armored(key))}}
	d := digest.FromString("frozen")
	for _, obj := range []client.Object{policy, signedImage(key, d)} {
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := client.IgnoreNotFound(admin.Delete(context.Background(), obj)); err != nil {
				t.Error(err)
			}
		})
	}
	startManager(t)
	awaitAdmitted(t, digest.FromString("never listed"), false) // The operator's allowlist is in use.
	awaitAdmitted(t, d, true)

	freeze(t)
	awaitAdmitted(t, d, true)
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(policy), policy); err != nil {
		t.Fatal(err)
	}
	policy.Spec.RevokedKeys = []assayv1alpha1.RevokedKey{{Fingerprint: assayv1alpha1.Fingerprint(fmt.Sprintf("%X", key.Fingerprint()))}}
	if err := admin.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	var last string
	waitFor(t, "the image of a revoked key to be refused", func() bool {
		err := runPod(t, d)
		if err != nil {
			last = err.Error()
		}
		return apierrors.IsForbidden(err)
	})
	t.Logf("refused: %s", last)
	if !strings.Contains(last, "outdated copy") {
		t.Errorf("the API server was not frozen, so that this test shows nothing: %s", last)
	}

	// A restart is what the message asks for, and it helps.
	if err := cp.APIServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitAdmitted(t, d, false)
}

// freeze makes the API server stop watching the shards, and returns when it evaluates Pods again.
func freeze(t *testing.T) {
	t.Helper()
	stopWatching(t)
	unlisted := digest.FromString("never listed")
	awaitAdmitted(t, unlisted, false)
}

// stopWatching deletes the bindings for long enough that the API server stops watching the shards,
// and puts them back.
func stopWatching(t *testing.T) {
	t.Helper()
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	if err := admin.List(t.Context(), &bindings); err != nil {
		t.Fatal(err)
	}
	for i := range bindings.Items {
		if binding := &bindings.Items[i]; binding.Spec.ParamRef != nil {
			if err := admin.Delete(t.Context(), binding); err != nil {
				t.Fatal(err)
			}
		}
	}
	const longEnough = 5 * time.Second // The API server looks once a second.
	begin := time.Now()
	if err := wait.PollUntilContextCancel(t.Context(), 100*time.Millisecond, true, func(context.Context) (bool, error) {
		return time.Since(begin) > longEnough, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := install(t.Context(), "enforce"); err != nil {
		t.Fatal(err)
	}
}

// TestAnchor deletes and puts back the bindings but for the anchor: the API server goes on
// watching the shards.
func TestAnchor(t *testing.T) {
	var anchor admissionregistrationv1.ValidatingAdmissionPolicyBinding
	if err := admin.Get(t.Context(), client.ObjectKey{Name: "allowlist-informer-anchor"}, &anchor); err != nil {
		t.Fatal(err)
	}
	writeAllowlist(t, state(), 1)
	waitForOutcome(t, enforced+"/app@"+verified, admitted)
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	if err := admin.List(t.Context(), &bindings); err != nil {
		t.Fatal(err)
	}
	for i := range bindings.Items {
		if binding := &bindings.Items[i]; binding.Spec.ParamRef != nil && binding.Name != anchor.Name {
			if err := admin.Delete(t.Context(), binding); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitForOutcome(t, enforced+"/app@"+unverified, admitted)
	if err := install(t.Context(), "enforce"); err != nil {
		t.Fatal(err)
	}
	waitForOutcome(t, enforced+"/app@"+unverified, denied)
	changed := state()
	changed.Images = map[string]bool{enforced + "/app@" + unverified: true}
	writeAllowlist(t, changed, 1)
	waitForOutcome(t, enforced+"/app@"+unverified, admitted)
	waitForOutcome(t, enforced+"/app@"+verified, denied)
}

// TestRefusal writes the shard that comes before a first set: it refuses all images, also those that
// no scope covers.
func TestRefusal(t *testing.T) {
	writeAllowlist(t, state(), 1)
	waitForOutcome(t, "elsewhere.example.com/app:v1", admitted)
	removeAllowlist(t)
	refusal := allowlist.Refusal()
	if err := admin.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: refusal.Name, Labels: refusal.Labels}, Data: refusal.Data,
	}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the refusal", func() bool {
		err := create(t.Context(), podOf("default", container("elsewhere.example.com/app:v1")))
		return err != nil && strings.Contains(err.Error(), "has not finished installing")
	})
	// The first set, but for its second shard: what belongs there is not let in either.
	second := allowlist.Name(2, 1)
	for _, shard := range shards.Encode(t, state(), operatorNamespace, 2) {
		if shard.Name != second {
			if err := admin.Create(t.Context(), shard); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, image := range []string{enforced + "/app@" + verified, enforced + "/app@" + unverified2} {
		waitForOutcome(t, image, denied)
	}
	writeAllowlist(t, state(), 2)
	waitForOutcome(t, enforced+"/app@"+verified, admitted)
}

// TestNamespaceGuard checks that the label that takes a namespace out of verification takes a
// permission of its own, however it is set.
func TestNamespaceGuard(t *testing.T) {
	const label = "assay.dev/verification"
	labelled := func(name string, labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	const refusal = "takes the permission to exempt namespaces.assay.dev"
	wantError(t, editor.Create(t.Context(), labelled("exempt-by-editor", map[string]string{label: "disabled"})), refusal)

	plain := labelled("plain-by-editor", nil)
	wantError(t, editor.Create(t.Context(), plain), "")
	for name, write := range map[string]func(*corev1.Namespace) error{
		"update": func(n *corev1.Namespace) error { return editor.Update(t.Context(), n) },
		"status": func(n *corev1.Namespace) error { return editor.Status().Update(t.Context(), n) },
		"finalize": func(n *corev1.Namespace) error {
			return editor.SubResource("finalize").Update(t.Context(), n)
		},
	} {
		changed := plain.DeepCopy()
		changed.Labels = map[string]string{label: "disabled", "kubernetes.io/metadata.name": plain.Name}
		if err := write(changed); err == nil || !strings.Contains(err.Error(), refusal) {
			var stored corev1.Namespace
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(plain), &stored); err != nil || stored.Labels[label] != "" {
				t.Errorf("%s: the label is set by a user without the permission: %v", name, err)
			}
		}
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(plain), plain); err != nil {
		t.Fatal(err)
	}
	other := plain.DeepCopy()
	other.Labels["team"] = "shop"
	wantError(t, editor.Update(t.Context(), other), "")

	exempt := labelled("exempt-by-admin", map[string]string{label: "disabled"})
	wantError(t, admin.Create(t.Context(), exempt), "")
	delete(exempt.Labels, label)
	wantError(t, editor.Update(t.Context(), exempt), refusal)

	// With the permission for one namespace.
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "exempter"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"assay.dev"}, Resources: []string{"namespaces"}, Verbs: []string{"exempt"}, ResourceNames: []string{exempt.Name},
		}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "exempter"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "exempter"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "editor"}},
	}
	for _, obj := range []client.Object{role, binding} {
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the permission to count", func() bool { return editor.Update(t.Context(), exempt.DeepCopy()) == nil })
	still := other.DeepCopy()
	still.Labels = map[string]string{label: "disabled"}
	wantError(t, editor.Update(t.Context(), still), refusal)
}

// TestNamespaceModeGuard checks that the label that gives a namespace a mode of its own takes the same
// permission, and that it has no value that would silently mean the mode of the cluster.
func TestNamespaceModeGuard(t *testing.T) {
	const refusal = "takes the permission to exempt namespaces.assay.dev"
	with := func(name, mode string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{modeLabel: mode}}}
	}
	wantError(t, editor.Create(t.Context(), with("audit-by-editor", "audit")), refusal)
	for _, mode := range []string{"Enforce", "enforced", "disabled"} {
		wantError(t, admin.Create(t.Context(), with("misspelt", mode)), "has the values enforce, warn and audit")
	}
	namespace := with("enforce-by-admin", "enforce")
	wantError(t, admin.Create(t.Context(), namespace), "")
	for _, mode := range []string{"warn", "audit", ""} {
		changed := namespace.DeepCopy()
		changed.Labels[modeLabel] = mode
		wantError(t, editor.Update(t.Context(), changed), refusal)
	}
	removed := namespace.DeepCopy()
	delete(removed.Labels, modeLabel)
	wantError(t, editor.Update(t.Context(), removed), refusal)
	wantError(t, admin.Update(t.Context(), removed), "")
	wantError(t, editor.Update(t.Context(), with("enforce-by-admin", "audit")), refusal)
}
