// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// readLookaside reads the signatures of an image from a lookaside store on disk,
// containers-registries.d(5). The signatures of HOST/PATH@sha256:<hex> are the files
// PATH@sha256=<hex>/signature-N, with N from 1 up to the first missing file. It calls add for each
// in that order, and stops at an error. It never reads a file outside the store, even through
// links. An image without a signature is an error.
func readLookaside(store string, named reference.Named, d digest.Digest, add func(where string, content []byte) error) (err error) {
	root, err := os.OpenRoot(strings.TrimPrefix(store, "file://"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	folder := fmt.Sprintf("%s@%s=%s", reference.Path(named), d.Algorithm(), d.Encoded())
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s/signature-%d", folder, n)
		content, err := readStored(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			if n == 1 {
				return fmt.Errorf("the image has no signature in this store: there is no %s", name)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := add(name, content); err != nil {
			return err
		}
	}
}

func readStored(root *os.Root, name string) (content []byte, err error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		// Opening a pipe would block until a writer opens it.
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return readBounded(name, file)
}
