// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// allowLoopback lets the manager contact registries on this machine.
const allowLoopback = "--registry-allowed-addresses=127.0.0.0/8"

// importRegistry is a registry on loopback that wants a credential, with a lookaside store.
type importRegistry struct {
	*httptest.Server
	requests atomic.Int32
}

// startRegistry starts a registry in which every image of a repository exists, with a signature by the
// release key in the store.
func (s *scenario) startRegistry(repository string) *importRegistry {
	s.Helper()
	r := &importRegistry{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		user, password, _ := req.BasicAuth()
		folder, hex, _ := strings.Cut(strings.TrimSuffix(req.URL.Path, "/signature-1"), "@sha256=")
		d := digest.NewDigestFromEncoded(digest.SHA256, hex)
		switch path := req.URL.Path; {
		case folder == "/sigstore/"+repository && d.Validate() == nil:
			_, _ = w.Write(fixture.Signature(r.host()+"/"+repository, d, release).Content)
		case !strings.HasPrefix(path, "/v2/"+repository+"/"):
			http.NotFound(w, req)
		case user != "puller" || password != canary:
			w.Header().Set("Www-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(path, "/v2/"+repository+"/manifests/sha256:"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		default:
			http.NotFound(w, req)
		}
	}))
	s.Cleanup(r.Close)
	return r
}

func (r *importRegistry) host() string { return strings.TrimPrefix(r.URL, "http://") }

// canary is a password. It must not be seen anywhere.
const canary = "canary-jUc2bTqk"

// importImage creates a registry, what configures it, and an Image whose signatures are in it.
func (s *scenario) importImage(name string, changes ...func(*imagev1.Image)) *importRegistry {
	s.Helper()
	d := s.digest(name)
	r := s.startRegistry("imported")
	scope := r.host() + "/imported"
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: s.name + "-pull"}, Type: corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths":{%q:{"username":"puller","password":%q}}}`, r.host(), canary)},
	}
	config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: s.name}, Spec: assayv1alpha1.RegistryConfigSpec{
		Scopes: []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(scope)}, Insecure: true,
		Lookaside:   assayv1alpha1.StoreURL(r.URL + "/sigstore"),
		Credentials: &assayv1alpha1.RegistryCredentials{SecretRef: assayv1alpha1.ObjectRef{Name: secret.Name}},
	}}
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: s.name + "-imported"}, Spec: assayv1alpha1.TrustPolicySpec{
		Scopes: []assayv1alpha1.Scope{assayv1alpha1.Scope(scope)},
		Keys:   []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: s.name}}},
	}}
	image := &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: s.name + "-" + name, Annotations: map[string]string{assayv1alpha1.ImportAnnotation: "true"}},
		DockerImageReference: scope + "@" + d.String(),
	}
	for _, change := range changes {
		change(image)
	}
	s.create(secret, config, policy, image)
	return r
}

// TestImport runs the program against a registry that wants a credential: the Image is verified, the
// RegistryConfig says that the registry answers, and the password is nowhere to be seen.
func TestImport(t *testing.T) {
	s := newScenario(t, shared, "import")
	m := s.startManager("--leader-elect", allowLoopback)
	s.importImage("fetched")
	s.awaitReason("fetched", assayv1alpha1.ReasonVerified)
	config := &assayv1alpha1.RegistryConfig{}
	s.eventually("the registry to be reachable", func(ctx context.Context) (bool, string) {
		err := s.admin.Get(ctx, client.ObjectKey{Name: s.name}, config)
		ready := meta.FindStatusCondition(config.Status.Conditions, assayv1alpha1.ReadyCondition)
		return err == nil && ready != nil && ready.Reason == assayv1alpha1.ReasonReachable && config.Status.Images != nil && config.Status.Images.Imported == 1,
			fmt.Sprintf("%+v, %+v, %v", ready, config.Status.Images, err)
	})
	if strings.Contains(m.Log(), canary) {
		t.Error("the password is in the log")
	}
}

// TestImportBesideManySignatures fetches for an Image that has more signatures than the cache keeps. Whoever
// adds that many does not keep the good one away.
func TestImportBesideManySignatures(t *testing.T) {
	const each, many = 8 << 10, 9
	s := newScenario(t, shared, "beside")
	s.startManager(allowLoopback)
	s.importImage("fetched", func(image *imagev1.Image) {
		for i := range many {
			content := bytes.Repeat([]byte{byte(i)}, each)
			image.Signatures = append(image.Signatures, imagev1.ImageSignature{Type: imagev1.SignatureTypeAtomic, Content: content})
		}
	})
	s.awaitReason("fetched", assayv1alpha1.ReasonVerified)
	var image imagev1.Image
	if err := s.admin.Get(t.Context(), client.ObjectKey{Name: s.name + "-fetched"}, &image); err != nil {
		t.Fatal(err)
	}
	if len(image.Signatures) != many+1 {
		t.Errorf("the Image has %d signatures, want those that it had and the one of the store", len(image.Signatures))
	}
}

// TestRegistryDown checks that a Pod whose image is verified waits for no registry: it is admitted
// while the registry is down and the operator has just been started again.
func TestRegistryDown(t *testing.T) {
	s := newScenario(t, shared, "registrydown")
	m := s.startManager(allowLoopback)
	r := s.importImage("fetched")
	s.awaitReason("fetched", assayv1alpha1.ReasonVerified)
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.name}})
	pod := func(name, image string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: name},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: r.host() + "/imported@" + s.digest(image).String()}}},
		}
	}
	s.eventually("the scope to be enforced", func(ctx context.Context) (bool, string) {
		err := s.admin.Create(ctx, pod("unsigned", "unsigned"), client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "not verified"), fmt.Sprint(err)
	})
	s.eventually("the image to be admitted", func(ctx context.Context) (bool, string) {
		err := s.admin.Create(ctx, pod("before", "fetched"))
		return err == nil, fmt.Sprint(err)
	})
	r.Close()
	requests := r.requests.Load()
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	s.create(pod("away", "fetched"))
	s.startManager(allowLoopback)
	s.create(pod("after", "fetched"))
	if err := s.admin.Create(t.Context(), pod("unsigned", "unsigned")); err == nil || !strings.Contains(err.Error(), "not verified") {
		t.Errorf("a Pod with another image: %v", err)
	}
	if n := r.requests.Load(); n != requests {
		t.Errorf("%d requests", n-requests)
	}
}

// TestImportWithoutPermission checks that the program does not contact loopback if nobody allows it.
func TestImportWithoutPermission(t *testing.T) {
	s := newScenario(t, shared, "noloopback")
	s.startManager("--leader-elect")
	r := s.importImage("fetched")
	s.awaitReason("fetched", assayv1alpha1.ReasonSignaturesUnavailable)
	s.eventually("HostNotAllowed", func(ctx context.Context) (bool, string) {
		var image imagev1.Image
		err := s.admin.Get(ctx, client.ObjectKey{Name: s.name + "-fetched"}, &image)
		return err == nil && image.Status.Import != nil && image.Status.Import.Result == assayv1alpha1.ReasonHostNotAllowed, fmt.Sprintf("%+v, %v", image.Status.Import, err)
	})
	if n := r.requests.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
}
