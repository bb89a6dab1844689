// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/assay-project/assay/hack/release/recipe"
)

// created is the time of everything in the image. With that of the build, two builds of
// one source would not be the same image.
var created = time.Unix(0, 0).UTC()

// order is what to make.
type order struct {
	// root is the folder of the source, with the Dockerfile.
	root string
	// binaries is the folder in which the programs stay, for a release to offer.
	binaries          string
	version, revision string
}

// form is the image for one platform.
type form struct {
	platform v1.Platform
	image    v1.Image
}

// assemble makes the image for a platform, as the Dockerfile says.
func assemble(ctx context.Context, o order, platform v1.Platform) (form, error) {
	r, err := readRecipe(o, platform)
	if err != nil {
		return form{}, err
	}
	program := filepath.Join(o.binaries, fmt.Sprintf("assay-%s-%s", platform.OS, platform.Architecture))
	if err := r.Compile.Run(ctx, o.root, program); err != nil {
		return form{}, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, file := range r.Files {
		source := filepath.Join(o.root, filepath.FromSlash(file.Source))
		if file.Built {
			source = program
		}
		if image, err = appendFile(image, source, file); err != nil {
			return form{}, err
		}
	}
	image, err = configure(image, r, platform)
	return form{platform: platform, image: image}, err
}

// readRecipe reads the Dockerfile for a platform.
func readRecipe(o order, platform v1.Platform) (*recipe.Recipe, error) {
	name := filepath.Join(o.root, "Dockerfile")
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	r, err := recipe.Read(file, recipe.Args{
		"TARGETOS":   platform.OS,
		"TARGETARCH": platform.Architecture,
		"VERSION":    o.version,
		"REVISION":   o.revision,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// configure sets what a container runtime has to know.
func configure(image v1.Image, r *recipe.Recipe, platform v1.Platform) (v1.Image, error) {
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = platform.OS, platform.Architecture, platform.Variant
	file.Created = v1.Time{Time: created}
	file.Config = v1.Config{User: r.User, Entrypoint: r.Entrypoint, Labels: r.Labels, WorkingDir: "/"}
	return mutate.ConfigFile(image, file)
}

// appendFile adds a layer with one file.
func appendFile(image v1.Image, source string, file recipe.File) (v1.Image, error) {
	layer, err := newLayer(source, file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Target, err)
	}
	return mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "COPY " + file.Source + " " + file.Target},
	})
}

// newLayer returns a layer with a file and the folders above it, all of them root's and
// nobody's to write.
func newLayer(source string, file recipe.File) (v1.Layer, error) {
	content, err := os.ReadFile(source)
	if err != nil {
		return nil, err
	}
	var mode int64 = 0o644
	if file.Built {
		mode = 0o755
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	target := strings.TrimPrefix(path.Clean(file.Target), "/")
	for i, c := range target {
		if c == '/' {
			header := &tar.Header{Typeflag: tar.TypeDir, Name: target[:i+1], Mode: 0o755, ModTime: created, Format: tar.FormatPAX}
			if err := w.WriteHeader(header); err != nil {
				return nil, err
			}
		}
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: target, Size: int64(len(content)), Mode: mode, ModTime: created, Format: tar.FormatPAX}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(out.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}
