// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/sigstore"
	"github.com/assay-project/assay/internal/testenv/corpus"
)

// What the cases of sigstore-conformance are checked against where they do not say so.
const (
	conformanceIdentity = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/" +
		".github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
	conformanceIssuer = "https://token.actions.githubusercontent.com"
)

// TestConformance runs every case of sigstore-conformance twice, with a file and with its digest.
func TestConformance(t *testing.T) {
	root, folders := corpus.Conformance(t)
	now := time.Now()
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			args := conformanceArgs(t, root, dir)
			artifact := either(filepath.Join(dir, "artifact"), filepath.Join(root, "bundle-verify", "a.txt"))
			content, err := os.ReadFile(artifact)
			if err != nil {
				t.Fatal(err)
			}
			for _, what := range []string{artifact, fmt.Sprintf("sha256:%x", sha256.Sum256(content))} {
				err := run(append(args[:len(args):len(args)], what), now)
				if want := !strings.HasSuffix(dir, "_fail"); (err == nil) != want {
					t.Errorf("%s: %v, want verified: %t", filepath.Base(what), err, want)
				}
			}
		})
	}
}

// conformanceArgs returns the arguments for a case, but what it is for.
func conformanceArgs(t *testing.T, root, dir string) []string {
	t.Helper()
	args := []string{"verify-bundle", "--bundle", filepath.Join(dir, "bundle.sigstore.json"),
		"--trusted-root", either(filepath.Join(dir, "trusted_root.json"), filepath.Join(root, "trusted_root_public_good.json"))}
	if key := filepath.Join(dir, "key.pub"); exists(key) {
		return append(args, "--key", key)
	}
	return append(args, "--certificate-identity", text(t, filepath.Join(dir, "identity"), conformanceIdentity),
		"--certificate-oidc-issuer", text(t, filepath.Join(dir, "issuer"), conformanceIssuer))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func either(path, otherwise string) string {
	if exists(path) {
		return path
	}
	return otherwise
}

func text(t *testing.T, path, otherwise string) string {
	t.Helper()
	if !exists(path) {
		return otherwise
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// TestRealBundles checks bundles that other projects have published. Of those that the roots of the
// corpus verify, only the one of an image signature is one.
func TestRealBundles(t *testing.T) {
	folder, ok := corpus.Directory(t)
	if !ok {
		return
	}
	document, err := os.ReadFile(filepath.Join(folder, "sigstore-conformance", "trusted_root_public_good.json"))
	if err != nil {
		t.Fatal(err)
	}
	roots, err := sigstore.ParseTrustedRoot(document)
	if err != nil {
		t.Fatal(err)
	}
	fulcio := func(issuer string, subject sigstore.Subject) []*sigstore.Authority {
		return []*sigstore.Authority{{Name: "fulcio", Fulcio: &sigstore.Fulcio{Roots: roots, Issuer: issuer, Subject: subject}}}
	}
	const github = "https://token.actions.githubusercontent.com"
	sigstoreJS := sigstore.Subject{URIPrefix: "https://github.com/sigstore/sigstore-js/"}
	kubewarden := sigstore.Subject{URIPrefix: "https://github.com/kubewarden/"}
	// The code for an image signature, and whether it is one for the rest of the checks: zero is verified.
	tests := map[string]struct {
		authorities            []*sigstore.Authority
		signature, attestation sigstore.Code
	}{
		"rs_bundle_v03.json":                         {fulcio(github, kubewarden), 0, 0},
		"bundle-provenance.json":                     {fulcio(github, sigstoreJS), sigstore.NotASignature, 0},
		"sigstore.js@2.0.0-provenance.sigstore.json": {fulcio(github, sigstoreJS), sigstore.NotASignature, 0},
		"cosign_oci_att.json":                        {fulcio("https://github.com/login/oauth", sigstore.Subject{Email: "cody@soyland.com"}), sigstore.NotASignature, 0},
		"dsse.sigstore.json":                         {fulcio("https://github.com/login/oauth", sigstore.Subject{Email: "brian@dehamer.com"}), sigstore.NotASignature, 0},
		"dsse-2sigs.sigstore.json":                   {fulcio(github, sigstoreJS), sigstore.Malformed, sigstore.Malformed},
		"othername.sigstore.json":                    {fulcio(github, sigstoreJS), sigstore.UntrustedLog, sigstore.UntrustedLog},
		"bundle-publish.json":                        {fulcio(github, sigstoreJS), sigstore.NoCertificate, sigstore.NoCertificate},
		"public-key-validity.sigstore.json":          {fulcio(github, sigstoreJS), sigstore.NoCertificate, sigstore.NoCertificate},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join(folder, "sigstore-bundles", name))
			if err != nil {
				t.Fatal(err)
			}
			in := sigstore.Input{Now: time.Now()}
			if _, code := verify(content, test.authorities, in, false); code != test.signature {
				t.Errorf("as a signature: %s, want %s", code, test.signature)
			}
			v, code := verify(content, test.authorities, in, true)
			if code != test.attestation {
				t.Errorf("as an attestation: %s, want %s", code, test.attestation)
			}
			if code == 0 {
				t.Logf("%s, %s: %v", v.IssuedTo.CommonName, v.SignedAt, v.Statements)
			}
		})
	}
}

// verify returns what a bundle says, or the code with which it is refused.
func verify(content []byte, authorities []*sigstore.Authority, in sigstore.Input, attestation bool) (*sigstore.Verified, sigstore.Code) {
	s, err := sigstore.Parse(content)
	if err != nil {
		return nil, sigstore.AsError(err).Code
	}
	authenticate := s.Authenticate
	if attestation {
		authenticate = s.AuthenticateAttestation
	}
	v, err := authenticate(authorities, in)
	if err != nil {
		return nil, sigstore.AsError(err).Code
	}
	return v, 0
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		nil, {"sign"}, {"verify-bundle", "--x"}, {"verify-bundle"}, {"verify-bundle", "--trusted-root", "/nowhere", "x"},
	} {
		if err := run(args, time.Now()); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
