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
)

// readLookaside collects the signatures of an image from a lookaside store on disk,
// containers-registries.d(5). The signatures of HOST/PATH@sha256:<hex> are the files
// PATH@sha256=<hex>/signature-N, with N from 1 up to the first missing file. A file that cannot be
// read or is not a signature hides none of the others. It never reads a file outside the store,
// even through links. An image without a signature is an error.
func readLookaside(store string, c *signatureCollector) (err error) {
	root, err := os.OpenRoot(strings.TrimPrefix(store, "file://"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	folder := fmt.Sprintf("%s@%s=%s", reference.Path(c.image), c.digest.Algorithm(), c.digest.Encoded())
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s/signature-%d", folder, n)
		if _, err := root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			if n == 1 {
				return fmt.Errorf("the image has no signature in this store: there is no %s", name)
			}
			return nil
		}
		content, err := readStored(root, name)
		if err != nil {
			err = c.skip(name, err)
		} else {
			err = c.add(name, content)
		}
		if err != nil {
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
