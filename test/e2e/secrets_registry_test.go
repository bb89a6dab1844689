// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/assay-project/assay/internal/testenv/fixture"
)

// leakyHost is how images name the registry. It is reached through the proxy alone.
const leakyHost = "leaky.example.com"

// leakyRegistry is a registry that sends back the credentials that it gets, in headers and bodies.
type leakyRegistry struct {
	*httptest.Server
	s *scenario

	mu sync.Mutex
	// credentials are all that were sent, and paths those that were asked for.
	credentials strings.Builder
	paths       map[string]bool
}

func startLeakyRegistry(s *scenario) *leakyRegistry {
	s.Helper()
	r := &leakyRegistry{s: s, paths: map[string]bool{}}
	r.Server = httptest.NewUnstartedServer(r)
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	s.Cleanup(r.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *leakyRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	credential := r.record(req)
	switch path := req.URL.Path; {
	case path == "/v2/":
		w.Header().Set("X-Registry-Supports-Signatures", "1")
	case path == "/token":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":%q}]}`, credential)
	case strings.HasPrefix(path, "/v2/basic/manifests/sha256:") && strings.Contains(credential, "canary7Zq-password"):
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	case strings.HasPrefix(path, "/extensions/v2/basic/") && strings.Contains(credential, "canary7Zq-password"):
		content := fixture.Signature(leakyHost+"/basic", r.s.digest("basic"), release).Content
		_, _ = fmt.Fprintf(w, `{"signatures":[{"schemaVersion":2,"type":"atomic","content":%q}]}`, base64.StdEncoding.EncodeToString(content))
	case strings.Contains(credential, "canary7Zq-password"):
		http.NotFound(w, req)
	default:
		challenge := fmt.Sprintf("Basic realm=%q", credential)
		if strings.HasPrefix(path, "/v2/identity/") || strings.HasPrefix(path, "/v2/bearer/") {
			challenge = fmt.Sprintf(`Bearer realm="https://%s/token",service=%q`, leakyHost, credential)
		}
		w.Header().Set("Www-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"errors":[{"code":"UNAUTHORIZED","message":%q}]}`, credential)
	}
}

// record records a request, and returns the credential in it.
func (r *leakyRegistry) record(req *http.Request) string {
	credential := req.Header.Get("Authorization")
	if user, password, ok := req.BasicAuth(); ok {
		credential = user + " " + password
	}
	if body, err := io.ReadAll(io.LimitReader(req.Body, 1<<16)); err == nil {
		credential += string(body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.credentials.WriteString(credential + "\n")
	r.paths[req.URL.Path] = true
	return credential
}

// got checks that the registry was sent credentials.
func (r *leakyRegistry) got(want ...string) {
	r.s.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range want {
		if !strings.Contains(r.credentials.String(), text) {
			r.s.Errorf("the registry never got %s", text)
		}
	}
}

func (r *leakyRegistry) asked(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paths[path]
}

// echoProxy is an HTTP proxy that wants a password, and connects to the registry. For other hosts it
// answers with the credential that it got.
type echoProxy struct {
	*httptest.Server
	s *canaryScenario

	mu         sync.Mutex
	credential string
}

func startEchoProxy(s *canaryScenario) *echoProxy {
	s.Helper()
	p := &echoProxy{s: s}
	p.Server = httptest.NewServer(http.HandlerFunc(p.connect))
	s.Cleanup(p.Close)
	return p
}

// url is that of the proxy, with a password.
func (p *echoProxy) url(password string) string {
	return "http://proxy:" + password + "@" + p.Listener.Addr().String()
}

// got checks that the proxy was sent the password.
func (p *echoProxy) got() {
	p.s.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.credential != "Basic "+base64.StdEncoding.EncodeToString([]byte("proxy:canary7Zq-proxy")) {
		p.s.Errorf("the proxy got %q", p.credential)
	}
}

func (p *echoProxy) connect(w http.ResponseWriter, req *http.Request) {
	p.mu.Lock()
	p.credential = req.Header.Get("Proxy-Authorization")
	credential := p.credential
	p.mu.Unlock()
	if req.Method != http.MethodConnect || req.Host != leakyHost+":443" || credential == "" {
		w.Header().Set("Proxy-Authenticate", "Basic realm="+credential)
		w.WriteHeader(http.StatusProxyAuthRequired)
		_, _ = io.WriteString(w, credential)
		return
	}
	server, err := net.Dial("tcp", p.s.registry.Listener.Addr().String())
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close()
		return
	}
	closeBoth := func() { _, _ = conn.Close(), server.Close() }
	var both sync.WaitGroup
	both.Go(func() {
		defer closeBoth()
		_, _ = io.Copy(server, buffered)
	})
	both.Go(func() {
		defer closeBoth()
		if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err == nil {
			_, _ = io.Copy(conn, server)
		}
	})
	both.Wait()
}
