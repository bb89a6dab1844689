// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// TestBuiltFromDockerfile builds the Dockerfile itself with buildah, with a shell and this
// machine's Go in place of the builder's base. What comes out has to be what is assembled:
// the same program to the byte, under the same configuration. That also shows that the
// Dockerfile copies all that the compiler needs.
//
// Where buildah does not work, TestAssembled is all there is, and that is said.
func TestBuiltFromDockerfile(t *testing.T) {
	b := newBuildah(t)
	o := order{root: source, version: version, revision: revision, binaries: t.TempDir()}

	first, digest := b.build(t, o)
	program := checkImage(t, first, o)
	if _, again := b.build(t, o); digest != again {
		t.Errorf("digest %s, and %s when the same source was built again", digest, again)
	}

	if _, err := assemble(t.Context(), o, hostPlatform); err != nil {
		t.Fatal(err)
	}
	if program != digestOf(t, filepath.Join(o.binaries, "assay-linux-"+hostPlatform.Architecture)) {
		t.Error("buildah and `make image` made different programs of one Dockerfile")
	}
}

// builderBase is the image that stands for the Dockerfile's BUILDER.
const builderBase = "localhost/assay-test-builder"

// buildah runs buildah on a store of its own.
type buildah struct {
	program string
	store   []string
}

// newBuildah returns a buildah that has the builder's base and was seen to run something
// on it. Without one the test is skipped, as no machine needs to have it.
func newBuildah(t *testing.T) *buildah {
	t.Helper()
	program, err := exec.LookPath("buildah")
	if err != nil {
		t.Skip("ONLY THE ASSEMBLED IMAGE IS TESTED: there is no buildah here")
	}
	if os.Geteuid() != 0 {
		t.Skip("ONLY THE ASSEMBLED IMAGE IS TESTED: buildah is run as root, and this is another user")
	}
	shell := staticShell()
	if shell == "" {
		t.Skip("ONLY THE ASSEMBLED IMAGE IS TESTED: there is no static busybox to be the builder's shell")
	}
	dir := t.TempDir()
	b := &buildah{program: program, store: []string{
		"--storage-driver", "vfs", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"),
	}}
	if err := b.makeBase(t, shell); err != nil {
		t.Skipf("ONLY THE ASSEMBLED IMAGE IS TESTED: buildah does not work here: %v", err)
	}
	t.Logf("%s builds the Dockerfile", b.must(t, "--version"))
	return b
}

// staticShell returns a busybox that needs no library, or nothing.
func staticShell() string {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return ""
	}
	file, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return ""
	}
	return path
}

// makeBase makes an image of a shell, and runs it once.
func (b *buildah) makeBase(t *testing.T, shell string) error {
	t.Helper()
	container, err := b.run(t, "from", "scratch")
	if err != nil {
		return err
	}
	steps := [][]string{
		{"copy", container, shell, "/bin/sh"},
		{"copy", container, t.TempDir(), "/tmp"},
		{
			"config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "GOTOOLCHAIN=local", "--env", "GOPROXY=off",
			"--env", "GOMODCACHE=/cache/modules", "--env", "GOCACHE=/cache/build", container,
		},
		{"run", "--isolation", "chroot", container, "--", "/bin/sh", "-c", "exit 0"},
		{"commit", "--quiet", "--rm", container, builderBase},
	}
	for _, step := range steps {
		if _, err := b.run(t, step...); err != nil {
			return err
		}
	}
	return nil
}

// build builds the Dockerfile and returns the image and its digest. The modules and what
// is compiled already are this machine's, as the builder has no network.
func (b *buildah) build(t *testing.T, o order) (v1.Image, string) {
	t.Helper()
	goCommand(t, o.root, "mod", "download")
	dir := t.TempDir()
	b.must(t, "build", "--isolation", "chroot", "--no-cache", "--timestamp", "0", "--identity-label=false",
		"--platform", hostPlatform.String(),
		"--volume", goCommand(t, o.root, "env", "GOROOT")+":/usr/local/go:ro",
		"--volume", goCommand(t, o.root, "env", "GOMODCACHE")+":/cache/modules",
		"--volume", goCommand(t, o.root, "env", "GOCACHE")+":/cache/build",
		"--build-arg", "BUILDER="+builderBase,
		"--build-arg", "VERSION="+o.version, "--build-arg", "REVISION="+o.revision,
		"--tag", "localhost/assay-test", o.root)
	b.must(t, "push", "--quiet", "localhost/assay-test", "oci:"+dir)
	return imageIn(t, dir)
}

// run runs buildah and returns the last line that it prints.
func (b *buildah) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), b.program, append(slices.Clone(b.store), args...)...)
	var stderr strings.Builder
	command.Stderr = &stderr
	stdout, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("buildah %s: %w\n%s%s", args[0], err, stdout, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(stdout)), "\n")
	return lines[len(lines)-1], nil
}

func (b *buildah) must(t *testing.T, args ...string) string {
	t.Helper()
	line, err := b.run(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// imageIn returns the one image of an OCI layout, and its digest.
func imageIn(t *testing.T, dir string) (v1.Image, string) {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("%d images, want 1", len(manifest.Manifests))
	}
	digest := manifest.Manifests[0].Digest
	image, err := index.Image(digest)
	if err != nil {
		t.Fatal(err)
	}
	return image, digest.String()
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = dir
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}
