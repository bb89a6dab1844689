// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/assay-project/assay/internal/registry"
)

// server is a registry or store on loopback that the tests call by names of example.com.
type server struct {
	*httptest.Server
	t    *testing.T
	port string

	mu       sync.Mutex
	requests []string
	headers  []http.Header
}

// serve starts a server, over TLS. It records the requests.
func serve(t *testing.T, handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{t: t}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.Host[:strings.LastIndex(r.Host, ":")]+r.URL.RequestURI())
		s.headers = append(s.headers, r.Header.Clone())
		s.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	_, s.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return s
}

// pages answers by the path of a request, and 404 for others.
func pages(answers map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if answer, ok := answers[r.URL.Path]; ok {
			answer(w, r)
			return
		}
		http.NotFound(w, r)
	}
}

// text answers with a text of a media type.
func text(mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write([]byte(body))
	}
}

// seen returns the requests so far.
func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// sent returns the values of a header, one of each request.
func (s *server) sent(header string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var values []string
	for _, h := range s.headers {
		values = append(values, h.Get(header))
	}
	return values
}

// host is a name of the server: name.example.com:port.
func (s *server) host(name string) string { return name + ".example.com:" + s.port }

// trusted are the authorities of the server's certificate.
func (s *server) trusted() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// network resolves the names of example.com to loopback, but for those that stand for an attacker.
func network() *registry.Network {
	addresses := map[string]string{
		"metadata.example.com": "169.254.169.254", "private.example.com": "10.1.2.3", "apiserver.example.com": "127.0.0.9",
		"mapped.example.com": "::ffff:169.254.169.254", "nat64.example.com": "64:ff9b::a9fe:a9fe", "zero.example.com": "0.0.0.0",
	}
	return &registry.Network{
		AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		DeniedAddresses: func(context.Context) []netip.AddrPort {
			return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.9:443")}
		},
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
		Clock: clocktesting.NewFakePassiveClock(testNow),
		Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			if address, ok := addresses[name]; ok {
				return []netip.Addr{netip.MustParseAddr(address)}, nil
			}
			if !strings.HasSuffix(name, ".example.com") {
				return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	}
}

// content is the manifest of the tests, and testDigest its digest.
const content = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}`

var testDigest = digest.FromString(content)

// manifestPath is where the manifest is.
var manifestPath = "/v2/team/app/manifests/" + testDigest.String()

// repository returns the repository team/app of a server, called registry.example.com.
func (s *server) repository(n *registry.Network, credential registry.Credential) *registry.Repository {
	s.t.Helper()
	return s.client(n, credential).Repository(named(s.t, s.host("registry")+"/team/app"))
}

func (s *server) client(n *registry.Network, credential registry.Credential) *registry.Client {
	return n.NewClient(s.host("registry"), registry.Access{CertificateAuthorities: s.trusted(), RequestsPerSecond: 1000}, credential)
}

func named(t *testing.T, text string) reference.Named {
	t.Helper()
	ref, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// wantError checks that an error is an *Error of a code, whose text has a part.
func wantError(t *testing.T, err error, code registry.Code, part string) {
	t.Helper()
	_ = wantRefusal(t, err, code, part)
}

// wantRefusal is wantError, and returns the error.
func wantRefusal(t *testing.T, err error, code registry.Code, part string) *registry.Error {
	t.Helper()
	var e *registry.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Error(), part) {
		t.Fatalf("error %v (%s), want code %d and %q", err, describeCode(err), code, part)
	}
	if len(e.Error()) > 500 {
		t.Errorf("the text has %d bytes", len(e.Error()))
	}
	return e
}

func describeCode(err error) string {
	var e *registry.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("code %d", e.Code)
	}
	return fmt.Sprintf("%T", err)
}
