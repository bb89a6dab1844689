// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/sigstore"
)

// attachmentManifest is what is read of the OCI manifest of an attachment.
type attachmentManifest struct {
	Layers []attachmentLayer `json:"layers"`
}

type attachmentLayer struct {
	MediaType   string            `json:"mediaType"`
	Digest      digest.Digest     `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

// readAttachment reads the signatures in an attachment of cosign from a directory of the form that
// containers-transports(5) calls dir: manifest.json, and each layer in a file that is named after the
// hexadecimal digits of its digest. A layer that cannot be read or is not a signature hides none of
// the others.
func readAttachment(directory string, c *signatureCollector) (err error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	document, err := readStored(root, "manifest.json")
	if err != nil {
		return err
	}
	var manifest attachmentManifest
	if err := json.NewDecoder(bytes.NewReader(document)).Decode(&manifest); err != nil {
		return fmt.Errorf("manifest.json is not an image manifest: %w", err)
	}
	if len(manifest.Layers) == 0 {
		return errors.New("manifest.json has no layers, and so no signatures")
	}
	for i, layer := range manifest.Layers {
		content, err := layer.signature(root)
		if err != nil {
			err = c.skip(fmt.Sprintf("layer %d of %s", i+1, directory), err)
		} else {
			err = c.add(layer.Digest.Encoded(), content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// signature returns the signature that a layer is, as an Image has it.
func (l *attachmentLayer) signature(root *os.Root) ([]byte, error) {
	if err := l.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("its digest: %w", err)
	}
	payload, err := readStored(root, l.Digest.Encoded())
	if err != nil {
		return nil, err
	}
	if l.Digest.Algorithm().FromBytes(payload) != l.Digest {
		return nil, fmt.Errorf("the file does not have the digest %s", l.Digest)
	}
	return sigstore.BlobFromAttachment(l.MediaType, payload, l.Annotations)
}

// readStored reads a file below a directory, and none outside of it.
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
