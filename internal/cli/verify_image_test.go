// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// imageText is an Image as kubectl and assay image create print it.
func imageText(t *testing.T, image *imagev1.Image) string {
	t.Helper()
	data, err := yaml.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	return "---\n" + string(data)
}

// TestVerifyImageFile verifies Images in files, with what the operator would say.
func TestVerifyImageFile(t *testing.T) {
	dir, _ := files(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	good, bad := sign(alice, payload(appDigest, appReference)), sign(bob, payload(appDigest, appReference))
	evaluated := appImage(good)
	evaluated.ResourceVersion, evaluated.Status.Reason = "7", "KeyRevoked"
	evaluated.Signatures[0].Conditions = []imagev1.SignatureCondition{{Type: imagev1.SignatureComplete, Status: "False", Reason: "KeyRevoked"}}
	constrained := appImage(good)
	constrained.Signatures[0].IssuedTo = &imagev1.SignatureSubject{PublicKeyID: keyID(bob)}
	unnamed := appImage(good)
	unnamed.DockerImageReference, unnamed.DockerImageManifest, unnamed.DockerImageManifestMediaType = "registry.example.com/team/app:v1", "", ""
	tests := map[string]struct {
		image  *imagev1.Image
		args   []string
		exit   int
		reason string
	}{
		"verified":                     {appImage(good), nil, 0, "Verified"},
		"one of two":                   {appImage(bad, good), nil, 0, "Verified"},
		"a stored verdict is no input": {evaluated, nil, 0, "Verified"},
		"the digest in the name":       {unnamed, nil, 0, "Verified"},
		"a key that it asks for":       {constrained, nil, 1, "PublicKeyIDMismatch"},
		"another key":                  {appImage(bad), nil, 1, "UntrustedKey"},
		"a key of the options":         {appImage(good), []string{"--public-key-id", keyID(bob)}, 1, "PublicKeyIDMismatch"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"verify", "--image-file", "-", "--trusted-key", in("alice.asc"), "-o", "json"}, tt.args...)
			got := run(imageText(t, tt.image), args...)
			if d := got.decision(t); got.exit != tt.exit || d.Reason != tt.reason || got.stderr != "" {
				t.Errorf("exit status %d, %s, %q, want %d, %s", got.exit, d.Reason, got.stderr, tt.exit, tt.reason)
			}
		})
	}
}

// TestVerifyImageFileFetches: the registry is asked for an Image that has no signatures.
func TestVerifyImageFileFetches(t *testing.T) {
	dir, _ := files(t)
	r := newTestRegistry(t)
	image := appImage()
	image.DockerImageReference = r.host + "/team/app:v1"
	file := filepath.Join(dir, "image.yaml")
	if err := os.WriteFile(file, []byte(imageText(t, image)), 0o600); err != nil {
		t.Fatal(err)
	}
	got := run("", "verify", "--image-file", file, "--insecure", "--trusted-key", filepath.Join(dir, "alice.asc"), "-o", "json")
	if d := got.decision(t); got.exit != 0 || d.Reason != "Verified" {
		t.Errorf("exit status %d, %s: %s %s", got.exit, d.Reason, d.Message, got.stderr)
	}
}

func TestVerifyImageFileUsage(t *testing.T) {
	dir, _ := files(t)
	good := sign(alice, payload(appDigest, appReference))
	text := imageText(t, appImage(good))
	nameless := appImage(good)
	nameless.DockerImageReference = ""
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"an image as well":    {text, []string{"--image", appReference}, "give --image-file or an argument or --image, not both"},
		"an argument as well": {text, []string{appReference}, "give --image-file or an argument or --image, not both"},
		"a manifest as well":  {text, []string{"--manifest", filepath.Join(dir, "manifest.json")}, "give --image-file or --manifest, not both"},
		"two Images":          {text + text, nil, "--image-file: it has several documents; one Image is verified"},
		"another kind":        {"apiVersion: v1\nkind: Pod\n", nil, `--image-file: it has the kind "Pod" of "v1"`},
		"a key":               {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n", nil, "--image-file: "},
		"nothing":             {"", nil, "--image-file: it is no Image"},
		"no reference":        {imageText(t, nameless), nil, "--image-file: the Image has no dockerImageReference"},
		"a YAML bomb":         {"a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n", nil, "--image-file: it is no Image"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(tt.stdin, append([]string{"verify", "--image-file", "-", "--trusted-key", filepath.Join(dir, "alice.asc")}, tt.args...)...)
			if got.exit != 2 || got.stdout != "" || !strings.Contains(got.stderr, tt.want) {
				t.Errorf("exit status %d, output %q, errors %q, want 2 and %q", got.exit, got.stdout, got.stderr, tt.want)
			}
		})
	}
}
