// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/util/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/filekind"
	"github.com/assay-project/assay/internal/verify"
)

// takeImageFile reads the file with an Image. One without signatures has its registry asked, if
// nothing else is.
func (o *verifyOptions) takeImageFile(stdin io.Reader) error {
	if o.imageFile == "" {
		return nil
	}
	for flag, value := range map[string]string{"an argument or --image": o.image, "--signature": o.signature, "--manifest": o.manifest, "--digest": o.digest} {
		if value != "" {
			return usagef("give --image-file or %s, not both", flag)
		}
	}
	data, err := readInput(o.imageFile, stdin)
	if err == nil {
		o.stored, err = parseImageFile(data)
	}
	if err != nil {
		return fmt.Errorf("--image-file: %w", err)
	}
	o.image = o.stored.DockerImageReference
	if len(o.stored.Signatures) == 0 && o.fetch.asksNothing() {
		o.fetch.fromRegistry = true
	}
	return nil
}

// yamlBuffer is how much of a file is looked at to tell JSON from YAML, in bytes.
const yamlBuffer = 4096

func parseImageFile(data []byte) (*imagev1.Image, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), yamlBuffer)
	image := &imagev1.Image{}
	if err := decoder.Decode(image); err != nil {
		if kind := filekind.Name(data); kind != "" {
			return nil, errors.New("it is no Image, but looks like " + kind)
		}
		return nil, fmt.Errorf("it is no Image: %w", err)
	}
	if image.Kind != "Image" || image.APIVersion != imagev1.GroupVersion.String() {
		return nil, fmt.Errorf("it has the kind %q of %q, and an Image is one of %s", image.Kind, image.APIVersion, imagev1.GroupVersion)
	}
	if err := decoder.Decode(&imagev1.Image{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has several documents; one Image is verified")
	}
	if image.DockerImageReference == "" {
		return nil, errors.New("the Image has no dockerImageReference, so that no name can be compared")
	}
	return image, nil
}

// storedImage is the image to verify, with what the file of an Image has.
func (o *verifyOptions) storedImage(ref verify.Reference) verify.Image {
	image := verify.Image{Reference: ref}
	if o.stored == nil {
		return image
	}
	image.Name = o.stored.Name
	if o.stored.DockerImageManifest != "" {
		image.Manifest = verify.ParseManifest([]byte(o.stored.DockerImageManifest), o.stored.DockerImageManifestMediaType)
	}
	for i := range o.stored.Signatures {
		s := &o.stored.Signatures[i]
		keyID := o.publicKeyID
		if keyID == "" && s.IssuedTo != nil {
			keyID = s.IssuedTo.PublicKeyID
		}
		image.Signatures = append(image.Signatures, verify.Signature{Type: s.Type, Content: s.Content, PublicKeyID: keyID})
	}
	return image
}
