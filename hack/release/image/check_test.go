// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// entry is what the file system of an image says of a file or folder.
type entry struct {
	Type     byte
	Mode     int64
	UID, GID int
}

// contents is all that is in the image. Whatever else came to be there, a shell included,
// is a difference.
var contents = map[string]entry{
	"assay":            {Type: tar.TypeReg, Mode: 0o755},
	"licenses":         {Type: tar.TypeDir, Mode: 0o755},
	"licenses/LICENSE": {Type: tar.TypeReg, Mode: 0o644},
}

// checkImage checks an image and returns the digest of its program.
func checkImage(t *testing.T, image v1.Image, o order) string {
	t.Helper()
	if err := validate.Image(image); err != nil {
		t.Fatalf("the image is not valid: %v", err)
	}
	checkConfig(t, image, o)
	root := t.TempDir()
	if diff := cmp.Diff(contents, unpack(t, image, root)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	program := filepath.Join(root, "assay")
	checkStatic(t, program)
	checkRuns(t, root, "assay version "+o.version+"\n")
	return digestOf(t, program)
}

func checkConfig(t *testing.T, image v1.Image, o order) {
	t.Helper()
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	type config struct {
		Platform   string
		User       string
		Entrypoint []string
		Cmd        []string
		Title      string
		Version    string
		Revision   string
		Licenses   string
	}
	label := func(name string) string { return file.Config.Labels["org.opencontainers.image."+name] }
	got := config{
		Platform: file.OS + "/" + file.Architecture, User: file.Config.User,
		Entrypoint: file.Config.Entrypoint, Cmd: file.Config.Cmd,
		Title: label("title"), Version: label("version"), Revision: label("revision"), Licenses: label("licenses"),
	}
	want := config{
		Platform: hostPlatform.String(), User: "65532:65532", Entrypoint: []string{"/assay"},
		Title: "assay", Version: o.version, Revision: o.revision, Licenses: "Apache-2.0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if !file.Created.Time.Equal(created) {
		t.Errorf("created at %v, want %v whenever it is built", file.Created.Time, created)
	}
}

// unpack writes the image's file system to root and returns what is in it.
func unpack(t *testing.T, image v1.Image, root string) map[string]entry {
	t.Helper()
	stream := mutate.Extract(image)
	defer func() { _ = stream.Close() }()
	found := map[string]entry{}
	for archive := tar.NewReader(stream); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(header.Name, "/")
		// Builders also write the file's type into its mode.
		found[name] = entry{Type: header.Typeflag, Mode: header.Mode & 0o7777, UID: header.Uid, GID: header.Gid}
		if err := unpackEntry(root, name, header, archive); err != nil {
			t.Fatal(err)
		}
	}
}

func unpackEntry(root, name string, header *tar.Header, content io.Reader) error {
	path := filepath.Join(root, filepath.FromSlash(name))
	switch header.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o755)
	case tar.TypeReg:
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, header.FileInfo().Mode())
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	default:
		return nil // it is in the list that is compared
	}
}

// checkStatic checks that the kernel alone starts the program: no interpreter, no library.
func checkStatic(t *testing.T, program string) {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			t.Errorf("the program has a segment %v: it is not static", part.Type)
		}
	}
}

// checkRuns runs the program. Root runs it as the kubelet does: with the image as all of
// its file system, in which the image's user can write nothing.
func checkRuns(t *testing.T, root, want string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Log("not run: this is not Linux")
		return
	}
	command := exec.CommandContext(t.Context(), filepath.Join(root, "assay"), "--version")
	command.Env = []string{}
	if os.Geteuid() == 0 {
		command.Path, command.Dir = "/assay", "/"
		command.SysProcAttr = &syscall.SysProcAttr{
			Chroot:     root,
			Credential: &syscall.Credential{Uid: 65532, Gid: 65532},
		}
		if err := os.Chmod(root, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("assay --version: %v\n%s", err, got)
	}
	if string(got) != want {
		t.Errorf("assay --version: %q, want %q", got, want)
	}
}

func digestOf(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
