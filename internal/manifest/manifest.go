// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifest computes the digest of an image from the bytes of its manifest. It refuses
// ambiguous manifests, which two readers may interpret differently.
//
// It supports six kinds of manifests:
//
//	schemaVersion  essential members     kind
//	2              config, layers        OCI image manifest or Docker image manifest, schema 2
//	2              manifests             OCI image index or Docker manifest list
//	1              fsLayers, history     Docker image manifest, schema 1; signed if it has signatures
//
// A digest identifies bytes, not their interpretation. A document that one reader takes for an
// index and another for an image manifest is two images with one signature (CVE-2021-41190). A
// manifest must therefore have the essential members of exactly one kind, a mediaType that agrees
// with them, if any, no duplicate members (package strictjson), and no member whose name differs
// from a defined one only in case, because encoding/json would match it. Unknown members are
// allowed.
//
// The digest covers the exact bytes, including white space, with one exception: the digest of a
// signed schema 1 manifest covers the signed document, a JSON Web Signature payload, see
// schema1.go. The web signature itself proves nothing and is not checked, because the manifest
// contains its key.
package manifest

import (
	// DigestAs supports the algorithms that are linked in, which must not depend on the importing
	// program.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/strictjson"
)

// MaxSize is the maximum size of a manifest in bytes. Registries refuse larger ones (OCI
// distribution specification, "Pushing Manifests": they should support 4 MiB).
const MaxSize = 4 << 20

const (
	// maxDepth bounds the nesting of objects and arrays: the formats have six levels, one of them
	// for the keys of web signatures.
	maxDepth = 16
	// maxMembers bounds the members of an object. Only annotations have more than a dozen.
	maxMembers = 4096
)

// Media types of the kinds of manifests.
const (
	MediaTypeOCIManifest         = "application/vnd.oci.image.manifest.v1+json"
	MediaTypeOCIIndex            = "application/vnd.oci.image.index.v1+json"
	MediaTypeDockerManifest      = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerList          = "application/vnd.docker.distribution.manifest.list.v2+json"
	MediaTypeDockerSchema1       = "application/vnd.docker.distribution.manifest.v1+json"
	MediaTypeDockerSchema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

// Reasons for refusing a manifest, for errors.Is. The text of the wrapping error has the details.
// It is bounded and deterministic, and quotes from the manifest are escaped.
var (
	ErrTooLarge   = errors.New("the manifest is too large")
	ErrMalformed  = errors.New("the manifest is malformed")         // no JSON object, or not of a known kind
	ErrAmbiguous  = errors.New("the manifest is ambiguous")         // readable in more than one way
	ErrSignatures = errors.New("the manifest's signatures are bad") // the block of a signed schema 1 manifest
)

// Info is the kind and the digest of a manifest.
type Info struct {
	// MediaType is one of the media types of this package: the declared one or, without a
	// declaration, the one that follows from the members.
	MediaType string
	// Digest is the SHA-256 digest of the image.
	Digest digest.Digest
	// Children are the manifests of an index, in its order. There are none for other kinds, and
	// for an index that has more than MaxChildren.
	Children []Child
}

// MaxChildren bounds the children of an index that are returned. The largest indexes of public
// images have about 40, with attestations.
const MaxChildren = 128

// Child is a manifest that an index lists.
type Child struct {
	// Digest is as the index states it, empty if that is not a valid digest.
	Digest digest.Digest
	// IsAttestation is set for a child whose platform is unknown/unknown, which no node runs:
	// build tools store attestations so. A child without a platform is none.
	IsAttestation bool
}

// Digest returns the digest of the image: SHA-256 of the manifest's bytes, or of the signed payload
// of a signed schema 1 manifest.
func Digest(manifest []byte) (digest.Digest, error) {
	return DigestAs(digest.SHA256, manifest)
}

// DigestAs is Digest with another algorithm, sha384 or sha512, which may also identify an image.
func DigestAs(algorithm digest.Algorithm, manifest []byte) (digest.Digest, error) {
	if !algorithm.Available() {
		return "", digest.ErrDigestUnsupported
	}
	s, err := read(manifest)
	if err != nil {
		return "", err
	}
	return algorithm.FromBytes(s.named), nil
}

// Inspect returns the manifest's kind and digest.
func Inspect(manifest []byte) (Info, error) {
	s, err := read(manifest)
	if err != nil {
		return Info{}, err
	}
	info := Info{MediaType: s.kind, Digest: digest.SHA256.FromBytes(s.named)}
	if s.has&hasManifests != 0 && len(s.children) <= MaxChildren {
		info.Children = s.children
	}
	return info, nil
}

// read parses as much of a manifest as its kind and digest require.
func read(manifest []byte) (*shape, error) {
	if len(manifest) > MaxSize {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxSize)
	}
	s := &shape{}
	limits := strictjson.Limits{Size: MaxSize, Depth: maxDepth, Members: maxMembers}
	if err := strictjson.Parse(manifest, limits, s.document); err != nil {
		return nil, malformed(err)
	}
	var err error
	if s.kind, err = s.classify(); err != nil {
		return nil, err
	}
	s.named = manifest
	if s.kind == MediaTypeDockerSchema1Signed {
		s.named, err = s.signatures.payload(manifest)
	}
	return s, err
}

// malformed adds the reason to an error of package strictjson. It returns errors of this package
// unchanged.
func malformed(err error) error {
	var syntax *strictjson.Error
	switch {
	case !errors.As(err, &syntax):
		return err
	case syntax.Duplicate:
		return fmt.Errorf("%w: %w", ErrAmbiguous, err)
	default:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
}
