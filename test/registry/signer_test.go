// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// signer signs images: skopeo with a key of gpg, or the generator of the tests where one of them is
// missing.
type signer struct {
	// public is the key file.
	public []byte
	// home is gpg's; empty without gpg and skopeo.
	home        string
	fingerprint string
	generator   *pgp.Key
}

// newSigner makes a key. The output of the tests says so loudly when it is not gpg's.
func newSigner(ctx context.Context) (*signer, error) {
	for _, program := range []string{"gpg", "skopeo"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Println("NOT SIGNED BY SKOPEO AND GPG BUT BY THE TESTS THEMSELVES: there is no " + program + " here")
			key := fixture.Key("release")
			return &signer{generator: key, public: fixture.PublicKey(key)}, nil
		}
	}
	// The path of the agent's socket must be short.
	home, err := os.MkdirTemp("", "gpg")
	if err != nil {
		return nil, err
	}
	s := &signer{home: home}
	if _, err = s.run(ctx, "gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Release <release@example.com>", "ed25519", "sign", "never"); err != nil {
		return nil, err
	}
	if s.public, err = s.run(ctx, "gpg", "--armor", "--export"); err != nil {
		return nil, err
	}
	listing, err := s.run(ctx, "gpg", "--list-keys", "--with-colons")
	if err != nil {
		return nil, err
	}
	// GnuPG's doc/DETAILS: the tenth field of the record fpr is the fingerprint.
	for line := range strings.Lines(string(listing)) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			s.fingerprint = fields[9]
			return s, nil
		}
	}
	return nil, errors.New("gpg lists no key")
}

// run runs a program with the home of gpg, and returns its standard output.
func (s *signer) run(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+s.home)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// close ends the agent of gpg.
func (s *signer) close() error {
	if s.home == "" {
		return nil
	}
	_, err := s.run(context.Background(), "gpgconf", "--kill", "all")
	return errors.Join(err, os.RemoveAll(s.home))
}

// sign signs the manifests of an image under a tag. skopeo may write the index anew, with another
// digest: current returns it. The signatures go to the site's lookaside store,
// and without one to the extension of its registry.
func (s *signer) sign(site *site, repository string, digests ...digest.Digest) {
	site.Helper()
	if s.home == "" {
		for _, d := range digests {
			site.store(repository, d, fixture.Signature(site.host+"/"+repository, d, s.generator).Content)
		}
		return
	}
	registriesD := site.TempDir()
	if site.directory != "" {
		site.write(filepath.Join(registriesD, "site.yaml"), fmt.Appendf(nil, "docker:\n  %q:\n    lookaside-staging: \"file://%s\"\n", site.host, site.directory))
	}
	authFile := filepath.Join(site.TempDir(), "auth.json")
	site.write(authFile, site.dockerConfig())
	name := "docker://" + site.host + "/" + repository + ":v1"
	if _, err := s.run(site.Context(), "skopeo", "--insecure-policy", "--registries.d", registriesD, "copy", "--all",
		"--sign-by", s.fingerprint, "--src-tls-verify=false", "--dest-tls-verify=false", "--authfile", authFile, name, name); err != nil {
		site.Fatal(err)
	}
}

// store puts a signature into the lookaside store, or into the extension.
func (s *site) store(repository string, d digest.Digest, content []byte) {
	s.Helper()
	if s.directory != "" {
		folder := filepath.Join(s.directory, fmt.Sprintf("%s@%s=%s", repository, d.Algorithm(), d.Encoded()))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			s.Fatal(err)
		}
		s.write(filepath.Join(folder, "signature-1"), content)
		return
	}
	body, err := json.Marshal(extensionSignature{SchemaVersion: 2, Name: fmt.Sprintf("%s@%x", d, "1"), Type: "atomic", Content: content})
	if err != nil {
		s.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPut, "http://"+s.host+"/extensions/v2/"+repository+"/signatures/"+d.String(), bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusCreated {
		s.Fatalf("the extension answers with status %d, %v", response.StatusCode, err)
	}
}

func (s *site) write(name string, content []byte) {
	s.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		s.Fatal(err)
	}
}
