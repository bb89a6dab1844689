// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cosign

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// bundleType is the media type of the layer in which cosign 3 puts a bundle. The registry lists referrers by the type
// of their configuration, which is empty.
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// image is an image in a registry on the loopback interface.
type image struct {
	folder string
	tag    name.Tag
	digest name.Digest
}

// newImage starts a registry and pushes an image. The folder has its manifest and a new key.
func newImage(t *testing.T) *image {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/shop/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	content, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, content); err != nil {
		t.Fatal(err)
	}
	hash, err := content.Digest()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := content.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	i := &image{folder: t.TempDir(), tag: tag, digest: tag.Digest(hash.String())}
	bin := filepath.Join(i.folder, "bin")
	if err := errors.Join(os.Mkdir(bin, 0o755), os.WriteFile(i.path("manifest.json"), manifest, 0o644)); err != nil {
		t.Fatal(err)
	}
	install(t, bin)
	t.Setenv("COSIGN_PASSWORD", "")
	// Nothing of this machine counts, and nothing is fetched from elsewhere.
	t.Setenv("HOME", i.folder)
	t.Setenv("DOCKER_CONFIG", i.folder)
	return i
}

func (i *image) path(file string) string { return filepath.Join(i.folder, file) }

// run runs a program in the folder and returns what it prints, and its exit code.
func (i *image) run(t *testing.T, program string, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(i.folder, "bin", program), args...)
	cmd.Dir = i.folder
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (i *image) must(t *testing.T, program string, args ...string) {
	t.Helper()
	if output, code := i.run(t, program, args...); code != 0 {
		t.Fatalf("%s %q ends with %d:\n%s", program, args, code, output)
	}
}

// bundle writes the one bundle that refers to the image to a file.
func (i *image) bundle(t *testing.T) string {
	t.Helper()
	index, err := remote.Referrers(i.digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var contents [][]byte
	for _, descriptor := range manifest.Manifests {
		artifact, err := remote.Image(i.digest.Digest(descriptor.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		layers, err := artifact.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%d layers: %v", len(layers), err)
		}
		mediaType, err := layers[0].MediaType()
		if err != nil || mediaType != bundleType {
			t.Fatalf("a layer of type %s: %v", mediaType, err)
		}
		content, err := readLayer(layers[0])
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, content)
	}
	if len(contents) != 1 {
		t.Fatalf("%d bundles refer to the image: %+v", len(contents), manifest.Manifests)
	}
	if err := os.WriteFile(i.path("referrer.json"), contents[0], 0o644); err != nil {
		t.Fatal(err)
	}
	return "referrer.json"
}

func readLayer(layer v1.Layer) (content []byte, err error) {
	reader, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	return io.ReadAll(reader)
}

// blob brings the attachment of the image to a file, by way of an Image.
func (i *image) blob(t *testing.T) string {
	t.Helper()
	i.must(t, "skopeo", "copy", "docker://"+i.digest.Context().Tag(strings.Replace(i.digest.DigestStr(), ":", "-", 1)+".sig").String(), "dir:attachment")
	output, code := i.run(t, "assay", "image", "create", i.digest.String(), "--cosign-attachment", "attachment", "-o", "json")
	if code != 0 {
		t.Fatalf("assay image create ends with %d:\n%s", code, output)
	}
	if err := os.WriteFile(i.path("blob.sigstore"), contentOf(t, output), 0o644); err != nil {
		t.Fatal(err)
	}
	return "blob.sigstore"
}

// contentOf returns the content of the one signature of an Image.
func contentOf(t *testing.T, document string) []byte {
	t.Helper()
	var image struct {
		Signatures []struct {
			Content []byte `json:"content"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal([]byte(document), &image); err != nil || len(image.Signatures) != 1 {
		t.Fatalf("%d signatures: %v", len(image.Signatures), err)
	}
	return image.Signatures[0].Content
}

// verify is the command that accepts the signature in a file, with further flags.
func (i *image) verify(file string, more ...string) []string {
	return append([]string{"verify", "--type", "sigstore", "--signature", file, "--trusted-key", "cosign.pub", "--manifest", "manifest.json",
		"--image", i.tag.String(), "--match-policy", "MatchRepository"}, more...)
}

// signers are the ways in which cosign signs by a key without a log.
var signers = map[string]struct {
	program string
	flags   []string
	// bundle says that the signature is in a bundle, which states no name.
	bundle bool
}{
	"cosign 3, bundle":     {"cosign3", []string{"--use-signing-config=false"}, true},
	"cosign 3, attachment": {"cosign3", []string{"--use-signing-config=false", "--new-bundle-format=false"}, false},
	"cosign 2, attachment": {"cosign2", nil, false},
	"cosign 2, bundle":     {"cosign2", []string{"--new-bundle-format"}, true},
}

// TestSignatures accepts what cosign has written to a registry, and nothing else by the same key.
func TestSignatures(t *testing.T) {
	for name, signer := range signers {
		t.Run(name, func(t *testing.T) {
			i := newImage(t)
			i.must(t, signer.program, "generate-key-pair")
			sign := append([]string{"sign", "--yes", "--key", "cosign.key", "--tlog-upload=false"}, signer.flags...)
			i.must(t, signer.program, append(sign, i.digest.String())...)
			var file string
			var flags []string
			if signer.bundle {
				file, flags = i.bundle(t), []string{"--unnamed-signatures", "Accept"}
			} else {
				file = i.blob(t)
			}
			i.must(t, "assay", i.verify(file, flags...)...)
			i.refuses(t, file, flags, signer.bundle)
		})
	}
}

// refuses expects refusals of the same signature under other conditions.
func (i *image) refuses(t *testing.T, file string, flags []string, unnamed bool) {
	t.Helper()
	other := newImage(t)
	other.must(t, "cosign3", "generate-key-pair")
	log := filepath.Join(other.folder, "cosign.pub")
	type test struct {
		flags []string
		want  string
	}
	tests := map[string]test{
		"another digest": {append(flags, "--manifest", other.path("manifest.json")), "DigestMismatch"},
		"a log":          {append(flags, "--rekor-key", log), "NoLogEntry"},
	}
	if unnamed {
		tests["no name"] = test{nil, "IdentityMismatch"}
	} else {
		tests["the tag"] = test{append(flags, "--match-policy", "MatchExact"), "IdentityMismatch"}
		tests["another repository"] = test{append(flags, "--image", i.tag.Context().String()+"2:v1"), "IdentityMismatch"}
	}
	for name, tt := range tests {
		output, code := i.run(t, "assay", i.verify(file, tt.flags...)...)
		if code != 1 || !strings.Contains(output, tt.want) {
			t.Errorf("%s: exit code %d, want %s:\n%s", name, code, tt.want, output)
		}
	}
	key, err := os.ReadFile(log)
	if err == nil {
		err = os.WriteFile(i.path("other.pub"), key, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	args := i.verify(file, flags...)
	args[slices.Index(args, "cosign.pub")] = "other.pub"
	if output, code := i.run(t, "assay", args...); code != 1 || !strings.Contains(output, "UntrustedKey") {
		t.Errorf("another key: exit code %d:\n%s", code, output)
	}
}
