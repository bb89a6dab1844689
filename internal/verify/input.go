// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/manifest"
)

// Input is everything that a verdict depends on.
type Input struct {
	// Now is the present time.
	Now time.Time
	// Image is the image to evaluate.
	Image Image
	// Policies are those that apply to the image, in any order. Names are unique.
	Policies []Policy
	// RevokedKeys are the fingerprints that any TrustPolicy lists as revoked, in upper-case
	// hexadecimal, each with the name of such a policy. No signature by them is accepted,
	// whatever a key file says.
	RevokedKeys map[string]string
	// RevokedKeysID differs for different RevokedKeys; 0 if nothing is known about that.
	RevokedKeysID uint64
	// Refusals is what is remembered of the image; nil for nothing. The verdict does not depend
	// on it. It is not used unless RevokedKeysID and the ID of every policy are set.
	Refusals Refusals
	// Effort bounds the work; the zero value is FullEffort.
	Effort Effort
}

// canRecall reports whether the refusals that are remembered can be told from those that trust
// in another state has led to.
func (in *Input) canRecall() bool {
	for i := range in.Policies {
		if in.Policies[i].ID == 0 {
			return false
		}
	}
	return in.Refusals != nil && in.RevokedKeysID != 0
}

// Image is what the decision needs of an Image.
type Image struct {
	// Err is why the object cannot be used as it is stored, nil when it can.
	Err error
	// Name of the object; sha256-<hex> states a digest.
	Name string
	// Reference is dockerImageReference, parsed.
	Reference Reference
	// Manifest is what ParseManifest found in dockerImageManifest.
	Manifest Manifest
	// Signatures in the order of the object.
	Signatures []Signature
	// Unavailable says why there may be signatures beside those; empty when there are none. An
	// image is not refused then, because a signature that is missing could satisfy the policy.
	Unavailable string
}

// Reference is an image reference, parsed. The zero value stands for none.
type Reference struct {
	// Named is nil when there is no reference or it cannot be parsed.
	Named reference.Named
	// Err says why the reference cannot be parsed; nil when it can.
	Err error
}

// ParseReference parses the reference of an image. Finding the policies of an image takes
// it as well, and it costs more than most of the checks.
func ParseReference(text string) Reference {
	if text == "" {
		return Reference{}
	}
	named, err := imageref.ParseImage(text)
	return Reference{Named: named, Err: err}
}

// Manifest is what the bytes of an image's manifest say. The zero value stands for none.
type Manifest struct {
	// Digest of the manifest, empty when there are no bytes or they are not acceptable.
	Digest digest.Digest
	// Index reports whether it is a list of images, one for each platform, and not an image.
	Index bool
	// Err says why the bytes are not acceptable; nil when they are.
	Err error
	// Children are the manifests of an index: see manifest.Info.
	Children []manifest.Child
}

// ParseManifest computes the digest of a manifest. mediaType is what the Image calls it;
// when both it and the bytes name a type, they must agree (CVE-2021-41190).
//
// A panic in a parser is an error of this manifest alone, as it is for signatures.
func ParseManifest(raw []byte, mediaType string) (m Manifest) {
	defer func() {
		if recover() != nil {
			m = Manifest{Err: errors.New("the manifest made the parser fail; please report it with the manifest")}
		}
	}()
	if len(raw) == 0 {
		return Manifest{}
	}
	info, err := manifest.Inspect(raw)
	if err != nil {
		return Manifest{Err: err}
	}
	if mediaType != "" && manifestKind(mediaType) != manifestKind(info.MediaType) {
		return Manifest{Err: errors.New("dockerImageManifestMediaType names another kind of manifest than dockerImageManifest holds")}
	}
	index := info.MediaType == manifest.MediaTypeOCIIndex || info.MediaType == manifest.MediaTypeDockerList
	return Manifest{Digest: info.Digest, Index: index, Children: info.Children}
}

// manifestKind treats the media types of Docker schema 1 manifests as one: clients call
// signed and unsigned ones by either name.
func manifestKind(mediaType string) string {
	if mediaType == manifest.MediaTypeDockerSchema1Signed {
		return manifest.MediaTypeDockerSchema1
	}
	return mediaType
}

// Signature is one signature of an image.
type Signature struct {
	// Type selects the format of the content.
	Type string
	// Content is the signature itself.
	Content []byte
	// PublicKeyID is the key that the client asks for, empty when any trusted signer will do:
	// optionally 0x, then at least the lowest 64 bits of a fingerprint in hexadecimal.
	PublicKeyID string
}
