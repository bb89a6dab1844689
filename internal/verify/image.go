// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// imageFacts is what the Image says of itself, once its parts have been compared.
type imageFacts struct {
	// reference is nil when dockerImageReference is empty or not a reference.
	reference reference.Named
	// digest is empty when it is unknown.
	digest digest.Digest
	// index reports whether the manifest is a list of images.
	index bool
	// undecided says why the digest is not known although something states one.
	undecided string
	// err says how the image contradicts itself; nil when it does not.
	err error
}

// compareDigests compares all sources of the image's digest: the manifest's bytes, the
// digest in the reference and the object's name. All that are present must agree.
func compareDigests(in Image) imageFacts {
	var f imageFacts
	if in.Err != nil {
		f.err = in.Err
		return f
	}
	if in.Reference.Err != nil {
		f.err = fmt.Errorf("dockerImageReference: %w", in.Reference.Err)
		return f
	}
	f.reference = in.Reference.Named
	if in.Manifest.Err != nil {
		f.err = fmt.Errorf("dockerImageManifest: %w", in.Manifest.Err)
		return f
	}
	f.index = in.Manifest.Index
	stated := []struct {
		where  string
		digest digest.Digest
	}{
		{"dockerImageManifest", in.Manifest.Digest},
		{"dockerImageReference", referenceDigest(f.reference)},
		{"the object's name", nameDigest(in.Name)},
	}
	first := ""
	for _, s := range stated {
		switch {
		case s.digest == "":
		case s.digest.Algorithm() != digest.SHA256:
			// Registries name images by SHA-256, and so do signatures and the other two places.
			f.undecided = s.where + " states a digest that is not sha256, which cannot be compared; use the sha256 digest"
		case f.digest == "":
			f.digest, first = s.digest, s.where
		case f.digest != s.digest:
			f.digest = ""
			f.err = fmt.Errorf("%s and %s state different digests; they must be of the same image", first, s.where)
			return f
		}
	}
	if f.undecided != "" {
		f.digest = ""
	}
	return f
}

// indexHint is what messages about missing signatures add for a list of images: it is admitted when
// it is verified itself, or every image in it is.
func (f *imageFacts) indexHint() string {
	if !f.index {
		return ""
	}
	return "; the image is an index of images by platform: sign the index itself, or every image that it lists"
}

// Digest returns the digest of the image, for which signatures are accepted. It is empty when the
// image does not tell it, or contradicts itself.
func (in Image) Digest() digest.Digest {
	return compareDigests(in).digest
}

func referenceDigest(ref reference.Named) digest.Digest {
	if digested, ok := ref.(reference.Digested); ok {
		return digested.Digest()
	}
	return ""
}

// nameDigest returns the digest that an object's name states: sha256-<64 hex digits>. A
// custom resource cannot be named sha256:<hex> as OpenShift's Images are.
func nameDigest(name string) digest.Digest {
	hex, ok := strings.CutPrefix(name, "sha256-")
	if !ok {
		return ""
	}
	d := digest.NewDigestFromEncoded(digest.SHA256, hex)
	if d.Validate() != nil {
		return ""
	}
	return d
}
