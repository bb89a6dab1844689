// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/registry"
)

const ociManifest = "application/vnd.oci.image.manifest.v1+json"

func TestHead(t *testing.T) {
	tests := map[string]struct {
		ref    string
		digest string
		want   digest.Digest
	}{
		"a digest":             {testDigest.String(), testDigest.String(), testDigest},
		"a digest, not stated": {testDigest.String(), "", testDigest},
		"a tag":                {"v1", testDigest.String(), testDigest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, pages(map[string]http.HandlerFunc{"/v2/team/app/manifests/" + tt.ref: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Docker-Content-Digest", tt.digest)
				text(ociManifest+"; charset=utf-8", content)(w, r)
			}}))
			got, err := s.repository(network(), registry.Credential{}).Head(t.Context(), tt.ref)
			if err != nil || got.Digest != tt.want || got.MediaType != ociManifest {
				t.Errorf("Head: %+v, %v", got, err)
			}
			want := []string{"HEAD registry.example.com/v2/team/app/manifests/" + tt.ref}
			if diff := cmp.Diff(want, s.seen()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLyingHead(t *testing.T) {
	other := digest.FromString("other").String()
	for name, tt := range map[string]struct{ ref, digest, message string }{
		"another digest":    {testDigest.String(), other, "states another digest"},
		"a tag without one": {"v1", "", "does not state the digest"},
		"not a digest":      {"v1", "sha256:12", "does not state the digest"},
		"a weak digest":     {"v1", "md5:d41d8cd98f00b204e9800998ecf8427e", "does not state the digest"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, pages(map[string]http.HandlerFunc{"/v2/team/app/manifests/" + tt.ref: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Docker-Content-Digest", tt.digest)
				text(ociManifest, content)(w, r)
			}}))
			_, err := s.repository(network(), registry.Credential{}).Head(t.Context(), tt.ref)
			wantError(t, err, registry.Malformed, tt.message)
		})
	}
}

func TestManifest(t *testing.T) {
	s := serve(t, pages(map[string]http.HandlerFunc{manifestPath: text("text/html", content)}))
	got, err := s.repository(network(), registry.Credential{}).Manifest(t.Context(), testDigest, 1000)
	if err != nil || string(got) != content {
		t.Errorf("Manifest: %q, %v", got, err)
	}
	if got := s.sent("Accept-Encoding"); got[0] != "" && got[0] != "identity" {
		t.Errorf("compression is asked for: %q", got)
	}
}

// tokens is a registry with a token service: it gives read access to whom it knows.
type tokens struct {
	// realm of the challenge; empty is the registry's own host.
	realm string
	// known are user names with their passwords. The token is the name.
	known map[string]string
	// anonymous also gives tokens without a credential.
	anonymous bool
}

func (a *tokens) handler(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token" {
		user, password, ok := r.BasicAuth()
		switch {
		case ok && a.known[user] != "" && a.known[user] == password:
			_, _ = fmt.Fprintf(w, `{"token":"token-of-%s"}`, user)
		case !ok && a.anonymous:
			_, _ = fmt.Fprint(w, `{"token":"token-of-anybody"}`)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
		return
	}
	token := r.Header.Get("Authorization")
	if !strings.HasPrefix(token, "Bearer token-of-") {
		realm := a.realm
		if realm == "" {
			realm = "https://" + r.Host + "/token"
		}
		w.Header().Set("Www-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="registry",scope="repository:team/app:pull"`, realm))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	pages(map[string]http.HandlerFunc{manifestPath: text(ociManifest, content)})(w, r)
}

func TestCredentials(t *testing.T) {
	known := map[string]string{"puller": "secret"}
	right, wrong := registry.Credential{Username: "puller", Password: "secret"}, registry.Credential{Username: "puller", Password: "outdated"}
	basic := func(known bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if user, password, ok := r.BasicAuth(); !known || !ok || user != "puller" || password != "secret" {
				w.Header().Set("Www-Authenticate", `Basic realm="registry"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			text(ociManifest, content)(w, r)
		}
	}
	tests := map[string]struct {
		handler    http.HandlerFunc
		credential registry.Credential
		// message of the error, empty for none.
		message string
		refused bool
	}{
		"token, right":              {(&tokens{known: known}).handler, right, "", false},
		"token, missing":            {(&tokens{known: known}).handler, registry.Credential{}, "requires a credential, and none is configured", false},
		"token, wrong":              {(&tokens{known: known}).handler, wrong, "refuses the credential that is configured", true},
		"token, public":             {(&tokens{known: known, anonymous: true}).handler, registry.Credential{}, "", false},
		"token, public, with right": {(&tokens{known: known, anonymous: true}).handler, right, "", false},
		"token, public, with wrong": {(&tokens{known: known, anonymous: true}).handler, wrong, "", true},
		"basic, right":              {basic(true), right, "", false},
		"basic, missing":            {basic(true), registry.Credential{}, "requires a credential, and none is configured", false},
		"basic, wrong":              {basic(true), wrong, "refuses the credential that is configured", true},
		"no password":               {basic(true), registry.Credential{Username: "puller"}, "", false},
		"forbidden":                 {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, right, "it has no access", true},
		"forbidden, without":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, registry.Credential{}, "requires a credential", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tt.handler)
			client := s.client(network(), tt.credential)
			_, err := client.Repository(named(t, s.host("registry")+"/team/app")).Manifest(t.Context(), testDigest, 1000)
			switch {
			case name == "no password":
				if err == nil {
					t.Error("there is no error")
				}
				return
			case tt.message == "" && err != nil:
				t.Errorf("Manifest: %v", err)
			case tt.message != "":
				wantError(t, err, registry.Unauthorized, tt.message)
				if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "outdated") {
					t.Errorf("the error has the password: %v", err)
				}
			}
			if client.CredentialRefused() != tt.refused {
				t.Errorf("CredentialRefused: %t", client.CredentialRefused())
			}
		})
	}
}

// TestTokensDoNotMix checks that a token that one credential got is not used for another.
func TestTokensDoNotMix(t *testing.T) {
	s := serve(t, (&tokens{known: map[string]string{"a": "1", "b": "2"}}).handler)
	n := network()
	for _, credential := range []registry.Credential{{Username: "a", Password: "1"}, {Username: "b", Password: "2"}, {}} {
		_, _ = s.repository(n, credential).Manifest(t.Context(), testDigest, 1000)
	}
	var bearers []string
	for _, value := range s.sent("Authorization") {
		if strings.HasPrefix(value, "Bearer ") {
			bearers = append(bearers, value)
		}
	}
	if diff := cmp.Diff([]string{"Bearer token-of-a", "Bearer token-of-b"}, bearers); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

// TestTokensAreKept checks that a token is asked for once for a repository.
func TestTokensAreKept(t *testing.T) {
	s := serve(t, (&tokens{known: map[string]string{"a": "1"}}).handler)
	client := s.client(network(), registry.Credential{Username: "a", Password: "1"})
	for range 3 {
		if _, err := client.Repository(named(t, s.host("registry")+"/team/app")).Manifest(t.Context(), testDigest, 1000); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	for _, request := range s.seen() {
		if strings.Contains(request, "/token") {
			asked++
		}
	}
	if asked != 1 || len(s.seen()) != 5 {
		t.Errorf("%d requests for tokens, requests: %q", asked, s.seen())
	}
}

// TestCredentialsStayAtTheRegistry checks that no redirect takes a credential to another host, or
// to another port of the same.
func TestCredentialsStayAtTheRegistry(t *testing.T) {
	target := serve(t, text(ociManifest, content))
	for _, to := range []string{target.host("cdn"), target.host("registry")} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); !ok {
				w.Header().Set("Www-Authenticate", `Basic realm="registry"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			http.Redirect(w, r, "https://"+to+"/blob", http.StatusTemporaryRedirect)
		})
		if _, err := s.repository(network(), registry.Credential{Username: "a", Password: "1"}).Manifest(t.Context(), testDigest, 1000); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	for _, value := range target.sent("Authorization") {
		if value != "" {
			t.Errorf("the target of a redirect got %q", value)
		}
	}
	if len(target.seen()) != 2 {
		t.Errorf("requests to the target: %q", target.seen())
	}
}

// TestRedirectTargetAsksForCredential checks that a credential is not given to a host that a
// redirect leads to and that asks for one.
func TestRedirectTargetAsksForCredential(t *testing.T) {
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Www-Authenticate", `Bearer realm="https://`+r.Host+`/token",service="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+target.host("thief")+"/blob", http.StatusTemporaryRedirect)
	})
	_, err := s.repository(network(), registry.Credential{Username: "a", Password: "1"}).Manifest(t.Context(), testDigest, 1000)
	wantError(t, err, registry.Unauthorized, "refuses the credential")
	for i, value := range target.sent("Authorization") {
		if value != "" || strings.Contains(target.seen()[i], "/token") {
			t.Errorf("the target got %q with %q", target.seen()[i], value)
		}
	}
}

func TestAPIHost(t *testing.T) {
	for name, want := range map[string]string{
		"docker.io": "registry-1.docker.io", "registry.example.com": "registry.example.com", "localhost:5000": "localhost:5000",
	} {
		if got := registry.APIHost(name); got != want {
			t.Errorf("APIHost(%s) is %s, want %s", name, got, want)
		}
	}
}

func TestAddressesOf(t *testing.T) {
	for server, want := range map[string]string{
		"https://10.0.0.1": "[10.0.0.1:443]", "https://[fd00::1]:6443": "[[fd00::1]:6443]", "http://127.0.0.1": "[127.0.0.1:80]",
		"10.0.0.1:6443": "[10.0.0.1:6443]", "https://[::ffff:10.0.0.1]:1": "[10.0.0.1:1]",
		"https://10.0.0.1:99999": "[]", "ftp://10.0.0.1": "[]", "https://%zz": "[]", "https://no-such-host.invalid": "[]",
	} {
		if got := fmt.Sprint(registry.AddressesOf(t.Context(), server)); got != want {
			t.Errorf("AddressesOf(%s) is %s, want %s", server, got, want)
		}
	}
}
