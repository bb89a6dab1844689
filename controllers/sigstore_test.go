// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"crypto"
	"crypto/elliptic"
	"encoding/hex"
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

// TestSigstoreSignature follows an Image with a signature of type sigstore through the life of
// the key, which a Secret holds beside an OpenPGP key.
func TestSigstoreSignature(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	key := st.NewKey(t, elliptic.P256())
	fingerprint := strings.ToUpper(hex.EncodeToString(st.Digest(crypto.SHA256, st.SPKI(t, key))))
	d := digest.FromString(f.name)
	payload := st.Payload(t, d.String(), f.repository()+":v1")
	image := f.image()
	image.Signatures = []imagev1.ImageSignature{{
		SignatureMeta: imagev1.SignatureMeta{Name: f.name + "@cosign"}, Type: imagev1.SignatureTypeSigstore,
		Content: st.Blob(t, payload, st.Sign(t, key, payload), nil),
	}}
	secret := f.secret(release)
	secret.Data["cosign.pub"] = st.PublicPEM(t, key)
	f.create(secret, f.fromSecret(f.policy()), image.DeepCopy())

	got := f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	want := image.DeepCopy().Signatures
	want[0].ImageIdentity = f.repository() + ":v1"
	want[0].SignedClaims = map[string]string{
		"critical.type":                         "cosign container image signature",
		"critical.image.docker-manifest-digest": d.String(),
		"critical.identity.docker-reference":    f.repository() + ":v1",
	}
	entity := imagev1.SignatureGenericEntity{CommonName: "0x" + fingerprint}
	want[0].IssuedBy = &imagev1.SignatureIssuer{SignatureGenericEntity: entity}
	want[0].IssuedTo = &imagev1.SignatureSubject{SignatureGenericEntity: entity, PublicKeyID: "0x" + fingerprint}
	want[0].Conditions = signatureConditions(corev1.ConditionTrue, corev1.ConditionFalse, "Verified",
		"signed by 0x"+fingerprint+", trusted by TrustPolicy "+f.name)
	if diff := cmp.Diff(want, got.Signatures, ignoreTimes); diff != "" {
		t.Errorf("signatures (-want +got):\n%s", diff)
	}

	policy := f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	status := map[string]string{}
	for _, k := range policy.Status.Keys {
		status[string(k.Fingerprint)] = k.Source + " " + k.Algorithm
	}
	wantStatus := map[string]string{
		fingerprint:           "Secret/" + f.name + "[cosign.pub] ECDSA-P-256",
		release.fingerprint(): "Secret/" + f.name + "[release.asc] Ed25519",
	}
	if diff := cmp.Diff(wantStatus, status); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}

	// The key is removed. issuedTo.publicKeyID keeps asking for it, and the key that is left did
	// not sign.
	update(f, secret, func(s *corev1.Secret) { delete(s.Data, "cosign.pub") })
	got = f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
	if s := got.Signatures[0]; s.ImageIdentity != "" || s.SignedClaims != nil || s.IssuedBy != nil {
		t.Errorf("claims of a signature that is not verified: %+v", s)
	}
	update(f, secret, func(s *corev1.Secret) { s.Data["cosign.pub"] = st.PublicPEM(t, key) })
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)

	// A key is revoked by its fingerprint, in whichever format it is.
	update(f, policy, func(p *assayv1alpha1.TrustPolicy) {
		p.Spec.RevokedKeys = []assayv1alpha1.RevokedKey{{Fingerprint: assayv1alpha1.Fingerprint(fingerprint)}}
	})
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked)
}
