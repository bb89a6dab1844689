// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// elsewhere returns a policy for other images that lists keys as revoked.
func (f *fixture) elsewhere(signers ...signer) *assayv1alpha1.TrustPolicy {
	policy := f.policy(newSigner("elsewhere"))
	policy.Name += "-elsewhere"
	policy.Spec.Scopes = scopes(f.repository() + "-elsewhere")
	for _, s := range signers {
		policy.Spec.RevokedKeys = append(policy.Spec.RevokedKeys,
			assayv1alpha1.RevokedKey{Fingerprint: assayv1alpha1.Fingerprint(strings.ToLower(s.fingerprint()))})
	}
	return policy
}

// A key that any policy lists as revoked verifies nothing under any other, at once, for as
// long as it is listed.
func TestRevokedKeysCountForEveryPolicy(t *testing.T) {
	f := newFixture(t)
	release := newSigner(f.name)
	entry := f.repository() + "@" + digest.FromString(f.name).String()
	f.create(f.policy(release), f.image(release))
	f.listed(entry, true)

	elsewhere := f.elsewhere(release)
	f.create(elsewhere)
	f.listed(entry, false)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)
	got := f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
	want := "TrustPolicy " + elsewhere.Name + " lists the key in revokedKeys"
	if key := got.Status.Keys[0]; key.Usable || key.Reason != assayv1alpha1.ReasonKeyRevoked || key.Message != want {
		t.Errorf("the key is %+v, want it not usable, because %s", key, want)
	}
	second := f.image(release)
	second.Name += "-second"
	f.create(second)
	f.verdict(second.Name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)

	update(f, elsewhere, func(p *assayv1alpha1.TrustPolicy) { p.Spec.RevokedKeys = nil })
	f.listed(entry, true)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	got = f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	// It was in no key source, and somebody has taken it off the list on purpose.
	if lost := meta.FindStatusCondition(got.Status.Conditions, assayv1alpha1.RevocationLostCondition); lost != nil || len(got.Status.Revocations) > 0 {
		t.Errorf("condition %+v, revocations %v, want none", lost, got.Status.Revocations)
	}

	update(f, elsewhere, func(p *assayv1alpha1.TrustPolicy) { p.Spec.RevokedKeys = f.elsewhere(release).Spec.RevokedKeys })
	f.listed(entry, false)
	if err := testClient.Delete(f.ctx, elsewhere); err != nil {
		t.Fatal(err)
	}
	f.listed(entry, true)
	f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
}

// revocationLost waits until the policy warns, or no longer warns, of a lost revocation.
func (f *fixture) revocationLost(want bool) *assayv1alpha1.TrustPolicy {
	f.Helper()
	var policy assayv1alpha1.TrustPolicy
	f.eventually(fmt.Sprintf("RevocationLost: %v", want), func() (bool, string) {
		if err := testClient.Get(f.ctx, types.NamespacedName{Name: f.name}, &policy); err != nil {
			return false, err.Error()
		}
		lost := meta.IsStatusConditionTrue(policy.Status.Conditions, assayv1alpha1.RevocationLostCondition)
		return lost == want && policy.Status.ObservedGeneration == policy.Generation, fmt.Sprint(policy.Status.Conditions)
	})
	return &policy
}

// A Secret that is created again from an older copy brings a revoked key back. The verdicts
// follow the key source, and the policy warns until somebody lists the key.
func TestLostRevocation(t *testing.T) {
	f := newFixture(t)
	release := newSigner(f.name)
	secret := f.secret(release)
	secret.Data[release.name+".asc"] = release.revokedKey()
	f.create(secret, f.fromSecret(f.policy()), f.image(release))
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)
	got := f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
	want := []assayv1alpha1.SeenRevocation{{Fingerprint: assayv1alpha1.Fingerprint(release.fingerprint()), Name: "all"}}
	if diff := cmp.Diff(want, got.Status.Revocations); diff != "" {
		t.Errorf("revocations (-want +got):\n%s", diff)
	}

	// The key is gone for a while, and with it the danger, but not the memory.
	if err := testClient.Delete(f.ctx, secret); err != nil {
		t.Fatal(err)
	}
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
	f.revocationLost(false)

	restored := f.secret(release)
	f.create(restored)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	got = f.revocationLost(true)
	lost := meta.FindStatusCondition(got.Status.Conditions, assayv1alpha1.RevocationLostCondition)
	if text := "all (0x" + release.fingerprint() + "); add the fingerprint to spec.revokedKeys"; !strings.Contains(lost.Message, text) {
		t.Errorf("message %q, want the key and the remedy, %q", lost.Message, text)
	}
	if key := got.Status.Keys[0]; !key.Usable || key.Reason != assayv1alpha1.ReasonRevocationLost {
		t.Errorf("the key is %+v, want it usable with RevocationLost", key)
	}
	f.warned(got, assayv1alpha1.ReasonRevocationLost)

	elsewhere := f.elsewhere(release)
	f.create(elsewhere)
	f.revocationLost(false)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)
	update(f, elsewhere, func(p *assayv1alpha1.TrustPolicy) { p.Spec.RevokedKeys = nil })
	f.revocationLost(true)
	update(f, restored, func(s *corev1.Secret) { s.Data[release.name+".asc"] = release.revokedKey() })
	f.revocationLost(false)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)
}

// warned waits for a warning about a policy.
func (f *fixture) warned(policy *assayv1alpha1.TrustPolicy, reason string) {
	f.Helper()
	f.eventually("a warning with "+reason, func() (bool, string) {
		var list eventsv1.EventList
		if err := testClient.List(f.ctx, &list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
			return false, err.Error()
		}
		for i := range list.Items {
			e := &list.Items[i]
			if e.Regarding.UID == policy.UID && e.Reason == reason && e.Type == corev1.EventTypeWarning {
				return true, ""
			}
		}
		return false, fmt.Sprintf("none among %d events", len(list.Items))
	})
}

// Somebody who may write the status of a policy can make it warn, and nothing else.
func TestForgedRevocationOnlyWarns(t *testing.T) {
	f := newFixture(t)
	release := newSigner(f.name)
	f.create(f.policy(release), f.image(release))
	got := f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	patch := client.MergeFrom(got.DeepCopy())
	got.Status.Revocations = []assayv1alpha1.SeenRevocation{{Fingerprint: assayv1alpha1.Fingerprint(release.fingerprint())}}
	if err := testClient.Status().Patch(f.ctx, got, patch); err != nil {
		t.Fatal(err)
	}
	f.revocationLost(true)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.listed(f.repository()+"@"+digest.FromString(f.name).String(), true)
}
