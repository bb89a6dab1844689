// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

func signatureConditions(complete, failed corev1.ConditionStatus, reason, message string) []imagev1.SignatureCondition {
	return []imagev1.SignatureCondition{
		{Type: imagev1.SignatureComplete, Status: complete, Reason: reason, Message: message},
		{Type: imagev1.SignatureFailed, Status: failed, Reason: reason, Message: message},
	}
}

func TestVerifiedImageIsFilledIn(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	f.create(f.policy(release), f.image(release))

	image := f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	d := digest.FromString(f.name)
	keyID := "0x" + release.fingerprint()
	created := metav1.Unix(signed, 0)
	entity := imagev1.SignatureGenericEntity{CommonName: release.userID()}
	want := f.image(release).Signatures
	want[0].ImageIdentity = f.repository() + ":v1"
	want[0].SignedClaims = map[string]string{
		"critical.type":                         "atomic container signature",
		"critical.image.docker-manifest-digest": d.String(),
		"critical.identity.docker-reference":    f.repository() + ":v1",
		"optional.creator":                      "assay-test",
	}
	want[0].Created = &created
	want[0].IssuedBy = &imagev1.SignatureIssuer{SignatureGenericEntity: entity}
	want[0].IssuedTo = &imagev1.SignatureSubject{SignatureGenericEntity: entity, PublicKeyID: keyID}
	want[0].Conditions = signatureConditions(corev1.ConditionTrue, corev1.ConditionFalse, "Verified",
		"signed by "+release.userID()+" ("+keyID+"), trusted by TrustPolicy "+f.name)
	if diff := cmp.Diff(want, image.Signatures, ignoreTimes); diff != "" {
		t.Errorf("signatures (-want +got):\n%s", diff)
	}
	for _, c := range image.Signatures[0].Conditions {
		if c.LastProbeTime.IsZero() || c.LastTransitionTime.IsZero() {
			t.Errorf("condition %s lacks a time: %+v", c.Type, c)
		}
	}
	wantStatus := imagev1.ImageStatus{
		ObservedGeneration: image.Generation,
		Digest:             d.String(),
		SignatureSummary:   "1/1",
		Policies:           []imagev1.AppliedPolicy{{Name: f.name, Scope: f.repository(), Status: metav1.ConditionTrue}},
		Conditions: []metav1.Condition{
			{
				Type: "Verified", Status: metav1.ConditionTrue, Reason: "Verified", ObservedGeneration: image.Generation,
				Message: "signed by 1 trusted key; TrustPolicy " + f.name + " requires 1",
			},
			{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Verified", ObservedGeneration: image.Generation},
		},
		Verified: metav1.ConditionTrue,
		Reason:   "Verified",
	}
	if diff := cmp.Diff(wantStatus, image.Status, ignoreTimes); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestRefusedSignatureNamesTheMissingKey(t *testing.T) {
	f := newFixture(t)
	stranger := newSigner("stranger")
	f.create(f.policy(newSigner("release")), f.image(stranger))

	image := f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
	want := f.image(stranger).Signatures
	want[0].IssuedTo = &imagev1.SignatureSubject{PublicKeyID: "0x" + stranger.fingerprint()}
	want[0].Conditions = signatureConditions(corev1.ConditionFalse, corev1.ConditionTrue, "UntrustedKey",
		"TrustPolicy "+f.name+" does not have key 0x"+stranger.fingerprint()+", which the signature names; add the key if you trust its owner")
	if diff := cmp.Diff(want, image.Signatures, ignoreTimes); diff != "" {
		t.Errorf("signatures (-want +got):\n%s", diff)
	}

	// The key that was missing is added, and the claim that was written down is no obstacle.
	policy := f.policy()
	update(f, policy, func(p *assayv1alpha1.TrustPolicy) { p.Spec = f.policy(stranger).Spec })
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

func TestContentThatIsNoSignature(t *testing.T) {
	f := newFixture(t)
	image := f.image(newSigner("release"))
	image.Signatures[0].Content = []byte("this is no signature")
	f.create(f.policy(newSigner("release")), image)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonMalformedSignature)
}

func TestOutcomesThatAreNeitherTrustedNorRefused(t *testing.T) {
	release := newSigner("release")
	cases := map[string]struct {
		prepare func(f *fixture) (policy *assayv1alpha1.TrustPolicy, image *imagev1.Image)
		reason  string
	}{
		"no policy": {
			prepare: func(f *fixture) (*assayv1alpha1.TrustPolicy, *imagev1.Image) { return nil, f.image(release) },
			reason:  assayv1alpha1.ReasonNoTrustPolicy,
		},
		"unknown type": {
			prepare: func(f *fixture) (*assayv1alpha1.TrustPolicy, *imagev1.Image) {
				image := f.image(release)
				image.Signatures[0].Type = "notation"
				return f.policy(release), image
			},
			reason: assayv1alpha1.ReasonUnsupportedType,
		},
		"missing secret": {
			prepare: func(f *fixture) (*assayv1alpha1.TrustPolicy, *imagev1.Image) {
				return f.fromSecret(f.policy()), f.image(release)
			},
			reason: assayv1alpha1.ReasonKeysUnavailable,
		},
		"digest unknown": {
			prepare: func(f *fixture) (*assayv1alpha1.TrustPolicy, *imagev1.Image) {
				image := f.image(release)
				image.DockerImageReference = f.repository() + ":v1"
				return f.policy(release), image
			},
			reason: assayv1alpha1.ReasonDigestUnknown,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.name = "outcome-" + strings.ToLower(c.reason)
			policy, image := c.prepare(f)
			if policy != nil {
				f.create(policy)
			}
			f.create(image)
			got := f.verdict(f.name, metav1.ConditionUnknown, c.reason)
			for _, condition := range got.Signatures[0].Conditions {
				if condition.Status != corev1.ConditionUnknown || condition.Reason != c.reason {
					t.Errorf("condition %s is %s (%s), want Unknown (%s)", condition.Type, condition.Status, condition.Reason, c.reason)
				}
			}
			if len(got.Signatures[0].Conditions) != 2 {
				t.Errorf("%d conditions, want Complete and Failed", len(got.Signatures[0].Conditions))
			}
		})
	}
}

func TestImageWithoutSignatures(t *testing.T) {
	f := newFixture(t)
	f.create(f.policy(newSigner("release")), f.image())
	image := f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoSignatures)
	if image.Status.SignatureSummary != "0/0" {
		t.Errorf("signatureSummary %q, want 0/0", image.Status.SignatureSummary)
	}
}

func TestSecretThatAppearsVerifiesWhatWaited(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	f.create(f.fromSecret(f.policy()), f.image(release))
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
	f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)

	secret := f.secret(release)
	f.create(secret)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)

	update(f, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"release.asc": release.revokedKey()} })
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)
	f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)

	if err := testClient.Delete(f.ctx, secret); err != nil {
		t.Fatal(err)
	}
	image := f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
	if s := image.Signatures[0]; s.ImageIdentity != "" || s.SignedClaims != nil || s.Created != nil || s.IssuedBy != nil {
		t.Errorf("claims of a signature that is not verified are still there: %+v", s)
	}
}

func TestConfigMapAsKeySource(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	policy := f.policy()
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "release", ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: f.name, Key: "release.asc"}}}
	f.create(policy, f.image(release))
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
	f.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: f.name},
		BinaryData: map[string][]byte{"release.asc": release.key.Simple(release.userID())},
	})
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

func TestPolicyThatGoesLeavesNoStaleVerdict(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	policy := f.policy(release)
	f.create(policy, f.image(release))
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	if err := testClient.Delete(f.ctx, policy); err != nil {
		t.Fatal(err)
	}
	image := f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonNoTrustPolicy)
	if len(image.Status.Policies) != 0 || image.Status.SignatureSummary != "0/1" {
		t.Errorf("status still speaks of a policy that is gone: %+v", image.Status)
	}
}

func TestMostSpecificScopeWins(t *testing.T) {
	f := newFixture(t)
	release, other := newSigner("release"), newSigner("other")
	wide := f.policy(release)
	wide.Name += "-wide"
	image := f.image(release)
	image.DockerImageReference = f.repository() + "/app@" + digest.FromString(f.name).String()
	image.Signatures[0].Content = release.sign(digest.FromString(f.name), f.repository()+"/app:v1")
	f.create(wide, image)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)

	narrow := f.policy(other)
	narrow.Spec.Scopes = scopes(f.repository() + "/app")
	f.create(narrow)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)

	// Back to the wider one when the narrow one covers something else.
	update(f, narrow, func(p *assayv1alpha1.TrustPolicy) { p.Spec.Scopes = scopes(f.repository() + "/elsewhere") })
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

func TestEveryPolicyOfTheScopeMustBeSatisfied(t *testing.T) {
	f := newFixture(t)
	build, audit := newSigner("build"), newSigner("audit")
	first, second := f.policy(build), f.policy(audit)
	second.Name += "-audit"
	image := f.image(build)
	f.create(first, second, image)
	got := f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
	want := []imagev1.AppliedPolicy{
		{Name: first.Name, Scope: f.repository(), Status: metav1.ConditionTrue},
		{Name: second.Name, Scope: f.repository(), Status: metav1.ConditionFalse},
	}
	if diff := cmp.Diff(want, got.Status.Policies); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	update(f, image, func(i *imagev1.Image) { i.Signatures = f.image(build, audit).Signatures })
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

func TestRequiredSignaturesCountsKeys(t *testing.T) {
	f := newFixture(t)
	build, audit := newSigner("build"), newSigner("audit")
	policy := f.policy(build, audit)
	policy.Spec.RequiredSignatures = 2
	image := f.image(build, build)
	f.create(policy, image)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonInsufficientSignatures)
	update(f, image, func(i *imagev1.Image) { i.Signatures = f.image(build, audit).Signatures })
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

func TestPublicKeyIDAskedFor(t *testing.T) {
	f := newFixture(t)
	release, audit := newSigner("release"), newSigner("audit")
	image := f.image(release)
	asked := "0x" + audit.fingerprint()[24:]
	image.Signatures[0].IssuedTo = &imagev1.SignatureSubject{PublicKeyID: asked}
	f.create(f.policy(release, audit), image)
	got := f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonPublicKeyIDMismatch)
	if id := got.Signatures[0].IssuedTo.PublicKeyID; id != asked {
		t.Errorf("publicKeyID is %s, want what the client asked for, %s", id, asked)
	}
	update(f, image, func(i *imagev1.Image) {
		i.Signatures[0].IssuedTo.PublicKeyID = "0x" + release.fingerprint()[24:]
	})
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

func TestForgedVerdictIsPutRight(t *testing.T) {
	f := newFixture(t)
	stranger := newSigner("stranger")
	image := f.image(stranger)
	forge := func(i *imagev1.Image) {
		i.Signatures[0].Conditions = signatureConditions(corev1.ConditionTrue, corev1.ConditionFalse, "Verified", "trust me")
		i.Signatures[0].IssuedBy = &imagev1.SignatureIssuer{SignatureGenericEntity: imagev1.SignatureGenericEntity{CommonName: "somebody"}}
		i.Signatures[0].ImageIdentity = "registry.example.com/forged:v1"
	}
	forge(image)
	f.create(f.policy(newSigner("release")), image)
	honest := func(got *imagev1.Image) (bool, string) {
		s := got.Signatures[0]
		complete := s.Conditions[slices.IndexFunc(s.Conditions, func(c imagev1.SignatureCondition) bool {
			return c.Type == imagev1.SignatureComplete
		})]
		return s.IssuedBy == nil && s.ImageIdentity == "" && complete.Status == corev1.ConditionFalse, complete.Message
	}
	if ok, seen := honest(f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)); !ok {
		t.Errorf("forged on creation and still there: %s", seen)
	}
	update(f, image, forge)
	f.eventually("the honest verdict", func() (bool, string) {
		if err := testClient.Get(f.ctx, client.ObjectKeyFromObject(image), image); err != nil {
			return false, err.Error()
		}
		return honest(image)
	})

	// The same for the status, written by somebody who may.
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
	patch := client.MergeFrom(image.DeepCopy())
	image.Status.Conditions[0].Status, image.Status.Conditions[0].Reason = metav1.ConditionTrue, "Verified"
	if err := testClient.Status().Patch(f.ctx, image, patch); err != nil {
		t.Fatal(err)
	}
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
}

func TestDroppedFieldsAreRestored(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	image := f.image(release)
	f.create(f.policy(release), image)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	update(f, image, func(i *imagev1.Image) { i.Signatures = f.image(release).Signatures })
	got := f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	if got.Signatures[0].ImageIdentity == "" || len(got.Signatures[0].Conditions) != 2 {
		t.Errorf("derived fields were not restored: %+v", got.Signatures[0])
	}
}
