// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

const ociIndex = "application/vnd.oci.image.index.v1+json"

// serveExtension serves the signatures of an image by the signature extension.
func (s *registryServer) serveExtension(d digest.Digest, signatures ...[]byte) {
	s.set("/v2/", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Registry-Supports-Signatures", "1") })
	items := make([]string, len(signatures))
	for i, content := range signatures {
		items[i] = fmt.Sprintf(`{"schemaVersion":2,"type":"atomic","content":%q}`, base64.StdEncoding.EncodeToString(content))
	}
	s.set(s.extensionPath(d), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"signatures":[%s]}`, strings.Join(items, ","))
	})
}

func (s *registryServer) extensionPath(d digest.Digest) string {
	return "/extensions/v2/" + s.f.name + "/signatures/" + d.String()
}

func (s *registryServer) manifestPath(d digest.Digest) string {
	return "/v2/" + s.f.name + "/manifests/" + d.String()
}

// What hostile servers answer.
var (
	redirectTo = func(url string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusTemporaryRedirect) }
	}
	realmAt = func(url string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Www-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="registry"`, url))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	statusOnly = func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	textOf = func(mediaType, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = w.Write([]byte(text))
		}
	}
	page = textOf("text/html", "<!DOCTYPE html><html><body>Please log in</body></html>")
)

// endless answers a request for a body without an end, of a media type.
func endless(mediaType string) http.HandlerFunc {
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		for r.Method != http.MethodHead {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

// bomb is a gigabyte of spaces by gzip.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range 1 << 10 {
		if _, err := z.Write(chunk); err != nil {
			return
		}
	}
	_ = z.Close()
}

// hostileServer is what a server does in place of one good answer, and what an Image says then.
type hostileServer struct {
	// manifest, extension and store answer for the manifest, the signature extension and the
	// first signature of the lookaside store; nil is the good answer.
	manifest, extension, store http.HandlerFunc
	reason                     string
	// message is a part of the message of the condition Imported.
	message string
	// complete: the other signatures of the image were found, and it is verified by them.
	complete bool
}

var hostileServers = map[string]hostileServer{
	"realm-link-local": {manifest: realmAt("https://169.254.169.254/token"), reason: assayv1alpha1.ReasonHostNotAllowed,
		message: "169.254.169.254 has an address of the local host or link, or of a metadata service"},
	"realm-by-name": {manifest: realmAt("https://metadata.example.com/token"), reason: assayv1alpha1.ReasonHostNotAllowed,
		message: "metadata.example.com has an address of the local host or link"},
	"realm-private": {manifest: realmAt("https://private.example.com/token"), reason: assayv1alpha1.ReasonHostNotAllowed,
		message: "private.example.com has a private address, and no administrator has named the host"},
	"realm-without-tls": {manifest: realmAt("http://auth.example.com/token"), reason: assayv1alpha1.ReasonHostNotAllowed,
		message: "names a token service that would be contacted without TLS"},
	"redirect-link-local": {manifest: redirectTo("https://169.254.169.254/latest/meta-data"), reason: assayv1alpha1.ReasonHostNotAllowed,
		message: "169.254.169.254 has an address of the local host or link"},
	"redirect-by-name": {extension: redirectTo("https://metadata.example.com/latest"), reason: assayv1alpha1.ReasonHostNotAllowed,
		message: "metadata.example.com has an address of the local host or link"},
	"redirect-of-the-store": {store: redirectTo("https://169.254.169.254/latest"), reason: assayv1alpha1.ReasonHostNotAllowed,
		message: "169.254.169.254 has an address of the local host or link", complete: true},
	"redirect-to-http": {manifest: redirectTo("http://registry.example.com/"), reason: assayv1alpha1.ReasonHostNotAllowed,
		message: "redirects from https to http"},
	"endless-list": {extension: endless("application/json"), reason: assayv1alpha1.ReasonStoreUnavailable, message: "sends an answer that is too large"},
	"endless-index": {manifest: endless(ociIndex), reason: assayv1alpha1.ReasonTooLarge,
		message: "sends an answer that is too large", complete: true},
	"endless-signature": {store: endless("application/octet-stream"), reason: assayv1alpha1.ReasonTooLarge,
		message: "sends an answer that is too large", complete: true},
	"bomb":              {extension: bomb, reason: assayv1alpha1.ReasonStoreUnavailable, message: "sends an answer that is compressed"},
	"bomb-of-the-store": {store: bomb, reason: assayv1alpha1.ReasonStoreUnavailable, message: "sends an answer that is compressed", complete: true},
	"other-digest": {manifest: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Docker-Content-Digest", digest.FromString("other").String())
	}, reason: assayv1alpha1.ReasonStoreUnavailable, message: "states another digest than the one that was asked for"},
	"other-content": {manifest: textOf(ociIndex, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`),
		reason: assayv1alpha1.ReasonImported, message: "sends other content than the digest says", complete: true},
	"other-type": {manifest: textOf(ociIndex, testManifest), reason: assayv1alpha1.ReasonImported, complete: true},
	"page":       {extension: page, reason: assayv1alpha1.ReasonStoreUnavailable, message: "does not list signatures in JSON"},
	"page-of-the-store": {store: page, reason: assayv1alpha1.ReasonStoreUnavailable,
		message: "answers with a web page in place of a signature", complete: true},
	"forbidden": {manifest: statusOnly(http.StatusForbidden), reason: assayv1alpha1.ReasonUnauthorized,
		message: "requires a credential, and none is configured; or the repository does not exist"},
	"forbidden-store": {store: statusOnly(http.StatusForbidden), reason: assayv1alpha1.ReasonUnauthorized,
		message: "answer 404 for what it does not have", complete: true},
	"hangs-up": {extension: func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	}, reason: assayv1alpha1.ReasonStoreUnavailable, message: "cannot be reached, or broke off its answer"},
}

// TestImportHostileServers checks for each hostile answer that the Image says what is wrong, that it
// is not refused while signatures may be missing, that no text and no bytes of the server get on it,
// and that it is verified once the server answers well. Another image of the same registry is
// verified meanwhile.
func TestImportHostileServers(t *testing.T) {
	for name, tt := range hostileServers {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			s := f.registryServer()
			release := newSigner("release")
			d := s.serveManifest(ociManifest, testManifest)
			content := release.sign(d, s.repository()+":v1")
			good := func() {
				s.serveManifest(ociManifest, testManifest)
				s.serveExtension(d, content)
				s.serveSignatures(d, newSigner("ci").sign(d, s.repository()+":v1"))
			}
			good()
			for path, answer := range map[string]http.HandlerFunc{s.manifestPath(d): tt.manifest, s.extensionPath(d): tt.extension, s.signaturePath(d, 1): tt.store} {
				if answer != nil {
					s.set(path, answer)
				}
			}
			f.create(s.withLookaside(), s.policy(release), s.importing(d))
			image := f.hostileResult(&tt)
			if tt.complete {
				f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
			} else {
				f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonSignaturesUnavailable)
			}
			if image.DockerImageManifest != "" {
				t.Errorf("manifest %q", image.DockerImageManifest)
			}
			s.verifiesAnother(release)

			good()
			update(f, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(image *imagev1.Image) {
				image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation] = "now"
			})
			f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
			if image := f.imported(metav1.ConditionTrue, assayv1alpha1.ReasonImported); len(image.Signatures) != 2 {
				t.Errorf("%d signatures, want one of each store", len(image.Signatures))
			}
		})
	}
}

// hostileResult waits for the result of an import from a hostile server.
func (f *fixture) hostileResult(tt *hostileServer) *imagev1.Image {
	f.Helper()
	status := metav1.ConditionTrue
	switch tt.reason {
	case assayv1alpha1.ReasonHostNotAllowed, assayv1alpha1.ReasonStoreUnavailable, assayv1alpha1.ReasonUnauthorized:
		status = metav1.ConditionFalse
	}
	image := f.imported(status, tt.reason)
	message := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition).Message
	if !strings.Contains(message, tt.message) || strings.Contains(message, "log in") {
		f.Errorf("message %q, want %q in it", message, tt.message)
	}
	return image
}

// verifiesAnother checks that another image of the registry is verified.
func (s *registryServer) verifiesAnother(release signer) {
	s.f.Helper()
	d := s.serveManifest(ociManifest, testManifest+" ")
	s.serveExtension(d, release.sign(d, s.repository()+":v1"))
	other := s.importing(d)
	other.Name += "-other"
	s.f.create(other)
	s.f.verdict(other.Name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

// TestImportSlowServer checks that a server whose answers never end delays its own images and nobody
// else's: that of another registry is verified before any of them is given up. It has as many as are
// fetched at the same time from one host.
func TestImportSlowServer(t *testing.T) {
	f, other := newFixture(t), &fixture{T: t, ctx: t.Context(), name: strings.ToLower(t.Name()) + "-other"}
	slow, quick := f.registryServer(), other.registryServer()
	release := newSigner("release")
	f.create(slow.withLookaside(), slow.policy(release))
	var names []string
	for n := range 4 {
		d := digest.FromString(fmt.Sprint(n))
		slow.set(slow.signaturePath(d, 1), func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("\xa3"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		image := slow.importing(d)
		image.Name += fmt.Sprint("-", n)
		f.create(image)
		names = append(names, image.Name)
	}
	f.eventually("requests that do not end", func() (bool, string) {
		n := slow.seen("/sigstore/")
		return n >= 4, fmt.Sprint(n)
	})
	d := quick.serveManifest(ociManifest, testManifest)
	quick.serveExtension(d, release.sign(d, quick.repository()+":v1"))
	other.create(quick.config(), quick.policy(release), quick.importing(d))
	other.verdict(other.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	given := 0
	for _, name := range names {
		var image imagev1.Image
		if err := testClient.Get(f.ctx, client.ObjectKey{Name: name}, &image); err != nil {
			t.Fatal(err)
		}
		if image.Status.Import != nil {
			given++
		}
	}
	if given > 0 {
		t.Errorf("%d images of the slow server were given up before the other one was verified", given)
	}
	f.eventually("a slow answer to be given up", func() (bool, string) {
		var list imagev1.ImageList
		err := testClient.List(f.ctx, &list)
		return err == nil && slices.ContainsFunc(list.Items, func(image imagev1.Image) bool {
			c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
			return slices.Contains(names, image.Name) && c != nil && c.Reason == assayv1alpha1.ReasonStoreUnavailable && strings.Contains(c.Message, "did not answer in time")
		}), fmt.Sprint(err)
	})
}

// TestImportForbiddenHost checks what an Image and its RegistryConfig say of a registry with an
// address that is never contacted, although an administrator named it.
func TestImportForbiddenHost(t *testing.T) {
	for name, host := range map[string]string{"by-name": "metadata.example.com", "by-address": "169.254.169.254"} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			repository := host + "/" + f.name
			config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: f.name}}
			config.Spec.Scopes = []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(repository)}
			f.create(config, &imagev1.Image{
				ObjectMeta:           metav1.ObjectMeta{Name: f.name, Annotations: map[string]string{assayv1alpha1.ImportAnnotation: "true"}},
				DockerImageReference: repository + "@" + digest.FromString(f.name).String(),
			})
			f.hostileResult(&hostileServer{reason: assayv1alpha1.ReasonHostNotAllowed, message: host + " has an address of the local host or link"})
			ready := f.configReady(metav1.ConditionFalse, assayv1alpha1.ReasonHostNotAllowed).Status.Conditions[0]
			if !strings.Contains(ready.Message, host+" has an address of the local host or link") {
				t.Errorf("message %q", ready.Message)
			}
		})
	}
}

// TestImportFlood checks that a namespace that refers to hundreds of images of a registry does not
// delay the image that another one deploys from the same registry, nor the image that it deploys next itself.
func TestImportFlood(t *testing.T) {
	const objects, containers = 2, 100
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	others, next := s.serveManifest(ociManifest, testManifest), s.serveManifest(ociManifest, testManifest+"\n")
	for _, d := range []digest.Digest{others, next} {
		s.serveExtension(d, release.sign(d, s.repository()+":v1"))
	}
	config := s.config()
	// The flood takes minutes.
	config.Spec.RequestsPerSecond = 5
	flood, shop := f.namespace("-flood"), f.namespace("-shop")
	f.Cleanup(func() { f.deleteImagesOf(s.repository()) })
	f.create(config, s.policy(release))
	for n := range objects {
		images := make([]string, containers)
		for i := range images {
			images[i] = s.repository() + "@" + digest.FromString(fmt.Sprint(n, i)).String()
		}
		f.create(deployment(flood, fmt.Sprint("web", n), images...))
	}
	f.eventually("the Images of the flood", func() (bool, string) {
		n := len(f.imagesOf(s.repository()))
		return n == objects*containers, fmt.Sprint(n)
	})
	if before := s.fetchedBefore(""); before > objects*containers*3/4 {
		t.Fatalf("%d images of the flood were fetched before there was another", before)
	}
	s.overtakes(shop, others, objects*containers/8)
	s.overtakes(flood, next, objects*containers/8)
	if before := s.fetchedBefore(""); before > objects*containers*7/8 {
		t.Fatalf("%d images of the flood were fetched: nothing was overtaken", before)
	}
}

// overtakes deploys an image, and checks that it is fetched before all but a few of those that wait.
func (s *registryServer) overtakes(namespace string, d digest.Digest, few int) {
	f := s.f
	f.Helper()
	f.create(deployment(namespace, "next", s.repository()+"@"+d.String()))
	f.eventually("the Image", func() (bool, string) {
		err := testClient.Get(f.ctx, client.ObjectKey{Name: "sha256-" + d.Encoded()}, &imagev1.Image{})
		return err == nil, fmt.Sprint(err)
	})
	before := s.fetchedBefore("")
	f.verdict("sha256-"+d.Encoded(), metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	between := s.fetchedBefore(d.String()) - before
	f.Logf("%s: %d images were fetched before the Image was there, and %d while it waited", namespace, before, between)
	if between > few {
		f.Errorf("%s: %d images were fetched before the one that was deployed last", namespace, between)
	}
}

// fetchedBefore is how many images the registry was asked for, up to the one with the digest; all
// without one.
func (s *registryServer) fetchedBefore(suffix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, request := range s.requests {
		if !strings.HasPrefix(request, "HEAD ") {
			continue
		}
		if suffix != "" && strings.HasSuffix(request, suffix) {
			break
		}
		n++
	}
	return n
}

// imagesOf returns the Images of a repository.
func (f *fixture) imagesOf(repository string) []imagev1.Image {
	f.Helper()
	var list imagev1.ImageList
	if err := testClient.List(context.Background(), &list); err != nil {
		f.Error(err)
	}
	return slices.DeleteFunc(list.Items, func(image imagev1.Image) bool {
		return !strings.HasPrefix(image.DockerImageReference, repository+"@")
	})
}

// deleteImagesOf deletes the Images of a repository.
func (f *fixture) deleteImagesOf(repository string) {
	f.Helper()
	for _, image := range f.imagesOf(repository) {
		if err := client.IgnoreNotFound(testClient.Delete(context.Background(), &image)); err != nil {
			f.Error(err)
		}
	}
}

// TestImportAPIServer checks that a name of a registry that is the address of the API server leads
// nowhere, although a policy and a RegistryConfig name it.
func TestImportAPIServer(t *testing.T) {
	f := newFixture(t)
	u, err := url.Parse(testConfig.Host)
	if err != nil || u.Hostname() != "127.0.0.1" {
		t.Fatalf("the API server is at %s, %v", testConfig.Host, err)
	}
	repository := "apiserver.example.com:" + u.Port() + "/" + f.name
	policy := f.policy(newSigner("release"))
	policy.Spec.Scopes = scopes(repository)
	config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: f.name}}
	config.Spec.Scopes = []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(repository)}
	image := &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: f.name, Annotations: map[string]string{assayv1alpha1.ImportAnnotation: "true"}},
		DockerImageReference: repository + "@" + digest.FromString(f.name).String(),
	}
	f.create(policy, config, image)
	stored := f.imported(metav1.ConditionFalse, assayv1alpha1.ReasonHostNotAllowed)
	if m := stored.Status.Import.Stores[0].Message; !strings.Contains(m, "has the address of the API server") {
		t.Errorf("message: %s", m)
	}
}
