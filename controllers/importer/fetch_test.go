// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	clocktesting "k8s.io/utils/clock/testing"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/registry"
)

var testDigest = digest.FromString("image")

// unsigned answers as a registry that has the image and no signature.
func unsigned(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, testDigest.String()) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Content-Length", "100")
		return
	}
	http.NotFound(w, r)
}

// serve starts a server without TLS, and returns host:port.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// planFor returns the plan for an image of a registry, by a RegistryConfig.
func planFor(t *testing.T, host string, spec assayv1alpha1.RegistryConfigSpec) *plan {
	t.Helper()
	named, err := imageref.ParseImage(host + "/app@" + testDigest.String())
	if err != nil {
		t.Fatal(err)
	}
	network := &registry.Network{
		AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Proxy:            func(*http.Request) (*url.URL, error) { return nil, nil },
	}
	config := &Config{Name: "config", spec: spec, network: network, access: registry.Access{Insecure: true, RequestsPerSecond: 100}}
	return &plan{named: named, digest: testDigest, config: config, endpoints: []endpoint{{named: named, config: config}}}
}

// TestSlowLookaside checks that the registry is asked while the lookaside store has not answered, and that
// neither uses up the other's time.
func TestSlowLookaside(t *testing.T) {
	asked, answered := make(chan struct{}), make(chan struct{})
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			close(asked)
			<-answered
		}
		unsigned(w, r)
	})
	lookaside := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-asked:
			http.NotFound(w, r)
			close(answered)
		case <-r.Context().Done():
		}
	})
	p := planFor(t, host, assayv1alpha1.RegistryConfigSpec{Lookaside: assayv1alpha1.StoreURL("http://" + lookaside + "/store")})
	got := fetch(t.Context(), p)
	want := []imagev1.ImportStore{
		{URL: "http://" + lookaside + "/store", Result: assayv1alpha1.ReasonNoSignaturesFound},
		{URL: "http://" + host + "/v2/app", Result: assayv1alpha1.ReasonNoSignaturesFound},
	}
	if diff := cmp.Diff(want, got.stores); diff != "" || !got.complete {
		t.Errorf("complete: %t; stores (-want +got):\n%s", got.complete, diff)
	}
}

// TestLookasideDelaysNobodyElse checks that images of a registry are fetched while a lookaside store that
// they do not have hangs for more images than are fetched from a host at a time.
func TestLookasideDelaysNobodyElse(t *testing.T) {
	host := serve(t, unsigned)
	ctx, cancel := context.WithCancel(t.Context())
	l := &lanes{}
	for i := range 2 * lanesPerHost {
		p := planFor(t, host, assayv1alpha1.RegistryConfigSpec{Lookaside: "https://store.example.com"})
		l.add(ctx, p.lane(), &job{name: fmt.Sprint("slow-", i), run: func(ctx context.Context) { <-ctx.Done() }})
	}
	p, done := planFor(t, host, assayv1alpha1.RegistryConfigSpec{}), make(chan *result)
	l.add(ctx, p.lane(), &job{name: "quick", run: func(ctx context.Context) { done <- fetch(ctx, p) }})
	if got := <-done; got.reason != assayv1alpha1.ReasonNoSignaturesFound {
		t.Errorf("%s: %v", got.reason, got.stores)
	}
	cancel()
	l.wait()
}

// TestBrokenOffJob checks that a job that is broken off for others counts as an attempt, with an answer that
// did not come in time, and that nothing is kept of one that ends with the process.
func TestBrokenOffJob(t *testing.T) {
	for name, tt := range map[string]struct {
		cause error
		want  string
	}{
		"for others":       {errOutOfPatience, assayv1alpha1.ReasonStoreUnavailable},
		"with the process": {context.Canceled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			lifetime, end := context.WithCancel(t.Context())
			defer end()
			ctx, breakOff := context.WithCancelCause(lifetime)
			host := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				if tt.want == "" {
					end()
				}
				breakOff(tt.cause)
				<-r.Context().Done()
			})
			r := &Reconciler{Clock: clocktesting.NewFakePassiveClock(t0), requeue: func(string) {}, storage: newStorage()}
			image := &imagecache.Image{}
			image.Name = "image"
			p := planFor(t, host, assayv1alpha1.RegistryConfigSpec{})
			r.newJob(lifetime, image, p, attempt{}).run(ctx)
			got := ""
			if done := r.results["image"]; done != nil {
				got = done.reason
				if message := done.stores[0].Message; message != host+" did not answer in time" {
					t.Errorf("message %q", message)
				}
			}
			if got != tt.want || (r.attempts["image"] != nil) != (tt.want != "") {
				t.Errorf("result %q, attempt %+v", got, r.attempts["image"])
			}
			if n := p.config.network.Resting(); n != 0 {
				t.Errorf("%d hosts rest", n)
			}
		})
	}
}

// TestLane checks that images share a lane only if all of their stores are on the same hosts.
func TestLane(t *testing.T) {
	with := func(lookaside string, change func(*assayv1alpha1.RegistryConfigSpec)) string {
		spec := assayv1alpha1.RegistryConfigSpec{Lookaside: assayv1alpha1.StoreURL(lookaside)}
		if change != nil {
			change(&spec)
		}
		return planFor(t, "registry.example.com", spec).lane()
	}
	never := func(s *assayv1alpha1.RegistryConfigSpec) {
		s.SignatureExtension, s.Attachments = assayv1alpha1.StoreNever, assayv1alpha1.StoreNever
	}
	index := planFor(t, "registry.example.com", assayv1alpha1.RegistryConfigSpec{
		Lookaside: "https://store.example.com", SignatureExtension: assayv1alpha1.StoreNever, Attachments: assayv1alpha1.StoreNever,
	})
	index.wantIndex = true
	for _, tt := range []struct{ name, got, want string }{
		{"no lookaside", with("", nil), "registry.example.com"},
		{"lookaside", with("https://Store.example.com/a", nil), "registry.example.com store.example.com"},
		{"another path", with("https://store.example.com", nil), "registry.example.com store.example.com"},
		{"on the registry", with("https://registry.example.com/store", nil), "registry.example.com"},
		{"lookaside alone", with("https://store.example.com/a", never), "store.example.com"},
		{"lookaside, may be an index", index.lane(), "registry.example.com store.example.com"},
		{"nothing to ask", (&plan{err: &registry.Error{}}).lane(), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}
