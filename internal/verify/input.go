// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/openpgp"
)

// Input is everything that a verdict depends on.
type Input struct {
	// Now is the present time.
	Now time.Time
	// Image is the image to decide about.
	Image Image
	// Policies are those that apply to the image, in any order. Names are unique.
	Policies []Policy
}

// Image is what the decision needs of an Image.
type Image struct {
	// Problem is why the object cannot be used as it is stored, empty when it can.
	Problem string
	// Name of the object; sha256-<hex> states a digest.
	Name string
	// Reference is what ReadReference found in dockerImageReference.
	Reference Reference
	// Manifest is what ReadManifest found in dockerImageManifest.
	Manifest Manifest
	// Signatures in the order of the object.
	Signatures []Signature
}

// Reference is an image reference, parsed. The zero value says that there is none.
type Reference struct {
	// Named is nil when there is no reference or it cannot be parsed.
	Named reference.Named
	// Problem says why the reference cannot be parsed, empty when it can.
	Problem string
}

// ReadReference parses the reference of an image. Whoever looks for the policies of an
// image needs it as well, and it costs more than most of the other checks.
func ReadReference(text string) Reference {
	if text == "" {
		return Reference{}
	}
	named, err := imageref.ParseImage(text)
	if err != nil {
		return Reference{Problem: err.Error()}
	}
	return Reference{Named: named}
}

// Manifest is what is known from the bytes of an image's manifest. The zero value says
// that there are none.
type Manifest struct {
	// Digest of the manifest, empty when there are no bytes or they are not acceptable.
	Digest digest.Digest
	// Problem says why the bytes are not acceptable, empty when they are.
	Problem string
}

// ReadManifest computes the digest of a manifest. mediaType is what the Image says that
// it is; when both it and the bytes name a type, they must agree (CVE-2021-41190).
//
// A panic in a parser is a problem of this manifest alone, as it is for signatures.
func ReadManifest(raw []byte, mediaType string) (m Manifest) {
	defer func() {
		if recover() != nil {
			m = Manifest{Problem: "the manifest made the reader fail; please report it with the manifest"}
		}
	}()
	if len(raw) == 0 {
		return Manifest{}
	}
	info, err := manifest.Inspect(raw)
	if err != nil {
		return Manifest{Problem: err.Error()}
	}
	if mediaType != "" && sameKind(mediaType) != sameKind(info.MediaType) {
		return Manifest{Problem: "dockerImageManifestMediaType names another kind of manifest than dockerImageManifest holds"}
	}
	return Manifest{Digest: info.Digest}
}

// sameKind takes the media types of Docker schema 1 manifests for one: clients call signed
// and unsigned ones by either name.
func sameKind(mediaType string) string {
	if mediaType == manifest.MediaTypeDockerSchema1Signed {
		return manifest.MediaTypeDockerSchema1
	}
	return mediaType
}

// Signature is one signature of an image.
type Signature struct {
	// Type is AtomicImageV1 or atomic; others are not verified.
	Type string
	// Content is the signature itself.
	Content []byte
	// PublicKeyID is the key that the client asks for, empty when any trusted key will do:
	// optionally 0x, then at least the lowest 64 bits of a fingerprint in hexadecimal.
	PublicKeyID string
}

// supported reports whether signatures of the type are verified.
func (s *Signature) supported() bool {
	return s.Type == imagev1.SignatureTypeAtomicImageV1 || s.Type == imagev1.SignatureTypeAtomic
}

// Policy is a TrustPolicy that applies to the image, with its keys at hand.
type Policy struct {
	// Name of the TrustPolicy, and the scope by which it applies.
	Name, Scope string
	// Label is what messages call the policy; empty means "TrustPolicy <name>".
	Label string
	// Keys are the keys that could be read; nil means none.
	Keys *openpgp.Keyring
	// UnavailableKeys names the keys that are missing or cannot be read, sorted. As long
	// as there are any, a signature is not refused because its key is unknown, expired or
	// incomplete: they may hold that key, or a newer copy of it.
	UnavailableKeys []string
	// Identity compares signed names with the image's reference.
	Identity *imageref.Matcher
	// Problem says why the policy cannot be applied as it is written, empty when it can.
	Problem string
	// RequiredSignatures is how many different primary keys must have signed; below 1 means 1.
	RequiredSignatures int
	// AcceptBeforeExpiry accepts signatures by expired keys that were made before the expiry.
	AcceptBeforeExpiry bool
}

// problem says why the policy cannot be applied, empty when it can.
func (p *Policy) problem() string {
	if p.Problem == "" && p.Identity == nil {
		return "it has no rule for signed names"
	}
	return p.Problem
}

// hasKeys reports whether any key could be read.
func (p *Policy) hasKeys() bool {
	return p.Keys.Len() > 0
}

// keysUnavailable is the finding where the keys that could be read do not decide.
func (p *Policy) keysUnavailable() Finding {
	if len(p.UnavailableKeys) == 0 {
		return couldNotCheck(assayv1alpha1.ReasonKeysUnavailable,
			p.label()+" has no keys")
	}
	return couldNotCheck(assayv1alpha1.ReasonKeysUnavailable,
		fmt.Sprintf("no key of %s that could be read vouches for the signature, and these could not be read: %s",
			p.label(), strings.Join(p.UnavailableKeys, ", ")))
}

// label returns what messages call the policy.
func (p *Policy) label() string {
	if p.Label != "" {
		return p.Label
	}
	return "TrustPolicy " + p.Name
}

// required returns the number of different keys that must have signed, at least 1.
func (p *Policy) required() int {
	return max(p.RequiredSignatures, 1)
}
