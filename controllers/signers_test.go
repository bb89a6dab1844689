// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"crypto/elliptic"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// certified is an Image with a signature by a key that an instance of sigstore has certified. The
// signature states no name.
func (f *fixture) certified(i *st.Instance) *imagev1.Image {
	f.Helper()
	key := st.NewKey(f, elliptic.P256())
	certificate := i.Certify(f, key, st.Leaf())
	statement := st.Statement(f, st.PredicateSign, digest.FromString(f.name).Encoded())
	signature := st.Sign(f, key, st.PAE(statement))
	entry := i.RekorV1.Entry(f, st.DSSE1(f, statement, signature, st.CertificatePEM(certificate)))
	image := f.image()
	image.Signatures = []imagev1.ImageSignature{{
		SignatureMeta: imagev1.SignatureMeta{Name: f.name + "@bundle"}, Type: imagev1.SignatureTypeSigstore,
		Content: st.JSON(f, st.Envelope(st.Bundle03, statement, signature, st.Object{
			"certificate": st.Raw(certificate), "tlogEntries": []st.Object{entry},
		})),
	}}
	return image
}

// rootMap is a ConfigMap with the trusted root of an instance.
func (f *fixture) rootMap(i *st.Instance) *corev1.ConfigMap {
	f.Helper()
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: f.name},
		Data:       map[string]string{"trusted_root.json": string(st.JSON(f, i.TrustedRoot(f)))},
	}
}

// identities is a policy that trusts Email, by the root in the ConfigMap.
func (f *fixture) identities() *assayv1alpha1.TrustPolicy {
	policy := f.policy()
	policy.Spec.UnnamedSignatures = assayv1alpha1.UnnamedSignaturesAccept
	policy.Spec.Signers = []assayv1alpha1.TrustedSigner{{Name: "dev", Fulcio: &assayv1alpha1.FulcioSigner{
		TrustedRoot: &assayv1alpha1.TrustSource{ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: f.name}},
		OIDCIssuer:  st.Issuer, Subject: assayv1alpha1.FulcioSubject{Email: st.Email},
	}}}
	return policy
}

// TestIdentity follows an Image with a signature by an identity through the life of the root, which a
// ConfigMap holds.
func TestIdentity(t *testing.T) {
	f := newFixture(t)
	i := st.New(t)
	image, policy, root := f.certified(i), f.identities(), f.rootMap(i)
	f.create(image, policy)
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
	got := f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
	if s := got.Status.Signers; len(s) != 1 || s[0].Name != "dev" || s[0].Usable || s[0].Reason != assayv1alpha1.ReasonSourceNotFound || !strings.Contains(s[0].Message, "fulcio.trustedRoot") {
		t.Errorf("signers %+v, want one whose source is missing", s)
	}

	// The root comes.
	f.create(root)
	verified := f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	s := verified.Signatures[0]
	if s.IssuedTo == nil || s.IssuedTo.CommonName != st.Email || s.IssuedTo.Organization != st.Issuer || !strings.HasPrefix(s.IssuedTo.PublicKeyID, "0x") {
		t.Errorf("issuedTo %+v", s.IssuedTo)
	}
	want := &imagev1.SignatureIssuer{SignatureGenericEntity: imagev1.SignatureGenericEntity{CommonName: "intermediate", Organization: "example.com"}}
	if diff := cmp.Diff(want, s.IssuedBy); diff != "" {
		t.Errorf("issuedBy (-want +got):\n%s", diff)
	}
	if s.Created == nil || !s.Created.Time.Equal(st.Time) || s.ImageIdentity != "" || s.SignedClaims["transparencyLog.logIndex"] != "1000" {
		t.Errorf("created %v, identity %q, claims %v", s.Created, s.ImageIdentity, s.SignedClaims)
	}
	got = f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	wantSigners := []assayv1alpha1.SignerStatus{{Name: "dev", Usable: true}}
	if diff := cmp.Diff(wantSigners, got.Status.Signers); diff != "" || got.Status.KeySummary != "1/1" {
		t.Errorf("summary %s, signers (-want +got):\n%s", got.Status.KeySummary, diff)
	}

	// The root is replaced by one of another instance, by nothing that can be read, and by the first.
	replace := func(text string) func(*corev1.ConfigMap) {
		return func(m *corev1.ConfigMap) { m.Data["trusted_root.json"] = text }
	}
	first := root.Data["trusted_root.json"]
	update(f, root, replace(string(st.JSON(t, st.New(t).TrustedRoot(t)))))
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedLog)
	update(f, root, replace("{"))
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
	got = f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
	if reason := got.Status.Signers[0].Reason; reason != assayv1alpha1.ReasonMalformedRoots {
		t.Errorf("reason %s of a root that cannot be read", reason)
	}
	update(f, root, replace(first))
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)

	// The policy changes its mind about who signs, and about names.
	update(f, policy, func(p *assayv1alpha1.TrustPolicy) { p.Spec.Signers[0].Fulcio.Subject.Email = "other@example.com" })
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonSignerMismatch)
	update(f, policy, func(p *assayv1alpha1.TrustPolicy) {
		p.Spec.Signers[0].Fulcio.Subject.Email = st.Email
		p.Spec.UnnamedSignatures = assayv1alpha1.UnnamedSignaturesReject
	})
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonIdentityMismatch)
}

// TestKeyInALog checks that a key that asks for a log is reported as unusable without it, and that its
// signatures count only with an entry.
func TestKeyInALog(t *testing.T) {
	f := newFixture(t)
	i := st.New(t)
	key := st.NewKey(t, elliptic.P256())
	payload := st.Payload(t, digest.FromString(f.name).String(), f.repository()+":v1")
	signature := st.Sign(t, key, payload)
	entry := i.RekorV1.CosignBundle(t, st.HashedRekord1(t, payload, signature, st.PublicPEM(t, key)))
	image := f.image()
	image.Signatures = []imagev1.ImageSignature{{
		SignatureMeta: imagev1.SignatureMeta{Name: f.name + "@plain"}, Type: imagev1.SignatureTypeSigstore,
		Content: st.Blob(t, payload, signature, nil),
	}}
	policy := f.policy()
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{
		Name: "release", Inline: string(st.PublicPEM(t, key)),
		TransparencyLog: &assayv1alpha1.TransparencyLog{TrustedRoot: &assayv1alpha1.TrustSource{ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: f.name}}},
	}}
	f.create(image, policy)
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable)
	got := f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
	if k := got.Status.Keys; len(k) != 1 || k[0].Fingerprint == "" || k[0].Usable || k[0].Reason != assayv1alpha1.ReasonSourceNotFound {
		t.Errorf("keys %+v, want one whose log is missing", k)
	}
	f.create(f.rootMap(i))
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoLogEntry)
	f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	update(f, image, func(image *imagev1.Image) {
		image.Signatures = []imagev1.ImageSignature{{
			SignatureMeta: imagev1.SignatureMeta{Name: f.name + "@logged"}, Type: imagev1.SignatureTypeSigstore,
			Content: st.Blob(t, payload, signature, map[string]string{"dev.sigstore.cosign/bundle": string(st.JSON(t, entry))}),
		}}
	})
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}
