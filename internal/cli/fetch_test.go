// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/cli"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// testRegistry is a registry with the image of the tests under team/app:v1, its signature in the
// extension and in a lookaside store at /store, and team/private for which it wants a password. At
// team/bare, the image has no signature.
type testRegistry struct {
	*httptest.Server
	host      string
	signature []byte
	requests  atomic.Int32
}

const registryPassword = "canary-3vQ"

func newTestRegistry(t *testing.T) *testRegistry {
	t.Helper()
	// Credentials of whoever runs the tests are not used.
	for _, name := range []string{"REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"} {
		t.Setenv(name, "")
	}
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	r := &testRegistry{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	r.host = strings.TrimPrefix(r.URL, "http://")
	r.signature = sign(alice, payload(appDigest, r.host+"/team/app:v1"))
	return r
}

// ServeHTTP implements http.Handler.
func (r *testRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.requests.Add(1)
	w.Header().Set("X-Registry-Supports-Signatures", "1")
	_, password, _ := req.BasicAuth()
	manifest := func() {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", appDigest)
		_, _ = w.Write([]byte(appManifest))
	}
	switch path := req.URL.Path; {
	case strings.Contains(path, "/team/private/") && password != registryPassword:
		w.Header().Set("Www-Authenticate", `Basic realm="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
	case path == "/store/team/app@"+strings.Replace(appDigest, ":", "=", 1)+"/signature-1":
		_, _ = w.Write(r.signature)
	case strings.HasPrefix(path, "/v2/") && (strings.HasSuffix(path, "/manifests/v1") || strings.HasSuffix(path, "/manifests/"+appDigest)):
		manifest()
	case strings.HasPrefix(path, "/extensions/v2/team/bare/"):
		_, _ = w.Write([]byte(`{"signatures":[]}`))
	case strings.HasPrefix(path, "/extensions/v2/") && strings.HasSuffix(path, "/signatures/"+appDigest):
		_, _ = fmt.Fprintf(w, `{"signatures":[{"schemaVersion":2,"name":"a","type":"atomic","content":%q}]}`, base64.StdEncoding.EncodeToString(r.signature))
	default:
		http.NotFound(w, req)
	}
}

// login writes a file with the password.
func (r *testRegistry) login(t *testing.T, name, password string) {
	t.Helper()
	content := fmt.Sprintf(`{"auths":{%q:{"username":"puller","password":%q}}}`, r.host+"/team/private", password)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyFetches verifies what a registry and a store have.
func TestVerifyFetches(t *testing.T) {
	r := newTestRegistry(t)
	dir, _ := files(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	image, key := r.host+"/team/app:v1", in("alice.asc")
	byDigest := r.host + "/team/app@" + appDigest
	store := writeStore(t, "team/app@"+strings.Replace(appDigest, ":", "=", 1), []byte("<html>"), sign(bob, payload(appDigest, image)), r.signature)
	for name, c := range map[string]struct {
		args   []string
		exit   int
		stdout string
		stderr string
	}{
		"a tag":               {[]string{image, "--trusted-key", key}, 0, "verified (Verified)", ""},
		"a digest":            {[]string{byDigest, "--trusted-key", key}, 0, "verified (Verified)", ""},
		"a manifest":          {[]string{image, "--trusted-key", key, "--manifest", in("manifest.json")}, 0, "verified (Verified)", ""},
		"another manifest":    {[]string{byDigest, "--trusted-key", key, "--manifest", in("other.json")}, 1, "refused (InvalidImage): --manifest and --image state different digests", ""},
		"a store":             {[]string{image, "--trusted-key", key, "--lookaside", r.URL + "/store"}, 0, "verified (Verified)", ""},
		"a directory":         {[]string{image, "--trusted-key", key, "--lookaside", store}, 0, "verified (Verified)", "has a file signature-1 that is a web page; it is left out"},
		"the flag":            {[]string{"--image", image, "--from-registry", "--trusted-key", key}, 0, "verified (Verified)", ""},
		"a bad file and more": {[]string{image, "--from-registry", "--signature", in("altered.sig"), "--trusted-key", key}, 0, "verified (Verified)", ""},
		"another key":         {[]string{image, "--trusted-key", in("bob.asc")}, 1, "refused (UntrustedKey)", ""},
		"no signature":        {[]string{r.host + "/team/bare:v1", "--trusted-key", key}, 1, "refused (NoSignatures)", ""},
		"no image":            {[]string{r.host + "/team/app:v2", "--trusted-key", key}, 2, "", "/team/app:v2: the registry has no such image: "},
		"no credential":       {[]string{r.host + "/team/private:v1", "--trusted-key", key}, 2, "", "requires a credential, and none is configured"},
		"no store":            {[]string{image, "--trusted-key", key, "--lookaside", filepath.Join(dir, "gone")}, 2, "", "--lookaside: "},
		"two images":          {[]string{image, image, "--trusted-key", key}, 2, "", "one image is verified"},
		"an image twice":      {[]string{image, "--image", image, "--trusted-key", key}, 2, "", "as an argument or by --image"},
		"with a log": {[]string{image, "--trusted-key", key, "--rekor-key", write(t, "rekor.pub", st.PublicPEM(t, st.NewEd25519(t)))}, 2,
			"", "--trusted-key"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run("", append([]string{"verify", "--insecure"}, c.args...)...)
			if got.exit != c.exit || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) || (c.stderr == "") != (got.stderr == "") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// write writes a file into a directory of its own.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestImageCreateFetches checks the Images that are made from a registry and a store.
func TestImageCreateFetches(t *testing.T) {
	r := newTestRegistry(t)
	image := r.host + "/team/app:v1"
	byDigest := r.host + "/team/app@" + appDigest
	bare := func(i *imagev1.Image) *imagev1.Image {
		i.DockerImageManifest, i.DockerImageManifestMediaType = "", ""
		return withReference(i, byDigest)
	}
	for name, c := range map[string]struct {
		args []string
		want *imagev1.Image
	}{
		"a tag":       {[]string{image}, withReference(appImage(r.signature), image)},
		"a digest":    {[]string{byDigest}, bare(appImage(r.signature))},
		"a store":     {[]string{byDigest, "--lookaside", r.URL + "/store"}, bare(appImage(r.signature))},
		"both":        {[]string{byDigest, "--lookaside", r.URL + "/store", "--from-registry"}, bare(appImage(r.signature))},
		"a store's":   {[]string{image, "--lookaside", r.URL + "/store"}, withReference(appImage(r.signature), image)},
		"from a file": {[]string{image, "--from-registry", "--signature", write(t, "bob.sig", sign(bob, payload(appDigest, image)))}, withReference(appImage(sign(bob, payload(appDigest, image)), r.signature), image)},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := createImage(t, nil, append([]string{"--insecure"}, c.args...)...)
			got := &imagev1.Image{}
			if err := yaml.UnmarshalStrict([]byte(stdout), got); err != nil || code != cli.ExitOK || stderr != "" {
				t.Fatalf("exit status %d: %v, %s", code, err, stderr)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	before := r.requests.Load()
	if code, _, stderr := createImage(t, r.signature, "--insecure", byDigest, "--signature", "-"); code != cli.ExitOK || r.requests.Load() != before {
		t.Errorf("files alone: exit status %d, %d requests, %s", code, r.requests.Load()-before, stderr)
	}
	if code, stdout, stderr := createImage(t, nil, byDigest); code != cli.ExitError || stdout != "" || !strings.Contains(stderr, "does not answer by TLS as it should; --insecure is") {
		t.Errorf("without --insecure: exit status %d, %q, %q", code, stdout, stderr)
	}
}

// TestCredentials finds the credential where podman and docker put it, and prints it nowhere.
func TestCredentials(t *testing.T) {
	r := newTestRegistry(t)
	image := r.host + "/team/private:v1"
	r.signature = sign(alice, payload(appDigest, image))
	dir, _ := files(t)
	for name, c := range map[string]struct {
		setUp func(t *testing.T, dir string)
		want  string // Empty for success.
	}{
		"REGISTRY_AUTH_FILE": {func(t *testing.T, dir string) {
			r.login(t, filepath.Join(dir, "auth"), registryPassword)
			t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(dir, "auth"))
		}, ""},
		"podman login": {func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "containers"), 0o700); err != nil {
				t.Fatal(err)
			}
			r.login(t, filepath.Join(dir, "containers", "auth.json"), registryPassword)
			t.Setenv("XDG_RUNTIME_DIR", dir)
		}, ""},
		"docker login": {func(t *testing.T, dir string) {
			r.login(t, filepath.Join(dir, "config.json"), registryPassword)
			t.Setenv("DOCKER_CONFIG", dir)
		}, ""},
		"a wrong one": {func(t *testing.T, dir string) {
			r.login(t, filepath.Join(dir, "config.json"), registryPassword+"0")
			t.Setenv("DOCKER_CONFIG", dir)
		}, "refuses the credential that is configured"},
		"no file": {func(t *testing.T, dir string) {
			t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(dir, "gone"))
		}, "REGISTRY_AUTH_FILE: open "},
		"no JSON": {func(t *testing.T, dir string) {
			t.Setenv("REGISTRY_AUTH_FILE", write(t, "auth", []byte(registryPassword)))
		}, "it is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			c.setUp(t, t.TempDir())
			got := run("", "verify", "--insecure", image, "--trusted-key", filepath.Join(dir, "alice.asc"))
			if c.want == "" && got.exit != cli.ExitOK || c.want != "" && (got.exit != cli.ExitError || !strings.Contains(got.stderr, c.want)) {
				t.Errorf("%+v", got)
			}
			if strings.Contains(got.stdout+got.stderr, registryPassword) {
				t.Error("the password is printed")
			}
		})
	}
}
