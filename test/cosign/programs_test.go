// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cosign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	crane "github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	cosign2 "github.com/sigstore/cosign/v2/cmd/cosign/cli"
	cosign3 "github.com/sigstore/cosign/v3/cmd/cosign/cli"

	"github.com/assay-project/assay/internal/cli"
)

// programs are those that the test program is under other names.
var programs = map[string]func() error{
	"cosign2": func() error { return cosign2.New().Execute() },
	"cosign3": func() error { return cosign3.New().Execute() },
	"crane":   func() error { return crane.Root.Execute() },
	"skopeo":  func() error { return skopeo(context.Background(), os.Args[1:]) },
	"assay": func() error {
		os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		return nil
	},
}

func TestMain(m *testing.M) {
	run, ok := programs[filepath.Base(os.Args[0])]
	if !ok {
		os.Exit(m.Run())
	}
	if err := run(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// install puts the programs into a folder.
func install(t *testing.T, folder string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for program := range programs {
		if err := os.Symlink(self, filepath.Join(folder, program)); err != nil {
			t.Fatal(err)
		}
	}
}

// skopeo does what skopeo does for "copy docker://REFERENCE dir:FOLDER" with an attachment of cosign: it is not built
// here, because it needs C.
func skopeo(ctx context.Context, args []string) error {
	if len(args) != 3 || args[0] != "copy" {
		return errors.New("only skopeo copy docker://REFERENCE dir:FOLDER is known")
	}
	reference, err := name.ParseReference(strings.TrimPrefix(args[1], "docker://"))
	if err != nil {
		return err
	}
	image, err := remote.Image(reference, remote.WithContext(ctx))
	if err != nil {
		return err
	}
	folder := strings.TrimPrefix(args[2], "dir:")
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "manifest.json"), manifest, 0o644)); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		content, err := readLayer(layer)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, digest.Hex), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
