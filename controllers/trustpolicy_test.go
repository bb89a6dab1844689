// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/trust"
)

func TestBrokenKeyFileIsNamedAndTheOthersWork(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	secret := f.secret(release)
	secret.Data["broken.asc"] = []byte("-----BEGIN NONSENSE-----")
	policy := f.fromSecret(f.policy())
	policy.Spec.Keys = append(policy.Spec.Keys, assayv1alpha1.TrustedKey{
		Name: "gone", ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: f.name, Key: "gone.asc"},
	})
	f.create(secret, policy, f.image(release))
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)

	got := f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonSomeKeysUnusable)
	if got.Status.KeySummary != "1/3" {
		t.Errorf("keySummary %q, want 1/3", got.Status.KeySummary)
	}
	created := metav1.Unix(keyCreated, 0)
	want := []assayv1alpha1.KeyStatus{
		{Name: "all", Source: "Secret/" + f.name + "[broken.asc]", Reason: assayv1alpha1.ReasonMalformedKey},
		{
			Name: "all", Source: "Secret/" + f.name + "[release.asc]", Fingerprint: assayv1alpha1.Fingerprint(release.fingerprint()),
			UserID: release.userID(), Algorithm: "Ed25519", Created: &created, Usable: true,
		},
		{
			Name: "gone", Source: "ConfigMap/" + f.name + "[gone.asc]", Reason: assayv1alpha1.ReasonSourceNotFound,
			Message: "there is no ConfigMap " + f.name + " in namespace assay-system; create it",
		},
	}
	// What the parser says of the broken file is its own affair, as long as it says something.
	if got.Status.Keys[0].Message == "" {
		t.Error("no message for the broken file")
	}
	got.Status.Keys[0].Message = ""
	if diff := cmp.Diff(want, got.Status.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}

	// A signature by a key that is in none of the readable files may be by one that is not readable.
	stranger := f.image(newSigner("stranger"))
	stranger.Name += "-stranger"
	f.create(stranger)
	f.verdict(stranger.Name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
}

// A copy of a key that has expired is not the last word while another source, which may
// hold the renewed one, cannot be read.
func TestExpiredCopyAndAMissingSource(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	expired := release.key.Certificate(release.key.User(release.userID(), release.key.Standard(pgp.TypePositiveCert, keyCreated,
		pgp.Flags(pgp.FlagCertify|pgp.FlagSign), pgp.Sub32(pgp.SubKeyExpires, 2*86400))))
	policy := f.policy(release)
	policy.Spec.Keys[0].Inline = string(pgp.Armor("PGP PUBLIC KEY BLOCK", expired))
	policy.Spec.Keys = append(policy.Spec.Keys, assayv1alpha1.TrustedKey{Name: "renewed", SecretRef: &assayv1alpha1.KeySourceRef{Name: f.name}})
	secret := f.secret()
	renewed := release.key.Certificate(release.key.User(release.userID(), release.key.Standard(pgp.TypePositiveCert, signed,
		pgp.Flags(pgp.FlagCertify|pgp.FlagSign), pgp.Sub32(pgp.SubKeyExpires, 100*365*86400))))
	secret.Data["release.gpg"] = renewed
	f.create(policy, secret, f.image(release))
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	if err := testClient.Delete(f.ctx, secret); err != nil {
		t.Fatal(err)
	}
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
}

func TestPolicyWhoseKeysAreAllBroken(t *testing.T) {
	f := newFixture(t)
	policy := f.policy()
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "broken", Inline: "no key at all"}}
	f.create(policy, f.image(newSigner("release")))
	got := f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
	if want := "no key can verify signatures: broken (MalformedKey)"; got.Status.Conditions[0].Message != want {
		t.Errorf("message %q, want %q", got.Status.Conditions[0].Message, want)
	}
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
}

func TestRevocationInOneFileCountsForTheOther(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	policy := f.policy(release)
	revocation := pgp.Armor("PGP PUBLIC KEY BLOCK", release.key.Direct(release.key.Standard(pgp.TypeKeyRevocation, signed)))
	policy.Spec.Keys = append(policy.Spec.Keys, assayv1alpha1.TrustedKey{Name: "revocation", Inline: string(revocation)})
	f.create(policy, f.image(release))
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)
	got := f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
	for _, key := range got.Status.Keys {
		if key.Usable || key.Reason != assayv1alpha1.ReasonKeyRevoked {
			t.Errorf("key %s: usable %v (%s), want KeyRevoked", key.Name, key.Usable, key.Reason)
		}
	}
}

func TestPolicyCountsItsImages(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	f.create(f.policy(release))
	for i, image := range []*imagev1.Image{f.image(release), f.image(release), f.image(newSigner("stranger")), f.image()} {
		image.Name = fmt.Sprintf("%s-%d", f.name, i)
		f.create(image)
	}
	odd := f.image(release)
	odd.Signatures[0].Type = "notation"
	f.create(odd)
	want := &assayv1alpha1.ImageCounts{Verified: 2, Failed: 2, Unknown: 1}
	var policy assayv1alpha1.TrustPolicy
	f.eventually("the counts", func() (bool, string) {
		if err := testClient.Get(f.ctx, client.ObjectKey{Name: f.name}, &policy); err != nil {
			return false, err.Error()
		}
		diff := cmp.Diff(want, policy.Status.Images)
		return diff == "", diff
	})
	if err := testClient.Delete(f.ctx, odd); err != nil {
		t.Fatal(err)
	}
	want.Unknown = 0
	f.eventually("the counts without a deleted image", func() (bool, string) {
		if err := testClient.Get(f.ctx, client.ObjectKey{Name: f.name}, &policy); err != nil {
			return false, err.Error()
		}
		diff := cmp.Diff(want, policy.Status.Images)
		return diff == "", diff
	})
}

func TestUnchangedPolicyKeepsItsKeyring(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	f.create(f.secret(release), f.fromSecret(f.policy()))
	store := &trust.Store{Client: testClient, Namespace: testNamespace, Formats: signature.Formats()}
	first, err := store.Snapshot(f.ctx)
	if err != nil {
		t.Fatal(err)
	}
	store.Invalidate()
	second, err := store.Snapshot(f.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Fatal("a change did not make a new snapshot")
	}
	if a, b := first.Policy(f.name), second.Policy(f.name); a != b || a == nil {
		t.Error("the keys of an unchanged policy were parsed again")
	}
}

// An archive goes on accepting what an expired key has signed before, and nothing later.
func TestExpiredKeysOfAnArchive(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	expired := release.key.Certificate(release.key.User(release.userID(), release.key.Standard(pgp.TypePositiveCert, keyCreated,
		pgp.Flags(pgp.FlagCertify|pgp.FlagSign), pgp.Sub32(pgp.SubKeyExpires, 2*86400))))
	policy := f.policy(release)
	policy.Spec.Keys[0].Inline = string(pgp.Armor("PGP PUBLIC KEY BLOCK", expired))
	late := f.image(release)
	late.Name += "-late"
	late.Signatures[0].Content = release.signAt(keyCreated+3*86400, digest.FromString(f.name), f.repository()+":v1")
	f.create(policy, f.image(release), late)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyExpired)
	f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)

	update(f, policy, func(p *assayv1alpha1.TrustPolicy) {
		p.Spec.ExpiredKeys = assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry
	})
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.verdict(late.Name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyExpired)
	got := f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	if key := got.Status.Keys[0]; !key.Usable || key.Reason != assayv1alpha1.ReasonKeyExpired {
		t.Errorf("the key is usable %v (%s), want usable although KeyExpired", key.Usable, key.Reason)
	}
}

func TestRemappedIdentity(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	policy := f.policy(release)
	policy.Spec.SignedIdentity = &assayv1alpha1.SignedIdentity{
		MatchPolicy: assayv1alpha1.RemapIdentity,
		RemapIdentity: &assayv1alpha1.RemapIdentityRule{
			Prefix: assayv1alpha1.NamePrefix(f.repository()), SignedPrefix: assayv1alpha1.NamePrefix("vendor.example.com/" + f.name),
		},
	}
	image := f.image(release)
	image.Signatures[0].Content = release.sign(digest.FromString(f.name), "vendor.example.com/"+f.name+":v1")
	f.create(policy, image)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)

	update(f, policy, func(p *assayv1alpha1.TrustPolicy) { p.Spec.SignedIdentity = nil })
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonIdentityMismatch)
}
