// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is how an OCI layout names what it holds.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
const refName = "org.opencontainers.image.ref.name"

// newIndex returns an index of the image's forms, one per platform.
func newIndex(forms []form) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, f := range forms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        f.image,
			Descriptor: v1.Descriptor{Platform: &f.platform},
		})
	}
	return index
}

// writeArchive writes an index as an OCI layout in a tar file, which podman, skopeo and
// Docker load. The file is there whole or not at all.
func writeArchive(path string, index v1.ImageIndex, name string) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".layout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // best effort: what matters is the archive
	folder, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := folder.AppendIndex(index, layout.WithAnnotations(map[string]string{refName: name})); err != nil {
		return err
	}
	archive := filepath.Join(dir, "archive")
	if err := archiveFolder(archive, dir, "oci-layout", "index.json", "blobs"); err != nil {
		return err
	}
	return os.Rename(archive, path)
}

// archiveFolder writes the named parts of a folder as a tar file, always in the same order
// and without a time, so that the same image gives the same file.
func archiveFolder(path, dir string, parts ...string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := tar.NewWriter(file)
	for _, part := range parts {
		err = fs.WalkDir(os.DirFS(dir), part, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			return archiveFile(w, dir, name)
		})
		if err != nil {
			break
		}
	}
	return errors.Join(err, w.Close(), file.Close())
}

func archiveFile(w *tar.Writer, dir, name string) error {
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o644, Format: tar.FormatPAX}
	if err := w.WriteHeader(header); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = io.Copy(w, file)
	return err
}
