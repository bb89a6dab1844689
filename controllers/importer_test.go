// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

const ociManifest = "application/vnd.oci.image.manifest.v1+json"

// TestImport checks that an Image that discovery made gets its signatures, is verified by them, and
// is left alone then.
func TestImport(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	content := release.sign(d, s.repository()+":v1")
	s.serveSignatures(d, content)
	f.create(s.withLookaside(), s.policy(release), s.importing(d))

	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	image := f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonImported)
	if len(image.Signatures) != 1 {
		t.Fatalf("%d signatures", len(image.Signatures))
	}
	got := image.Signatures[0]
	want := imagev1.SignatureMeta{
		Name:        fmt.Sprintf("%s@%x", f.name, sha256.Sum256(content)),
		Annotations: map[string]string{assayv1alpha1.ImportedFromAnnotation: assayv1alpha1.ImportedFromStore},
	}
	if diff := cmp.Diff(want, got.SignatureMeta); diff != "" || got.Type != imagev1.SignatureTypeAtomicImageV1 || !cmp.Equal(got.Content, content) {
		t.Errorf("type %s, metadata (-want +got):\n%s", got.Type, diff)
	}
	wantImport := &imagev1.ImageImport{Result: assayv1alpha1.ReasonImported, Stores: []imagev1.ImportStore{
		{URL: "https://" + s.storeHost() + "/sigstore", Result: assayv1alpha1.ReasonImported, Signatures: 1},
		{URL: "https://" + s.host() + "/v2/" + f.name, Result: assayv1alpha1.ReasonNoSignaturesFound},
	}}
	if diff := cmp.Diff(wantImport, image.Status.Import, cmpopts.IgnoreFields(imagev1.ImageImport{}, "LastTime", "Configuration")); diff != "" {
		t.Errorf("status.import (-want +got):\n%s", diff)
	}
	if image.Status.Import.LastTime.IsZero() || image.Status.Import.Configuration == "" {
		t.Errorf("status.import: %+v", image.Status.Import)
	}
	if n := s.seen("/"); n > 7 {
		t.Errorf("%d requests for one image: %q", n, s.requests)
	}
}

// TestImportStoreDown checks that an image whose store cannot be asked is Unknown and not refused,
// and is verified once the store is back and somebody asks for a check.
func TestImportStoreDown(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	s.set(s.signaturePath(d, 1), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	f.create(s.withLookaside(), s.policy(release), s.importing(d))

	f.imported(metav1.ConditionFalse, assayv1alpha1.ReasonStoreUnavailable)
	image := f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonSignaturesUnavailable)
	if m := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition).Message; !strings.Contains(m, "answered with status 500") {
		t.Errorf("message: %s", m)
	}
	f.configReady(metav1.ConditionFalse, assayv1alpha1.ReasonUnavailable)

	s.serveSignatures(d, release.sign(d, s.repository()+":v1"))
	update(f, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(image *imagev1.Image) {
		image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation] = "now"
	})
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonImported)
	config := f.configReady(metav1.ConditionTrue, assayv1alpha1.ReasonReachable)
	f.eventually("the counts", func() (bool, string) {
		_ = testClient.Get(f.ctx, client.ObjectKeyFromObject(config), config)
		return cmp.Equal(config.Status.Images, &assayv1alpha1.ImportCounts{Imported: 1}), fmt.Sprintf("%+v", config.Status.Images)
	})
}

// configReady waits until the test's RegistryConfig is in a state.
func (f *fixture) configReady(status metav1.ConditionStatus, reason string) *assayv1alpha1.RegistryConfig {
	f.Helper()
	var config assayv1alpha1.RegistryConfig
	f.eventually(fmt.Sprintf("RegistryConfig Ready=%s (%s)", status, reason), func() (bool, string) {
		if err := testClient.Get(f.ctx, client.ObjectKey{Name: f.name}, &config); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(config.Status.Conditions, assayv1alpha1.ReadyCondition)
		if c == nil {
			return false, "no condition"
		}
		return c.Status == status && c.Reason == reason && c.ObservedGeneration == config.Generation, fmt.Sprintf("%s (%s): %s", c.Status, c.Reason, c.Message)
	})
	return &config
}

// TestImportNothing checks that an image whose stores hold no signature is refused.
func TestImportNothing(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	d := s.serveManifest(ociManifest, testManifest)
	f.create(s.withLookaside(), s.policy(newSigner("release")), s.importing(d))
	f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonNoSignaturesFound)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoSignatures)
}

// TestImportEnds checks that an Image that does not ask for import any more says nothing of it, and
// keeps the signatures that were fetched and its verdict.
func TestImportEnds(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	s.serveSignatures(d, release.sign(d, s.repository()+":v1"))
	f.create(s.withLookaside(), s.policy(release), s.importing(d))
	f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonImported)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)

	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}
	update(f, image, func(image *imagev1.Image) { delete(image.Annotations, assayv1alpha1.ImportAnnotation) })
	f.eventually("a status without import", func() (bool, string) {
		err := testClient.Get(f.ctx, client.ObjectKeyFromObject(image), image)
		imported := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
		return err == nil && image.Status.Import == nil && imported == nil, fmt.Sprint(err, image.Status.Import, imported)
	})
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	if len(image.Signatures) != 1 {
		t.Errorf("%d signatures, want the one that was fetched", len(image.Signatures))
	}
}

// TestImportLeavesOtherSignatures checks that what a person put on an Image stays, and that a
// signature that has left its store stays and is marked.
func TestImportLeavesOtherSignatures(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	fetched := newSigner("ci").sign(d, s.repository()+":v1")
	s.serveSignatures(d, fetched)
	image := s.importing(d)
	image.Signatures = []imagev1.ImageSignature{{
		SignatureMeta: imagev1.SignatureMeta{Name: "mine", Annotations: map[string]string{"a": "b"}},
		Type:          imagev1.SignatureTypeAtomic, Content: newSigner("somebody").sign(d, s.repository()+":v1"),
	}}
	f.create(s.withLookaside(), s.policy(release), image)
	f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonImported)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)

	s.set(s.signaturePath(d, 1), nil)
	update(f, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(image *imagev1.Image) {
		image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation] = "now"
	})
	stored := f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonNoSignaturesFound)
	want := []string{"mine map[a:b]", fmt.Sprintf("%s@%x map[%s:%s]", f.name, sha256.Sum256(fetched), assayv1alpha1.ImportedFromAnnotation, assayv1alpha1.ImportedLeftStore)}
	var got []string
	for _, signature := range stored.Signatures {
		got = append(got, fmt.Sprint(signature.Name, " ", signature.Annotations))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signatures (-want +got):\n%s", diff)
	}
}

// TestImportCredentials checks that a wrong Secret is told, and that a corrected one is used at
// once.
func TestImportCredentials(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := digest.FromString(testManifest)
	signature := base64.StdEncoding.EncodeToString(release.sign(d, s.repository()+":v1"))
	s.set("*", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Registry-Supports-Signatures", "1")
		user, password, _ := r.BasicAuth()
		switch {
		case user != "puller" || password != "canary-right":
			w.Header().Set("Www-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/extensions/"):
			_, _ = fmt.Fprintf(w, `{"signatures":[{"schemaVersion":2,"name":"a@b","type":"atomic","content":%q}]}`, signature)
		case strings.HasSuffix(r.URL.Path, d.String()) && strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", ociManifest)
		default:
			http.NotFound(w, r)
		}
	})
	secret := func(password string) *corev1.Secret {
		auth := base64.StdEncoding.EncodeToString([]byte("puller:" + password))
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: f.name}, Type: corev1.SecretTypeDockerConfigJson,
			Data: map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, s.repository(), auth)},
		}
	}
	config := s.config()
	config.Spec.Credentials = &assayv1alpha1.RegistryCredentials{SecretRef: assayv1alpha1.ObjectRef{Name: f.name}}
	f.create(config, s.policy(release), s.importing(d))
	f.imported(metav1.ConditionFalse, assayv1alpha1.ReasonUnauthorized)
	f.configReady(metav1.ConditionFalse, assayv1alpha1.ReasonInvalidConfig)
	f.create(secret("canary-wrong"))
	f.configReady(metav1.ConditionFalse, assayv1alpha1.ReasonUnauthorized)
	image := f.imported(metav1.ConditionFalse, assayv1alpha1.ReasonUnauthorized)
	if m := image.Status.Import.Stores[0].Message; strings.Contains(m, "canary") {
		t.Errorf("message: %s", m)
	}
	update(f, secret(""), func(object *corev1.Secret) { object.Data = secret("canary-right").Data })
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.configReady(metav1.ConditionTrue, assayv1alpha1.ReasonReachable)
}

// TestImportHostNotAllowed checks that no host is contacted because an Image names it.
func TestImportHostNotAllowed(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	d := s.serveManifest(ociManifest, testManifest)
	f.create(s.importing(d))
	f.imported(metav1.ConditionFalse, assayv1alpha1.ReasonHostNotAllowed)
	if n := s.seen("/"); n != 0 {
		t.Errorf("%d requests", n)
	}
	// A policy allows it. The server's certificate is unknown then.
	f.create(s.policy(newSigner("release")))
	f.imported(metav1.ConditionFalse, assayv1alpha1.ReasonStoreUnavailable)
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonSignaturesUnavailable)
	// And with the certificate, it is found to have nothing.
	f.create(s.config())
	f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonNoSignaturesFound)
}

// TestImportTooManySignatures checks that a store with very many signatures costs what an Image can
// have, and that the condition says so.
func TestImportTooManySignatures(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	s.serveSignatures(d, release.sign(d, s.repository()+":v1"))
	items := make([]string, 10_000)
	for i := range items {
		items[i] = fmt.Sprintf(`{"schemaVersion":2,"type":"atomic","content":%q}`, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "\xa3%d", i)))
	}
	s.set("/v2/", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Registry-Supports-Signatures", "1") })
	s.set("/extensions/v2/"+f.name+"/signatures/"+d.String(), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"signatures":[%s]}`, strings.Join(items, ","))
	})
	f.create(s.withLookaside(), s.policy(release), s.importing(d))
	image := f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonTooManySignatures)
	if len(image.Signatures) != 128 {
		t.Errorf("%d signatures", len(image.Signatures))
	}
	// No store takes the place of another: the good one is among them.
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

// TestImportIndex checks that the bytes of an index are stored, together with its signatures.
func TestImportIndex(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	index := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	d := s.serveManifest("application/vnd.oci.image.index.v1+json", index)
	s.serveSignatures(d, release.sign(d, s.repository()+":v1"))
	f.create(s.withLookaside(), s.policy(release), s.importing(d))
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	image := f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonImported)
	if image.DockerImageManifest != index || image.DockerImageManifestMediaType != "application/vnd.oci.image.index.v1+json" {
		t.Errorf("manifest %q of type %q", image.DockerImageManifest, image.DockerImageManifestMediaType)
	}
}

// TestImportMirrors checks that a mirror is asked before the registry, and the registry when the
// mirror has no signatures.
func TestImportMirrors(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	s.set("/v2/mirror/manifests/"+d.String(), s.answers["/v2/"+f.name+"/manifests/"+d.String()])
	s.set("/v2/", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Registry-Supports-Signatures", "1") })
	s.set("/extensions/v2/"+f.name+"/signatures/"+d.String(), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"signatures":[{"schemaVersion":2,"type":"atomic","content":%q}]}`, base64.StdEncoding.EncodeToString(release.sign(d, s.repository()+":v1")))
	})
	config := s.config()
	config.Spec.Mirrors = []assayv1alpha1.MirrorPrefix{
		"down.example.com:1/mirror", assayv1alpha1.MirrorPrefix("mirror.example.com:" + s.port + "/mirror"),
	}
	f.create(config, s.policy(release), s.importing(d))
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	image := f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonImported)
	var got []string
	for _, store := range image.Status.Import.Stores {
		got = append(got, store.URL+" "+store.Result)
	}
	want := []string{
		"https://down.example.com:1/v2/mirror " + assayv1alpha1.ReasonStoreUnavailable,
		"https://mirror.example.com:" + s.port + "/v2/mirror " + assayv1alpha1.ReasonNoSignaturesFound,
		"https://" + s.host() + "/v2/" + f.name + " " + assayv1alpha1.ReasonImported,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stores (-want +got):\n%s", diff)
	}
}

// TestRegistryConfigConflict checks that of two RegistryConfigs with one scope the first by name is
// used, and the other says so, and takes over when the first is deleted.
func TestRegistryConfigConflict(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	first, second := s.config(), s.config()
	first.Name = "a-" + f.name
	f.create(first, second)
	config := f.configReady(metav1.ConditionFalse, assayv1alpha1.ReasonScopeConflict)
	if m := config.Status.Conditions[0].Message; !strings.Contains(m, s.repository()+": RegistryConfig a-"+f.name+" is used") {
		t.Errorf("message: %s", m)
	}
	if err := testClient.Delete(f.ctx, first); err != nil {
		t.Fatal(err)
	}
	f.configReady(metav1.ConditionUnknown, assayv1alpha1.ReasonNotContacted)
}
