// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/elliptic"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// objectName is what the objects of a test are called.
func (s *site) objectName() string {
	return strings.NewReplacer("/", "-", "_", "-").Replace(strings.ToLower(s.Name()))
}

// configure makes a RegistryConfig for the site, and a TrustPolicy by a key file.
func (s *site) configure(key []byte, change func(*assayv1alpha1.TrustPolicySpec)) {
	s.Helper()
	data := map[string][]byte{"key": key}
	objects := []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: s.objectName()}, Data: data}}
	config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: s.objectName()}, Spec: assayv1alpha1.RegistryConfigSpec{
		Scopes: []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(s.host)}, Insecure: true, Lookaside: assayv1alpha1.StoreURL(s.lookaside),
	}}
	if s.private {
		pull := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: s.objectName() + "-pull"},
			Type:       corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: s.dockerConfig()},
		}
		config.Spec.Credentials = &assayv1alpha1.RegistryCredentials{SecretRef: assayv1alpha1.ObjectRef{Name: pull.Name}}
		objects = append(objects, pull)
	}
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: s.objectName()}, Spec: assayv1alpha1.TrustPolicySpec{
		Scopes: []assayv1alpha1.Scope{assayv1alpha1.Scope(s.host)},
		Keys:   []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: s.objectName()}}},
	}}
	if change != nil {
		change(&policy.Spec)
	}
	for _, object := range append(objects, config, policy) {
		if err := admin.Create(s.Context(), object); err != nil {
			s.Fatal(err)
		}
	}
}

// await makes an Image that is to be fetched for, and waits until it was, and for a verdict.
func (s *site) await(repository string, d digest.Digest, reason string) *imagev1.Image {
	s.Helper()
	image := &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: "sha256-" + d.Encoded(), Annotations: map[string]string{assayv1alpha1.ImportAnnotation: "true"}},
		DockerImageReference: s.host + "/" + repository + "@" + d.String(),
	}
	if err := admin.Create(s.Context(), image); err != nil {
		s.Fatal(err)
	}
	key := client.ObjectKeyFromObject(image)
	fixture.Eventually(s.T, repository+" to be "+reason, func(ctx context.Context) (bool, string) {
		image = &imagev1.Image{}
		if err := admin.Get(ctx, key, image); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
		return c != nil && c.Reason == reason && image.Status.Import != nil, fmt.Sprintf("%+v, %+v", c, image.Status.Import)
	})
	return image
}

// wantStores checks the answers of the stores of an Image, without their messages.
func (s *site) wantStores(image *imagev1.Image, want ...imagev1.ImportStore) {
	s.Helper()
	var got []imagev1.ImportStore
	for _, store := range image.Status.Import.Stores {
		store.Message = ""
		got = append(got, store)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("stores of %s (-want +got):\n%s", image.DockerImageReference, diff)
	}
}

// answer is what the registry answers for a repository.
func (s *site) answer(repository string, signatures int32) imagev1.ImportStore {
	return imagev1.ImportStore{URL: "http://" + s.host + "/v2/" + repository, Result: resultOf(signatures), Signatures: signatures}
}

// stored is what the lookaside store answers.
func (s *site) stored(signatures int32) imagev1.ImportStore {
	return imagev1.ImportStore{URL: s.lookaside, Result: resultOf(signatures), Signatures: signatures}
}

func resultOf(signatures int32) string {
	if signatures == 0 {
		return assayv1alpha1.ReasonNoSignaturesFound
	}
	return assayv1alpha1.ReasonImported
}

// sites are distribution with each place for signatures of skopeo, for everybody and for one user.
var sites = map[string]func(t *testing.T) *site{
	"Lookaside":        func(t *testing.T) *site { return serve(t, distribution(t)).withLookaside() },
	"LookasidePrivate": func(t *testing.T) *site { return privateDistribution(t).withLookaside() },
	"Extension": func(t *testing.T) *site {
		return serve(t, &extension{Handler: distribution(t), signatures: map[string][]extensionSignature{}})
	},
}

// answers are those of the stores for an image with so many signatures.
func (s *site) answers(repository string, signatures int32) []imagev1.ImportStore {
	if s.lookaside != "" {
		return []imagev1.ImportStore{s.stored(signatures), s.answer(repository, 0)}
	}
	return []imagev1.ImportStore{s.answer(repository, signatures)}
}

// TestSimpleSigning fetches signatures that skopeo made with a key of gpg: of an image, of an index
// and its platforms, and none.
func TestSimpleSigning(t *testing.T) {
	for name, start := range sites {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.configure(release.public, nil)
			single := s.push("team/single")
			release.sign(s, "team/single", single)
			index, platforms := s.pushIndex("team/index")
			release.sign(s, "team/index", append(platforms, index)...)
			index, raw := s.current("team/index")
			unsigned := s.push("team/unsigned")

			s.wantStores(s.await("team/single", single, assayv1alpha1.ReasonVerified), s.answers("team/single", 1)...)
			for _, d := range platforms {
				s.wantStores(s.await("team/index", d, assayv1alpha1.ReasonVerified), s.answers("team/index", 1)...)
			}
			stored := s.await("team/index", index, assayv1alpha1.ReasonVerified)
			s.wantStores(stored, s.answers("team/index", 1)...)
			if stored.DockerImageManifest != string(raw) || stored.DockerImageManifestMediaType != "application/vnd.oci.image.index.v1+json" {
				t.Errorf("the Image has the manifest %q of type %q, want the index", stored.DockerImageManifest, stored.DockerImageManifestMediaType)
			}
			s.wantStores(s.await("team/unsigned", unsigned, assayv1alpha1.ReasonNoSignatures), s.answers("team/unsigned", 0)...)
		})
	}
}

// TestStranger fetches a signature by a key that is not trusted.
func TestStranger(t *testing.T) {
	s := serve(t, distribution(t)).withLookaside()
	s.configure(release.public, nil)
	d := s.push("team/app")
	s.store("team/app", d, fixture.Signature(s.host+"/team/app", d, fixture.Key("stranger")).Content)
	s.wantStores(s.await("team/app", d, assayv1alpha1.ReasonUntrustedKey), s.stored(1), s.answer("team/app", 0))
}

// TestUnauthorized lacks the credential that the registry wants.
func TestUnauthorized(t *testing.T) {
	s := privateDistribution(t)
	d := s.push("team/app")
	s.private = false
	s.configure(release.public, nil)
	refused := s.answer("team/app", 0)
	refused.Result = assayv1alpha1.ReasonUnauthorized
	s.wantStores(s.await("team/app", d, assayv1alpha1.ReasonSignaturesUnavailable), refused)
}

// TestMissing asks for an image that the registry does not have.
func TestMissing(t *testing.T) {
	s := serve(t, distribution(t))
	s.configure(release.public, nil)
	s.push("team/app")
	missing := s.answer("team/app", 0)
	missing.Result = assayv1alpha1.ReasonManifestNotFound
	s.wantStores(s.await("team/app", digest.FromString("missing"), assayv1alpha1.ReasonNoSignatures), missing)
}

// attachmentSites are registries with and without OCI referrers.
var attachmentSites = map[string]func(t *testing.T) *site{
	"Distribution":        func(t *testing.T) *site { return serve(t, distribution(t)) },
	"DistributionPrivate": privateDistribution,
	"Referrers":           referrersRegistry,
}

// TestCosignTag fetches what cosign 2 attaches by a tag: a signature that is trusted, and another.
func TestCosignTag(t *testing.T) {
	for name, start := range attachmentSites {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			key, stranger := st.NewKey(t, elliptic.P256()), st.NewEd25519(t)
			s.configure(st.PublicPEM(t, key), func(policy *assayv1alpha1.TrustPolicySpec) {
				policy.SignedIdentity = &assayv1alpha1.SignedIdentity{MatchPolicy: assayv1alpha1.MatchRepository}
			})
			d := s.push("team/app")
			payload, other := st.Payload(t, d.String(), s.host+"/team/app"), st.Payload(t, d.String(), s.host+"/team/other")
			s.attachCosign("team/app", d, map[string][]byte{string(payload): st.Sign(t, key, payload), string(other): st.Sign(t, stranger, other)})
			s.wantStores(s.await("team/app", d, assayv1alpha1.ReasonVerified), s.answer("team/app", 2))
		})
	}
}

// TestReferrers fetches bundles of cosign 3 that are referrers of an image, and no attestation.
func TestReferrers(t *testing.T) {
	for name, start := range attachmentSites {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			key := st.NewKey(t, elliptic.P256())
			s.configure(st.PublicPEM(t, key), func(policy *assayv1alpha1.TrustPolicySpec) {
				policy.UnnamedSignatures = assayv1alpha1.UnnamedSignaturesAccept
			})
			d := s.push("team/app")
			s.attachReferrer("team/app", d, "application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`))
			statement := st.Statement(t, st.PredicateSign, d.Encoded())
			bundle := st.JSON(t, st.Envelope(st.Bundle03, statement, st.Sign(t, key, st.PAE(statement)), st.Object{"publicKey": st.Object{"hint": "key"}}))
			s.attachReferrer("team/app", d, st.Bundle03, bundle)
			image := s.await("team/app", d, assayv1alpha1.ReasonVerified)
			s.wantStores(image, s.answer("team/app", 1))
			if string(image.Signatures[0].Content) != string(bundle) {
				t.Errorf("the signature is %q, want the bundle", image.Signatures[0].Content)
			}
		})
	}
}
