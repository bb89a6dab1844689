// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifest computes the digest that names an image from the bytes of its manifest, and refuses manifests of
// which two readers may have different opinions.
//
// Six kinds of manifests are known:
//
//	schemaVersion  essential members     kind
//	2              config, layers        OCI image manifest or Docker image manifest, schema 2
//	2              manifests             OCI image index or Docker manifest list
//	1              fsLayers, history     Docker image manifest, schema 1; signed if it has signatures
//
// A digest says which bytes are meant, not how they are read. A document that one reader takes for an index and
// another for an image manifest is two images with one signature (CVE-2021-41190). A manifest therefore has the
// essential members of exactly one kind, a mediaType that agrees with them if it has one at all, no duplicate
// member (package strictjson) and no member whose name differs from a defined one in case only, which encoding/json
// would take for it. Unknown members are fine.
//
// The digest is that of the bytes as they are, white space included, with one exception: that of a signed schema 1
// manifest is the digest of what was signed, a JSON Web Signature payload, see schema1.go. The web signature
// itself, by a key which the manifest brings along, proves nothing and is not checked.
package manifest

import (
	// DigestAs offers the algorithms that are linked in: which are must not
	// depend on who imports this package.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/strictjson"
)

// MaxSize is the largest manifest in bytes. Registries refuse larger ones (OCI distribution specification, "Pushing
// Manifests": 4 MiB is the size that they should support).
const MaxSize = 4 << 20

const (
	// maxDepth is how deep objects and arrays may be nested: the formats have six levels, one for the web
	// signature's keys.
	maxDepth = 16
	// maxMembers is how many members an object may have, of which only annotations have more than a dozen.
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

// Reasons for refusing a manifest, to be told apart with errors.Is. The text of an error that wraps one says more;
// it is bounded and deterministic, and what it quotes from the manifest is escaped.
var (
	ErrTooLarge   = errors.New("the manifest is too large")
	ErrMalformed  = errors.New("the manifest is malformed")         // no JSON object, or not of a known kind
	ErrAmbiguous  = errors.New("the manifest is ambiguous")         // readable in more than one way
	ErrSignatures = errors.New("the manifest's signatures are bad") // the block of a signed schema 1 manifest
)

// Info is what a manifest says about itself.
type Info struct {
	// MediaType is one of the media types of this package: the declared one, or for lack of that the one that the
	// members make it.
	MediaType string
	// Digest names the image: SHA-256.
	Digest digest.Digest
}

// Digest returns the digest that names the image: SHA-256 of the manifest's bytes, or of the signed payload of a
// signed schema 1 manifest.
func Digest(manifest []byte) (digest.Digest, error) {
	return DigestAs(digest.SHA256, manifest)
}

// DigestAs is Digest with another algorithm, sha384 or sha512, by which an image may be named as well.
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
	return Info{MediaType: s.kind, Digest: digest.SHA256.FromBytes(s.named)}, nil
}

// read takes a manifest apart as far as its kind and digest need it.
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

// malformed says which reason it is that package strictjson found, and leaves errors of this package as they are.
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
