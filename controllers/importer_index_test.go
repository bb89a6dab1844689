// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/registry"
)

// lookasideAlone returns a RegistryConfig by which no signature is in the registry itself, as those of
// config/samples-registries are.
func (s *registryServer) lookasideAlone() *assayv1alpha1.RegistryConfig {
	config := s.withLookaside()
	config.Spec.SignatureExtension, config.Spec.Attachments = assayv1alpha1.StoreNever, assayv1alpha1.StoreNever
	return config
}

// serveIndex serves an index of one platform's image, and returns the digests and the index.
func (s *registryServer) serveIndex() (index, platform digest.Digest, content string) {
	platform = s.serveManifest(ociManifest, testManifest)
	content = fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d,"platform":{"architecture":"amd64","os":"linux"}}]}`,
		manifest.MediaTypeOCIIndex, ociManifest, platform, len(testManifest))
	return s.serveManifest(manifest.MediaTypeOCIIndex, content), platform, content
}

// unseen keeps the running operator from an Image.
func unseen(image *imagev1.Image) *imagev1.Image {
	image.Labels = map[string]string{byHandLabel: ""}
	return image
}

// TestImportIndexOfLookaside checks that an index without a signature is admitted by the signatures of
// its images where only a lookaside store has signatures, and that the registry is asked no more for it.
func TestImportIndexOfLookaside(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	index, platform, content := s.serveIndex()
	s.serveSignatures(platform, release.sign(platform, s.repository()+":v1"))
	child := s.importing(platform)
	child.Name += "-amd64"
	f.create(s.lookasideAlone(), s.policy(release), s.importing(index), child)
	f.listed(s.repository()+"@"+platform.String(), true)
	f.listed(s.repository()+"@"+index.String(), true)

	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoSignatures)
	image := f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonNoSignaturesFound)
	if image.DockerImageManifest != content || image.DockerImageManifestMediaType != manifest.MediaTypeOCIIndex {
		t.Errorf("manifest %q of type %q", image.DockerImageManifest, image.DockerImageManifestMediaType)
	}
	// The registry is no store of signatures.
	want := []imagev1.ImportStore{{URL: "https://" + s.storeHost() + "/sigstore", Result: assayv1alpha1.ReasonNoSignaturesFound}}
	if diff := cmp.Diff(want, image.Status.Import.Stores); diff != "" {
		t.Errorf("stores (-want +got):\n%s", diff)
	}

	update(f, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(image *imagev1.Image) {
		image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation] = "now"
	})
	f.eventually("the recheck", func() (bool, string) {
		got := f.get().Status.Import
		return got.LastHandledRecheckRequest == "now", fmt.Sprintf("%+v", got)
	})
	if n := s.seen(s.manifestPath(index)); n != 2 {
		t.Errorf("%d requests for the index, want one HEAD and one GET", n)
	}
	if n := s.seen(s.manifestPath(platform)); n != 1 {
		t.Errorf("%d requests for the platform's manifest, want one HEAD", n)
	}
	if n := s.seen("/v2/") - s.seen("/v2/"+f.name+"/manifests/sha256:"); n != 0 {
		t.Errorf("%d requests to the registry for something else: %q", n, s.requests)
	}
}

// TestImportIndexCredentials checks that the manifest is read with the credential of the Secret or of
// the keychain, and that an answer of the registry that is none makes no signature missing.
func TestImportIndexCredentials(t *testing.T) {
	for name, tt := range map[string]struct {
		keychain *keychain
		secret   bool
		result   string // Of the registry, empty where it is not listed.
	}{
		"keychain": {&keychain{credential: registry.Credential{Username: "puller", Password: "canary"}}, false, ""},
		"secret":   {nil, true, ""},
		"neither":  {nil, false, assayv1alpha1.ReasonUnauthorized},
		"refused":  {&keychain{credential: registry.Credential{Username: "puller", Password: "canary-old"}}, false, assayv1alpha1.ReasonUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			s := f.registryServer()
			release := newSigner("release")
			index, _, content := s.serveIndex()
			s.serveSignatures(index, release.sign(index, s.repository()+":v1"))
			s.set(s.manifestPath(index), private(s.answers[s.manifestPath(index)]))
			config := s.lookasideAlone()
			if tt.secret {
				config.Spec.Credentials = &assayv1alpha1.RegistryCredentials{SecretRef: assayv1alpha1.ObjectRef{Name: f.name}}
				f.create(pullSecret(f.name, s.repository()))
			}
			f.create(config, s.policy(release), unseen(s.importing(index)))
			i := (&writeHooks{}).importer(f, testNow)
			if tt.keychain != nil {
				i.Planner.Configs.Keychain = tt.keychain
			}
			if _, err := i.fetch(); err != nil {
				t.Fatal(err)
			}
			image := f.get()
			if got := image.DockerImageManifest == content; got != (tt.result == "") || len(image.Signatures) != 1 {
				t.Errorf("manifest %q, %d signatures", image.DockerImageManifest, len(image.Signatures))
			}
			want := []string{"https://" + s.storeHost() + "/sigstore " + assayv1alpha1.ReasonImported}
			if tt.result != "" {
				want = append(want, "https://"+s.host()+"/v2/"+f.name+" "+tt.result)
			}
			var got []string
			for _, store := range image.Status.Import.Stores {
				got = append(got, store.URL+" "+store.Result)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("stores (-want +got):\n%s", diff)
			}
			c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
			if c == nil || c.Status != metav1.ConditionTrue || c.Reason != assayv1alpha1.ReasonImported || strings.Contains(c.Message, "canary") {
				t.Errorf("condition %+v", c)
			}
		})
	}
}

// private asks for the credential puller:canary.
func private(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "puller" || password != "canary" {
			w.Header().Set("Www-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, r)
	}
}

// pullSecret is a Secret with the credential puller:canary.
func pullSecret(name, repository string) *corev1.Secret {
	auth := base64.StdEncoding.EncodeToString([]byte("puller:canary"))
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: name}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, repository, auth)},
	}
}

// TestImportSingleOfLookaside checks that a registry that has said that an image is no index is not
// asked again, and that neither this nor a restart changes the status.
func TestImportSingleOfLookaside(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	d := s.serveManifest(ociManifest, testManifest)
	config := s.lookasideAlone()
	config.Spec.Mirrors = []assayv1alpha1.MirrorPrefix{assayv1alpha1.MirrorPrefix("mirror.example.com:" + s.port + "/mirror")}
	f.create(config, s.policy(newSigner("release")), unseen(s.importing(d)))
	now := f.get().CreationTimestamp.Add(time.Hour)
	i := (&writeHooks{}).importer(f, now)
	if _, err := i.fetch(); err != nil {
		t.Fatal(err)
	}
	before := f.get()
	if before.Status.Import == nil || len(before.Status.Import.Stores) != 1 || s.seen(s.manifestPath(d)) != 1 || s.seen("/v2/mirror/") != 1 {
		t.Fatalf("import %+v, requests %q", before.Status.Import, s.requests)
	}
	again := func(i *byHandImporter, later time.Duration, manifests int) {
		t.Helper()
		lookasides := s.seen("/sigstore/")
		i.Clock.(*clocktesting.FakePassiveClock).SetTime(now.Add(later))
		if _, err := i.fetch(); err != nil {
			t.Fatal(err)
		}
		if n, m := s.seen("/sigstore/")-lookasides, s.seen(s.manifestPath(d)); n != 1 || m != manifests {
			t.Errorf("%s later: %d requests to the store, %d to the registry in all; want 1 and %d", later, n, m, manifests)
		}
		if f.get().ResourceVersion != before.ResourceVersion {
			t.Errorf("%s later: the Image was written", later)
		}
	}
	again(i, time.Hour, 1)
	again(i, 3*time.Hour, 1)
	again((&writeHooks{}).importer(f, now.Add(5*time.Hour)), 10*time.Hour, 2)
}

// TestImportIndexLater checks that an index that the registry could not send is fetched when it is back,
// and that the other stores are not asked more often because it is away.
func TestImportIndexLater(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	index, _, content := s.serveIndex()
	answer := s.answers[s.manifestPath(index)]
	s.set(s.manifestPath(index), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	f.create(s.lookasideAlone(), s.policy(newSigner("release")), unseen(s.importing(index)))
	now := f.get().CreationTimestamp.Add(time.Hour)
	i := (&writeHooks{}).importer(f, now)
	i.Planner.Configs.Network.Clock = i.Clock
	if _, err := i.fetch(); err != nil {
		t.Fatal(err)
	}
	image := f.get()
	c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
	if c == nil || c.Reason != assayv1alpha1.ReasonNoSignaturesFound || !strings.Contains(c.Message, assayv1alpha1.ReasonRateLimited) {
		t.Errorf("condition %+v", c)
	}
	if result, err := i.reconcile(); err != nil || result.RequeueAfter < time.Minute {
		t.Errorf("%+v, %v", result, err)
	}
	s.set(s.manifestPath(index), answer)
	i.Clock.(*clocktesting.FakePassiveClock).SetTime(now.Add(time.Hour))
	if _, err := i.fetch(); err != nil {
		t.Fatal(err)
	}
	if image := f.get(); image.DockerImageManifest != content || len(image.Status.Import.Stores) != 1 {
		t.Errorf("manifest %q, import %+v", image.DockerImageManifest, image.Status.Import)
	}
}

// TestImportNeverContactSource checks that the registry is not asked for an index where the
// RegistryConfig excludes it.
func TestImportNeverContactSource(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	index, _, _ := s.serveIndex()
	s.serveSignatures(index, release.sign(index, s.repository()+":v1"))
	config := s.lookasideAlone()
	config.Spec.MirrorSourcePolicy = assayv1alpha1.NeverContactSource
	f.create(config, s.policy(release), unseen(s.importing(index)))
	if _, err := (&writeHooks{}).importer(f, testNow).fetch(); err != nil {
		t.Fatal(err)
	}
	if image := f.get(); len(image.Signatures) != 1 || image.DockerImageManifest != "" || s.seen("/v2/") != 0 {
		t.Errorf("%d signatures, manifest %q, requests %q", len(image.Signatures), image.DockerImageManifest, s.requests)
	}
}
