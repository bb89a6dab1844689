// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// dataSkipped waits until the policy warns, or no longer warns, of data that was skipped.
func (f *fixture) dataSkipped(want bool) *assayv1alpha1.TrustPolicy {
	f.Helper()
	var policy assayv1alpha1.TrustPolicy
	f.eventually(fmt.Sprintf("KeyDataSkipped: %v", want), func() (bool, string) {
		if err := testClient.Get(f.ctx, types.NamespacedName{Name: f.name}, &policy); err != nil {
			return false, err.Error()
		}
		skipped := meta.IsStatusConditionTrue(policy.Status.Conditions, assayv1alpha1.KeyDataSkippedCondition)
		return skipped == want && policy.Status.ObservedGeneration == policy.Generation, fmt.Sprint(policy.Status.Conditions)
	})
	return &policy
}

// A revocation that GnuPG made in advance is in the key source behind a colon. The key is used,
// and the policy says that the revocation is not in force, until the colon is removed.
func TestSkippedRevocation(t *testing.T) {
	f := newFixture(t)
	release := newSigner(f.name)
	key := release.publicKey()
	revocation := pgp.Armor("PGP PUBLIC KEY BLOCK", release.key.Direct(release.key.Standard(pgp.TypeKeyRevocation, release.key.Created+1)))
	secret := f.secret(release)
	secret.Data = map[string][]byte{"signer.asc": []byte(string(key) + "To revoke the key, remove the colon.\n:" + string(revocation))}
	f.create(secret, f.fromSecret(f.policy()), f.image(release))

	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	got := f.dataSkipped(true)
	condition := meta.FindStatusCondition(got.Status.Conditions, assayv1alpha1.KeyDataSkippedCondition)
	for _, want := range []string{"all (Secret/" + secret.Name + "[signer.asc]): a revocation was skipped", "remove the colon to revoke the key"} {
		if !strings.Contains(condition.Message, want) {
			t.Errorf("message %q, want %q in it", condition.Message, want)
		}
	}
	if key := got.Status.Keys[0]; !key.Usable || key.Reason != assayv1alpha1.ReasonKeyDataSkipped || !strings.Contains(key.Message, "colon") {
		t.Errorf("the key is %+v, want it usable with KeyDataSkipped", key)
	}
	f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	f.warned(got, assayv1alpha1.ReasonKeyDataSkipped)

	update(f, secret, func(s *corev1.Secret) { s.Data["signer.asc"] = append(key, revocation...) })
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)
	f.dataSkipped(false)
}
