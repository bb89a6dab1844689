// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

const (
	// allowLoopback lets the manager contact registries on this machine.
	allowLoopback = "--registry-allowed-addresses=127.0.0.0/8"

	// answerTime is how long the registry takes for an answer, so that there is a middle.
	answerTime = 5 * time.Millisecond

	// requestsPerImage is what a registry with the signature extension and without OCI referrers is
	// asked for an image: the manifest, the signatures, cosign's tag, the referrers, and the tag that
	// stands for them.
	requestsPerImage = 5
)

// testRegistry is a registry on loopback with the signature extension. It counts requests, and can
// go away.
type testRegistry struct {
	t       *testing.T
	address string
	server  *http.Server
	// refusing has the address while connections are refused.
	refusing net.Listener

	mu sync.Mutex
	// signatures by digest. Images without any exist as well.
	signatures map[digest.Digest][]byte
	// byDigest counts requests about an image, by the hexadecimal part.
	byDigest map[string]int
	total    int
	// target is the number of requests at which reached is closed.
	target  int
	reached chan struct{}
}

func startRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{t: t, address: fixture.FreeAddress(t), signatures: map[digest.Digest][]byte{}, byDigest: map[string]int{}}
	r.up()
	t.Cleanup(func() {
		r.down()
		if r.refusing != nil {
			_ = r.refusing.Close()
		}
	})
	return r
}

// up makes the registry answer, at the address that it always has.
func (r *testRegistry) up() {
	r.t.Helper()
	if r.refusing != nil {
		_ = r.refusing.Close()
		r.refusing = nil
	}
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	server := r.server
	go func() { _ = server.Serve(listener) }() // It ends when the registry goes away.
}

// refuse closes every connection that is made while the registry is down, until it is up again, and
// returns a function that counts them.
func (r *testRegistry) refuse() (attempts func() int) {
	r.t.Helper()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	var n atomic.Int64
	r.refusing = listener
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // The registry is up again.
			}
			n.Add(1)
			_ = conn.Close()
		}
	}()
	return func() int { return int(n.Load()) }
}

// down closes the address and all connections.
func (r *testRegistry) down() {
	if err := r.server.Close(); err != nil {
		r.t.Error(err)
	}
}

// ServeHTTP implements http.Handler.
func (r *testRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	hex := hexOf(req.URL.Path)
	<-time.After(answerTime)
	content := r.count(hex)
	switch {
	case req.URL.Path == "/v2/":
		w.Header().Set("X-Registry-Supports-Signatures", "1")
	case strings.HasSuffix(req.URL.Path, "/manifests/sha256:"+hex):
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	case strings.HasPrefix(req.URL.Path, "/extensions/") && content != nil:
		_, _ = fmt.Fprintf(w, `{"signatures":[{"schemaVersion":2,"type":"atomic","content":%q}]}`, base64.StdEncoding.EncodeToString(content))
	default:
		http.NotFound(w, req)
	}
}

// hexOf returns the hexadecimal part of the digest in a path, empty without one.
func hexOf(path string) string {
	for _, separator := range []string{"sha256:", "sha256-"} {
		if _, hex, ok := strings.Cut(path, separator); ok {
			return hex[:min(len(hex), 64)]
		}
	}
	return ""
}

// count counts a request, and returns the signature of its image.
func (r *testRegistry) count(hex string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	if r.reached != nil && r.total >= r.target {
		close(r.reached)
		r.reached = nil
	}
	if hex == "" {
		return nil
	}
	r.byDigest[hex]++
	return r.signatures[digest.NewDigestFromEncoded(digest.SHA256, hex)]
}

// after returns a channel that is closed after so many further requests.
func (r *testRegistry) after(n int) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	reached := make(chan struct{})
	r.target, r.reached = r.total+n, reached
	return reached
}

// requests is the number of requests so far.
func (r *testRegistry) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// requestsAbout is the number of requests about the image of an Image.
func (r *testRegistry) requestsAbout(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byDigest[digest.FromString(name).Encoded()]
}

// importScenario is a scenario whose signatures are in a registry.
type importScenario struct {
	*scenario
	registry *testRegistry
	config   *assayv1alpha1.RegistryConfig
}

// newImportScenario starts a registry, and makes its RegistryConfig.
func newImportScenario(t *testing.T, name string) *importScenario {
	t.Helper()
	r := startRegistry(t)
	s := &importScenario{scenario: newScenarioAt(t, name, r.address), registry: r}
	s.config = &assayv1alpha1.RegistryConfig{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{testLabel: name}},
		Spec: assayv1alpha1.RegistryConfigSpec{
			Scopes: []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(s.repository())}, Insecure: true, RequestsPerSecond: 1000,
		},
	}
	s.create(s.config)
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), s.config); err != nil {
			t.Error(err)
		}
	})
	return s
}

// unfetched returns an Image whose signature by a key is in the registry.
func (s *importScenario) unfetched(n int) *imagev1.Image {
	image := s.image(n)
	image.Annotations = map[string]string{assayv1alpha1.ImportAnnotation: "true"}
	d := digest.FromString(image.Name)
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.registry.signatures[d] = fixture.Signature(s.repository(), d, release).Content
	return image
}

// createUnfetched creates images whose signatures are in the registry.
func (s *importScenario) createUnfetched(images int) {
	s.Helper()
	for n := range images {
		image := s.unfetched(n)
		s.create(image)
		s.want[image.Name] = verified
	}
}

// start runs the manager until the end of the test or earlier.
func (s *importScenario) start(args ...string) *manager.Manager {
	s.Helper()
	return s.startManager(append(args, allowLoopback)...)
}

// fetched returns how often the registry was asked about each Image that has the result of its import.
func (s *importScenario) fetched() map[string]int {
	s.Helper()
	var list imagev1.ImageList
	if err := admin.List(s.Context(), &list, client.MatchingLabels{testLabel: s.name}); err != nil {
		s.Fatal(err)
	}
	found := map[string]int{}
	for i := range list.Items {
		image := &list.Items[i]
		if meta.IsStatusConditionTrue(image.Status.Conditions, assayv1alpha1.ImportedCondition) {
			found[image.Name] = s.registry.requestsAbout(image.Name)
		}
	}
	return found
}

// settleFetched waits until all images are verified and say where their signatures are from, and checks
// that each has its signature once.
func (s *importScenario) settleFetched() {
	s.Helper()
	s.settle()
	// A verdict may be there between the write of the signature and that of the status.
	s.eventually("the results of imports", func(ctx context.Context) (bool, string) {
		var list imagev1.ImageList
		if err := admin.List(ctx, &list, client.MatchingLabels{testLabel: s.name}); err != nil {
			return false, err.Error()
		}
		for i := range list.Items {
			image := &list.Items[i]
			if n := len(image.Signatures); n != 1 || image.Signatures[0].Annotations[assayv1alpha1.ImportedFromAnnotation] != assayv1alpha1.ImportedFromStore {
				s.Fatalf("%s has %d signatures", image.Name, n)
			}
			if in := image.Status.Import; in == nil || len(in.Stores) != 1 || in.Stores[0].Signatures != 1 {
				return false, fmt.Sprintf("%s: status.import is %+v", image.Name, in)
			}
		}
		return true, ""
	})
}

// unchanged checks that nobody has asked again for what had been fetched.
func (s *importScenario) unchanged(before map[string]int) {
	s.Helper()
	for name, asked := range before {
		if now := s.registry.requestsAbout(name); now != asked {
			s.Errorf("the registry was asked %d times about %s, and %d times more after that had been stored", asked, name, now-asked)
		}
	}
}
