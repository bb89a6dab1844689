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
	Layers []struct {
		MediaType   string            `json:"mediaType"`
		Digest      digest.Digest     `json:"digest"`
		Annotations map[string]string `json:"annotations"`
	} `json:"layers"`
}

// readAttachment reads the signatures in an attachment of cosign from a directory of the form that
// containers-transports(5) calls dir: manifest.json, and each layer in a file that is named after the
// hexadecimal digits of its digest. It calls add for each layer in order, and stops at an error.
func readAttachment(directory string, add func(where string, content []byte) error) (err error) {
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
	for _, layer := range manifest.Layers {
		if err := layer.Digest.Validate(); err != nil {
			return fmt.Errorf("manifest.json: a layer's digest: %w", err)
		}
		payload, err := readStored(root, layer.Digest.Encoded())
		if err != nil {
			return err
		}
		if layer.Digest.Algorithm().FromBytes(payload) != layer.Digest {
			return fmt.Errorf("%s does not have the digest %s", layer.Digest.Encoded(), layer.Digest)
		}
		content, err := sigstore.BlobFromAttachment(layer.MediaType, payload, layer.Annotations)
		if err != nil {
			return err
		}
		if err := add(layer.Digest.Encoded(), content); err != nil {
			return err
		}
	}
	return nil
}
