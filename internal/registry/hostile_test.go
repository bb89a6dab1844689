// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/registry"
)

// TestHostileAddresses checks that no registry makes the client contact what it must not, by a
// token service or a redirect, and that a name counts as its address.
func TestHostileAddresses(t *testing.T) {
	realm := func(url string) http.HandlerFunc { return (&tokens{realm: url}).handler }
	redirect := func(url string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusTemporaryRedirect) }
	}
	const (
		local      = "has an address of the local host or link, or of a metadata service"
		private    = "has a private address, and no administrator has named the host"
		withoutTLS = "without TLS"
	)
	tests := map[string]struct {
		handler http.HandlerFunc
		message string
	}{
		"realm, link-local":        {realm("https://169.254.169.254/latest"), local},
		"realm, by a name":         {realm("https://metadata.example.com/latest"), local},
		"realm, mapped":            {realm("https://mapped.example.com/latest"), local},
		"realm, NAT64":             {realm("https://nat64.example.com/latest"), local},
		"realm, unspecified":       {realm("https://zero.example.com/latest"), local},
		"realm, IPv6 loopback":     {realm("https://[::1]/latest"), local},
		"realm, mapped literal":    {realm("https://[::ffff:169.254.169.254]/latest"), local},
		"realm, private":           {realm("https://10.0.0.1/token"), private},
		"realm, private by a name": {realm("https://private.example.com/token"), private},
		"realm, API server":        {realm("https://apiserver.example.com/token"), "has the address of the API server"},
		"realm, http":              {realm("http://auth.example.com/token"), withoutTLS},
		"redirect, link-local":     {redirect("https://169.254.169.254/latest"), local},
		"redirect, by a name":      {redirect("https://metadata.example.com/latest"), local},
		"redirect, private":        {redirect("https://192.168.1.1/"), private},
		"redirect, API server":     {redirect("https://127.0.0.9/api"), "has the address of the API server"},
		"redirect, http":           {redirect("http://cdn.example.com/blob"), "redirects from https to http"},
		"redirect, file":           {redirect("file:///etc/passwd"), "redirects from https to another scheme"},
		"redirect, short IPv4":     {redirect("https://127.1/"), "cannot be resolved"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tt.handler)
			_, err := s.repository(network(), registry.Credential{Username: "a", Password: "1"}).Manifest(t.Context(), testDigest, 1000)
			code := registry.HostNotAllowed
			if name == "redirect, short IPv4" {
				code = registry.Unavailable
			}
			wantError(t, err, code, tt.message)
		})
	}
}

// TestNamedHosts checks that a host with a private address is contacted only when it was named. The
// address is one that cannot be reached: what counts is why.
func TestNamedHosts(t *testing.T) {
	n := network()
	n.AllowedAddresses = nil
	n.Lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.255.255.1")}, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	for name, named := range map[string][]string{"nobody": nil, "another": {"other.example.com"}, "another port": {"registry.example.com:5000"}} {
		c := n.NewClient("registry.example.com", registry.Access{NamedHosts: named}, registry.Credential{})
		_, err := c.Repository(namedIn(t, "registry.example.com/a")).Head(ctx, "v1")
		if e := wantRefusal(t, err, registry.HostNotAllowed, "has a private address"); e.Host != "registry.example.com" {
			t.Errorf("%s: host %s", name, e.Host)
		}
	}
	// Nothing is sent to the address: the context has ended.
	cancel()
	for name, access := range map[string]registry.Access{
		"by name": {NamedHosts: []string{"Registry.example.com"}}, "with port": {NamedHosts: []string{"registry.example.com:443"}}, "any": {AnyHost: true},
	} {
		c := n.NewClient("registry.example.com", access, registry.Credential{})
		_, err := c.Repository(namedIn(t, "registry.example.com/a")).Head(ctx, "v1")
		if err == nil || strings.Contains(err.Error(), "private") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var namedIn = named

// TestLoopbackIsNotContacted checks what production does with the address of every test.
func TestLoopbackIsNotContacted(t *testing.T) {
	s := serve(t, text(ociManifest, content))
	n := network()
	n.AllowedAddresses = nil
	access := registry.Access{NamedHosts: []string{s.host("registry")}, AnyHost: true, CertificateAuthorities: s.trusted()}
	_, err := n.NewClient(s.host("registry"), access, registry.Credential{}).Repository(named(t, s.host("registry")+"/team/app")).Head(t.Context(), testDigest.String())
	wantError(t, err, registry.HostNotAllowed, "has an address of the local host")
	if len(s.seen()) != 0 {
		t.Errorf("requests: %q", s.seen())
	}
}

// TestHostileBodies checks that no answer takes more than its bounds.
func TestHostileBodies(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte("a"), 64<<10)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	bomb := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 8<<20))
		_ = z.Close()
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		code    registry.Code
		message string
	}{
		"endless": {endless, registry.TooLarge, "too large"},
		"stated length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000000")
			w.WriteHeader(http.StatusOK)
		}, registry.TooLarge, "too large"},
		"gzip":          {bomb, registry.Malformed, "compressed"},
		"other content": {text(ociManifest, content+" "), registry.Malformed, "other content than the digest says"},
		"a page":        {text("text/html", "<html>"), registry.Malformed, "other content than the digest says"},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "900")
			_, _ = w.Write([]byte(content))
		}, registry.Unavailable, "broke off"},
		"large headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("a", 100<<10))
			w.WriteHeader(http.StatusOK)
		}, registry.Unavailable, "cannot be reached"},
		"redirects": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"/a", http.StatusFound) }, registry.Malformed, "redirects too often"},
		"a user in the URL": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://u:p@"+r.Host+"/", http.StatusFound)
		}, registry.Malformed, "with a user"},
		"hangs up": {hangUp, registry.Unavailable, "cannot be reached"},
		"500": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			endless(w, nil)
		}, registry.Unavailable, "answered with status 500"},
		"404": {http.NotFound, registry.NotFound, "answered with status 404"},
		"204": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, registry.Unavailable, "answered with status 204"},
		"long text": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = fmt.Fprintf(w, `{"errors":[{"code":"X","message":"\u001b[31m%s"}]}`, strings.Repeat("lies ", 1000))
		}, registry.Unavailable, "answered with status 418"},
		"token, endless": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				_, _ = w.Write([]byte(`{"token":"`))
				endless(w, r)
				return
			}
			(&tokens{}).handler(w, r)
		}, registry.Unavailable, ""},
		"token, no token": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				_, _ = w.Write([]byte(`{}`))
				return
			}
			(&tokens{}).handler(w, r)
		}, registry.Unavailable, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tt.handler)
			_, err := s.repository(network(), registry.Credential{}).Manifest(t.Context(), testDigest, 4<<20)
			wantError(t, err, tt.code, tt.message)
			if strings.ContainsAny(err.Error(), "\x1b\n") || strings.Contains(err.Error(), "lies") {
				t.Errorf("the error has text of the server: %q", err)
			}
		})
	}
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// TestSlowBody checks that a body that does not end is given up when the context ends.
func TestSlowBody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("a"))
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	n := network()
	_, err := s.repository(n, registry.Credential{}).Manifest(ctx, testDigest, 1000)
	wantError(t, err, registry.Unavailable, "")
	if n.Resting() != 0 {
		t.Error("the host rests because the client gave up")
	}
}

// TestCertificates checks that certificates are verified, and what a failure is called.
func TestCertificates(t *testing.T) {
	issue := func(edit func(*x509.Certificate)) (tls.Certificate, *x509.CertPool) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), DNSNames: []string{"registry.example.com"}, IsCA: true, BasicConstraintsValid: true,
			NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC),
		}
		edit(template)
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(certificate)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
	}
	nothing := func(*x509.Certificate) {}
	for name, tt := range map[string]struct {
		edit    func(*x509.Certificate)
		trusted bool
		message string
	}{
		"valid":         {nothing, true, ""},
		"unknown":       {nothing, false, "signed by an unknown authority"},
		"another host":  {func(c *x509.Certificate) { c.DNSNames = []string{"other.example.com"} }, true, "it is for another host"},
		"expired":       {func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(1, 0, 0) }, true, "it has expired"},
		"not valid yet": {func(c *x509.Certificate) { c.NotBefore = c.NotAfter.AddDate(-1, 0, 0) }, true, "not valid yet"},
	} {
		t.Run(name, func(t *testing.T) {
			certificate, pool := issue(tt.edit)
			s := &server{t: t, Server: httptest.NewUnstartedServer(text(ociManifest, content))}
			s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
			s.Config.ErrorLog = quiet
			s.StartTLS()
			t.Cleanup(s.Close)
			_, s.port, _ = strings.Cut(s.Listener.Addr().String(), ":")
			if !tt.trusted {
				pool = x509.NewCertPool()
			}
			client := network().NewClient(s.host("registry"), registry.Access{CertificateAuthorities: pool}, registry.Credential{})
			_, err := client.Repository(named(t, s.host("registry")+"/team/app")).Manifest(t.Context(), testDigest, 1000)
			if tt.message == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, registry.TLSError, tt.message)
		})
	}
}

// TestPlainHTTP checks that http is spoken only where it was asked for, and that a server without
// TLS is told from one that does not answer.
func TestPlainHTTP(t *testing.T) {
	s := &server{t: t, Server: httptest.NewServer(text(ociManifest, content))}
	t.Cleanup(s.Close)
	_, s.port, _ = strings.Cut(s.Listener.Addr().String(), ":")
	for _, insecure := range []bool{true, false} {
		client := network().NewClient(s.host("registry"), registry.Access{Insecure: insecure}, registry.Credential{})
		_, err := client.Repository(named(t, s.host("registry")+"/team/app")).Manifest(t.Context(), testDigest, 1000)
		if insecure && err != nil {
			t.Error(err)
		}
		if !insecure {
			wantError(t, err, registry.TLSError, "does not answer by TLS")
		}
	}
}

// TestProxy checks that requests go through a proxy, which may have any address, and that an
// address in a URL is checked although the proxy would make the connection.
func TestProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	n := network()
	n.AllowedAddresses = nil
	n.Proxy = func(*http.Request) (*url.URL, error) { return address, nil }
	get := func(host string) error {
		_, err := n.NewClient(host, registry.Access{}, registry.Credential{}).Repository(named(t, host+"/team/app")).Head(t.Context(), "v1")
		return err
	}
	wantError(t, get("169.254.169.254"), registry.HostNotAllowed, "metadata service")
	wantError(t, get("registry.example.com"), registry.Unavailable, "cannot be reached")
	if len(asked) != 1 || asked[0] != "CONNECT registry.example.com:443" {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

// TestInvalidDigest checks that nothing is asked for by what is no digest.
func TestInvalidDigest(t *testing.T) {
	s := serve(t, text(ociManifest, content))
	_, err := s.repository(network(), registry.Credential{}).Manifest(t.Context(), digest.Digest("sha256:../../secret"), 1000)
	wantError(t, err, registry.Malformed, "a digest that is none")
	if len(s.seen()) != 0 {
		t.Errorf("requests: %q", s.seen())
	}
}

// TestAPIServersThatMove checks that a connection is refused for the addresses that the API servers
// have when it is made, in whatever form they come, and for no others.
func TestAPIServersThatMove(t *testing.T) {
	s := serve(t, text(ociManifest, content))
	port, err := strconv.ParseUint(s.port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	at := func(addr string, port uint16) []netip.AddrPort {
		return []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6443"), netip.AddrPortFrom(netip.MustParseAddr(addr), port)}
	}
	var denied atomic.Pointer[[]netip.AddrPort]
	n := network()
	n.DeniedAddresses = func(context.Context) []netip.AddrPort { return *denied.Load() }
	head := func(host string) error {
		// A client of its own, whose connection is new.
		access := registry.Access{CertificateAuthorities: s.trusted(), RequestsPerSecond: 1000}
		_, err := n.NewClient(host, access, registry.Credential{}).Repository(named(t, host+"/team/app")).Head(t.Context(), testDigest.String())
		return err
	}
	byName, byAddress := s.host("registry"), "127.0.0.1:"+s.port
	for _, step := range []struct {
		denied []netip.AddrPort
		ok     bool
	}{
		{nil, true},
		{at("127.0.0.1", uint16(port)), false},
		{at("127.0.0.1", uint16(port)+1), true},
		{at("::ffff:127.0.0.1", uint16(port)), false},
		{at("127.0.0.2", uint16(port)), true},
	} {
		denied.Store(&step.denied)
		for _, host := range []string{byName, byAddress} {
			switch err := head(host); {
			case !step.ok:
				wantError(t, err, registry.HostNotAllowed, "has the address of the API server")
			case err != nil:
				t.Errorf("%s, denied %v: %v", host, step.denied, err)
			}
		}
	}
}
