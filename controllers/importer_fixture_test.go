// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/registry"
)

// testNetwork resolves the names of example.com to loopback, but for two that stand for an attacker.
func testNetwork() *registry.Network {
	return &registry.Network{
		AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Proxy:            func(*http.Request) (*url.URL, error) { return nil, nil },
		Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			if !strings.HasSuffix(name, ".example.com") {
				return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
			}
			address := map[string]string{"metadata.example.com": "169.254.169.254", "private.example.com": "10.1.2.3"}[name]
			return []netip.Addr{netip.MustParseAddr(cmp.Or(address, "127.0.0.1"))}, nil
		},
	}
}

// registryServer is a registry with a lookaside store at /sigstore, called
// registry.example.com:port. What is not there is 404.
type registryServer struct {
	*httptest.Server
	f    *fixture
	port string

	mu       sync.Mutex
	answers  map[string]http.HandlerFunc
	requests []string
}

// registryServer starts a registry, and makes a ConfigMap with its certificate.
func (f *fixture) registryServer() *registryServer {
	f.Helper()
	s := &registryServer{f: f, answers: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewTLSServer(s)
	f.Cleanup(s.Close)
	_, s.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	f.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: f.name + "-ca"},
		Data:       map[string]string{"ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))},
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *registryServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	answer := s.answers[r.URL.Path]
	if answer == nil {
		answer = s.answers["*"]
	}
	s.mu.Unlock()
	if answer == nil {
		answer = http.NotFound
	}
	answer(w, r)
}

// set answers a path; "*" is every other one.
func (s *registryServer) set(path string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer == nil {
		delete(s.answers, path)
		return
	}
	s.answers[path] = answer
}

// seen returns how many requests for paths with a prefix came so far.
func (s *registryServer) seen(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, request := range s.requests {
		if _, path, _ := strings.Cut(request, " "); strings.HasPrefix(path, prefix) {
			n++
		}
	}
	return n
}

// host is registry.example.com:port.
func (s *registryServer) host() string { return "registry.example.com:" + s.port }

// storeHost is the name of the lookaside store.
func (s *registryServer) storeHost() string { return "signatures.example.com:" + s.port }

// repository is the test's own.
func (s *registryServer) repository() string { return s.host() + "/" + s.f.name }

const testManifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2},"layers":[]}`

// serveManifest serves a manifest of the test's repository.
func (s *registryServer) serveManifest(mediaType, content string) digest.Digest {
	d := digest.FromString(content)
	s.set(s.manifestPath(d), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Docker-Content-Digest", d.String())
		_, _ = w.Write([]byte(content))
	})
	return d
}

// serveSignatures serves the signatures of an image in the lookaside store.
func (s *registryServer) serveSignatures(d digest.Digest, signatures ...[]byte) {
	for i, content := range signatures {
		s.set(s.signaturePath(d, i+1), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	}
}

func (s *registryServer) signaturePath(d digest.Digest, n int) string {
	return fmt.Sprintf("/sigstore/%s@sha256=%s/signature-%d", s.f.name, d.Encoded(), n)
}

// config returns a RegistryConfig for the test's repository.
func (s *registryServer) config() *assayv1alpha1.RegistryConfig {
	config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: s.f.name}}
	config.Spec.Scopes = []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(s.repository())}
	config.Spec.CertificateAuthorities = &assayv1alpha1.CertificateAuthorities{ConfigMapRef: assayv1alpha1.ObjectRef{Name: s.f.name + "-ca"}}
	config.Spec.RequestsPerSecond = 1000
	return config
}

// withLookaside returns config with the lookaside store of the server.
func (s *registryServer) withLookaside() *assayv1alpha1.RegistryConfig {
	config := s.config()
	config.Spec.Lookaside = assayv1alpha1.StoreURL("https://" + s.storeHost() + "/sigstore")
	return config
}

// importing returns an Image that asks for import. It has no label of discovery, whose tests delete
// the Images with that label that no workload uses.
func (s *registryServer) importing(d digest.Digest) *imagev1.Image {
	return &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: s.f.name, Annotations: map[string]string{assayv1alpha1.ImportAnnotation: "true"}},
		DockerImageReference: s.repository() + "@" + d.String(),
	}
}

// policy returns a TrustPolicy for the repository.
func (s *registryServer) policy(signers ...signer) *assayv1alpha1.TrustPolicy {
	policy := s.f.policy(signers...)
	policy.Spec.Scopes = scopes(s.repository())
	return policy
}

// imported waits until the Imported condition of the test's Image has the status and reason.
func (f *fixture) imported(status metav1.ConditionStatus, reason string) *imagev1.Image {
	f.Helper()
	var image imagev1.Image
	f.eventually(fmt.Sprintf("Imported=%s (%s)", status, reason), func() (bool, string) {
		if err := testClient.Get(f.ctx, types.NamespacedName{Name: f.name}, &image); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
		if c == nil {
			return false, "no condition"
		}
		return c.Status == status && c.Reason == reason, fmt.Sprintf("%s (%s): %s", c.Status, c.Reason, c.Message)
	})
	return &image
}
