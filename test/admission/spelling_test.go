// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// TestSpellingsOfImages verifies Images whose names are not spelt canonically. However it is spelt, an Image is
// evaluated by the policies of the name that Pods run it by, and by no others.
func TestSpellingsOfImages(t *testing.T) {
	wide, narrow := pgp.EdDSA(keyCreated, "wide"), pgp.EdDSA(keyCreated, "narrow")
	trust(t, "wide", wide, "spelling.example.com", "docker.io")
	trust(t, "narrow", narrow, "spelling.example.com/team", "docker.io/library")
	const port, hub = "Spelling.example.com:0443/team/app", "Docker.io/busybox"
	refused := map[string]digest.Digest{}
	for _, repository := range []string{port, hub} {
		byWide, byNarrow := digest.FromString(repository+" wide"), digest.FromString(repository+" narrow")
		refused[repository] = byWide
		for _, image := range []*imagev1.Image{signedAs(wide, repository, byWide), signedAs(narrow, repository, byNarrow)} {
			if err := admin.Create(t.Context(), image); err != nil {
				t.Fatal(err)
			}
		}
	}
	startManager(t)
	for repository, d := range refused {
		image := &imagev1.Image{}
		waitFor(t, "the verdict on "+repository, func() bool {
			err := admin.Get(t.Context(), client.ObjectKey{Name: "sha256-" + d.Encoded()}, image)
			return err == nil && len(image.Signatures) == 1 && len(image.Signatures[0].Conditions) > 0
		})
	}
	// This one is listed after the others.
	last := digest.FromString("last")
	if err := admin.Create(t.Context(), signedAs(wide, "spelling.example.com/last", last)); err != nil {
		t.Fatal(err)
	}
	admittedAs := func(image string) func() bool {
		return func() bool { return create(t.Context(), podOf("default", container(image))) == nil }
	}
	waitFor(t, "the last Image", admittedAs("spelling.example.com/last@"+last.String()))
	waitFor(t, "the port", admittedAs("spelling.example.com/team/app@"+digest.FromString(port+" narrow").String()))
	waitFor(t, "Docker Hub", admittedAs("busybox@"+digest.FromString(hub+" narrow").String()))
	for _, image := range []string{"docker.io/library/busybox", "docker.io/busybox", "busybox"} {
		wantError(t, create(t.Context(), podOf("default", container(image+"@"+refused[hub].String()))), "TrustPolicies for docker.io/library want it verified")
	}
	wantError(t, create(t.Context(), podOf("default", container("spelling.example.com/team/app@"+refused[port].String()))), "is not verified")
}

// trust creates a TrustPolicy for scopes, with a key.
func trust(t *testing.T, name string, key *pgp.Key, scopes ...assayv1alpha1.Scope) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: name}, Data: map[string][]byte{"key.asc": armored(key)}}
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	policy.Spec.Scopes = scopes
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: assayv1alpha1.EntryName(name), SecretRef: &assayv1alpha1.KeySourceRef{Name: name}}}
	for _, object := range []client.Object{secret, policy} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := admin.Delete(cleanupContext(t), object); err != nil {
				t.Error(err)
			}
		})
	}
}
