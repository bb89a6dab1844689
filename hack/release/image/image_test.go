// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// source is the root of the repository.
const source = "../../.."

// hostPlatform is the one whose programs run here, if this is Linux.
var hostPlatform = v1.Platform{OS: "linux", Architecture: runtime.GOARCH}

// The program prints version, and not what Git says of the source.
const (
	version  = "v0.0.1-test"
	revision = "0123456789abcdef0123456789abcdef01234567"
)

// TestAssembled checks what `make image` writes, read back by another implementation, and
// that a second run elsewhere, on no more than the Dockerfile copies, writes the same bytes.
func TestAssembled(t *testing.T) {
	o := order{root: source, version: version, revision: revision}
	first, digest := makeArchive(t, o)
	index := readArchive(t, first)
	if err := validate.Index(index); err != nil {
		t.Fatalf("the archive is not valid: %v", err)
	}
	checkImage(t, onlyImage(t, index), o)

	o.root = copyContext(t)
	second, again := makeArchive(t, o)
	if digest != again {
		t.Errorf("digest %s, and %s when the same source was built in another folder", digest, again)
	}
	if digestOf(t, first) != digestOf(t, second) {
		t.Error("two archives of one image differ")
	}

	o.version = "v0.0.2-test"
	third, other := makeArchive(t, o)
	if digest == other {
		t.Error("another version has the same digest")
	}
	checkImage(t, onlyImage(t, readArchive(t, third)), o)
}

func TestRunRefuses(t *testing.T) {
	tests := map[string][]string{
		"an unknown platform":   {"-root", source, "-out", t.TempDir(), "-platforms", "linux/none"},
		"a platform of nothing": {"-root", source, "-out", t.TempDir(), "-platforms", "a/b/c/d"},
		"a folder without any":  {"-root", t.TempDir()},
		"an unknown flag":       {"-none"},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), args, io.Discard); err == nil {
				t.Error("no error")
			}
		})
	}
}

// makeArchive makes the image as the command does, and returns the archive and the digest.
func makeArchive(t *testing.T, o order) (archive, digest string) {
	t.Helper()
	out := t.TempDir()
	var stdout bytes.Buffer
	args := []string{
		"-root", o.root, "-out", out, "-platforms", hostPlatform.String(),
		"-version", o.version, "-revision", o.revision,
	}
	if err := run(t.Context(), args, &stdout); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(out, "assay-image.tar"), string(bytes.Fields(stdout.Bytes())[0])
}

// readArchive unpacks an archive and returns the one index in its layout.
func readArchive(t *testing.T, archive string) v1.ImageIndex {
	t.Helper()
	folder, err := layout.FromPath(unpackArchive(t, archive))
	if err != nil {
		t.Fatal(err)
	}
	top, err := folder.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("%d entries in the layout, want 1", len(manifest.Manifests))
	}
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func unpackArchive(t *testing.T, archive string) string {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	dir := t.TempDir()
	for r := tar.NewReader(file); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// onlyImage returns the image for this machine's processor, which is the only one there.
func onlyImage(t *testing.T, index v1.ImageIndex) v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("%d images, want 1", len(manifest.Manifests))
	}
	descriptor := manifest.Manifests[0]
	if descriptor.Platform == nil || descriptor.Platform.String() != hostPlatform.String() {
		t.Errorf("platform %v, want %s", descriptor.Platform, hostPlatform)
	}
	image, err := index.Image(descriptor.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// copyContext copies what the Dockerfile copies to another folder.
func copyContext(t *testing.T) string {
	t.Helper()
	r, err := readRecipe(order{root: source}, hostPlatform)
	if err != nil {
		t.Fatal(err)
	}
	names := append([]string{"Dockerfile"}, r.Context...)
	for _, file := range r.Files {
		if !file.Built {
			names = append(names, file.Source)
		}
	}
	dir := t.TempDir()
	for _, name := range names {
		if err := copyTree(filepath.Join(source, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func copyTree(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}
