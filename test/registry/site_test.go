// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	// What the configurations of distribution name.
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/crypto/bcrypt"
)

const (
	user     = "puller"
	password = "correct horse"
)

// site is a registry, and where the signatures of its images are.
type site struct {
	*testing.T
	host string
	// private: the registry wants the user and the password.
	private bool
	// directory and lookaside are the store and its URL; empty without one.
	directory, lookaside string
}

// serve starts a registry on loopback.
func serve(t *testing.T, handler http.Handler) *site {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &site{T: t, host: strings.TrimPrefix(server.URL, "http://")}
}

// withLookaside adds a lookaside store on a web server of its own.
func (s *site) withLookaside() *site {
	s.Helper()
	s.directory = s.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(s.directory)))
	s.Cleanup(server.Close)
	s.lookaside = server.URL
	return s
}

// distribution returns the registry, which everybody may read.
func distribution(t *testing.T) http.Handler {
	t.Helper()
	return newDistribution(t, nil)
}

// privateDistribution starts the registry with one user by htpasswd.
func privateDistribution(t *testing.T) *site {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(t.TempDir(), "htpasswd")
	(&site{T: t}).write(users, fmt.Appendf(nil, "%s:%s\n", user, hash))
	s := serve(t, newDistribution(t, configuration.Auth{"htpasswd": {"realm": "registry", "path": users}}))
	s.private = true
	return s
}

func newDistribution(t *testing.T, auth configuration.Auth) http.Handler {
	t.Helper()
	config := &configuration.Configuration{
		Version: configuration.CurrentVersion,
		Storage: configuration.Storage{
			"inmemory":    {},
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		},
		Auth: auth,
	}
	config.HTTP.Secret = "secret"
	config.Log.AccessLog.Disabled = true
	config.Catalog.MaxEntries = 100
	return handlers.NewApp(t.Context(), config)
}

// referrersRegistry starts go-containerregistry's registry, with OCI referrers.
func referrersRegistry(t *testing.T) *site {
	t.Helper()
	return serve(t, ggcr.New(ggcr.WithReferrersSupport(true), ggcr.Logger(log.New(io.Discard, "", 0))))
}

// dockerConfig is the file with the credential for the registry.
func (s *site) dockerConfig() []byte {
	if !s.private {
		return []byte(`{"auths":{}}`)
	}
	return fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, s.host, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// extensionSignature is a signature in the extension's form.
type extensionSignature struct {
	SchemaVersion int    `json:"schemaVersion"`
	Name          string `json:"name"`
	Type          string `json:"type"`
	Content       []byte `json:"content"`
}

// extension adds the signature extension of OpenShift's registry to another one.
type extension struct {
	http.Handler

	mu sync.Mutex
	// signatures by the path of an image.
	signatures map[string][]extensionSignature
}

// ServeHTTP implements http.Handler.
func (e *extension) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Registry-Supports-Signatures", "1")
	if !strings.HasPrefix(r.URL.Path, "/extensions/v2/") {
		e.Handler.ServeHTTP(w, r)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string][]extensionSignature{"signatures": e.signatures[r.URL.Path]})
	case http.MethodPut:
		var s extensionSignature
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e.signatures[r.URL.Path] = append(e.signatures[r.URL.Path], s)
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}
