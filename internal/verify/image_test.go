// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/verify"
)

const (
	ociManifest = `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json"},"layers":[]}`
	ociIndex    = `{"schemaVersion":2,"manifests":[]}`
	schema1     = `{"schemaVersion":1,"name":"app","tag":"v1","fsLayers":[],"history":[]}`
)

func TestParseManifest(t *testing.T) {
	of := func(raw string) verify.Manifest { return verify.Manifest{Digest: digest.FromString(raw)} }
	tests := map[string]struct {
		raw, mediaType string
		want           verify.Manifest
		err            string // Part of it.
	}{
		"none":                             {},
		"none, with a media type":          {mediaType: manifest.MediaTypeOCIManifest},
		"without a media type":             {raw: ociManifest, want: of(ociManifest)},
		"as the media type says":           {raw: ociManifest, mediaType: manifest.MediaTypeOCIManifest, want: of(ociManifest)},
		"an index":                         {raw: ociIndex, mediaType: manifest.MediaTypeOCIIndex, want: of(ociIndex)},
		"schema 1 by its name":             {raw: schema1, mediaType: manifest.MediaTypeDockerSchema1, want: of(schema1)},
		"schema 1 by the signed one's":     {raw: schema1, mediaType: manifest.MediaTypeDockerSchema1Signed, want: of(schema1)},
		"an index called a manifest":       {raw: ociIndex, mediaType: manifest.MediaTypeOCIManifest, err: "another kind of manifest"},
		"a manifest called an index":       {raw: ociManifest, mediaType: manifest.MediaTypeOCIIndex, err: "another kind of manifest"},
		"an unknown media type":            {raw: ociManifest, mediaType: "text/html", err: "another kind of manifest"},
		"not a manifest":                   {raw: "<html>", err: "malformed"},
		"a manifest and an index in one":   {raw: `{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}`, err: "ambiguous"},
		"remote text is escaped in errors": {raw: "{\"schemaVersion\":2,\"\u001b[31m\u202e\":1,\"\u001b[31m\u202e\":2}", err: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := verify.ParseManifest([]byte(tt.raw), tt.mediaType)
			message := ""
			if got.Err != nil {
				message = got.Err.Error()
			}
			if !isPrintable(message) || !strings.Contains(message, tt.err) {
				t.Errorf("error %q, want it to be printable and to contain %q", message, tt.err)
			}
			if got.Digest != tt.want.Digest {
				t.Errorf("digest %q, want %q", got.Digest, tt.want.Digest)
			}
		})
	}
}

// TestImage checks how what an Image says of its digest is put together.
func TestImage(t *testing.T) {
	const repository = "registry.example.com/team/app"
	dashed := "sha256-" + appDigest.Encoded()
	sha512 := repository + "@" + digest.SHA512.FromString("manifest").String()
	tests := map[string]struct {
		name, reference string
		manifest        verify.Manifest
		digest          digest.Digest
		reason          string
		message         string
	}{
		"by its manifest":        {name: "app", reference: appReference, manifest: verify.Manifest{Digest: appDigest}, digest: appDigest, reason: "Verified"},
		"by its reference":       {name: "app", reference: repository + "@" + appDigest.String(), digest: appDigest, reason: "Verified"},
		"by its name":            {name: dashed, reference: appReference, digest: appDigest, reason: "Verified"},
		"by all three":           {name: dashed, reference: repository + "@" + appDigest.String(), manifest: verify.Manifest{Digest: appDigest}, digest: appDigest, reason: "Verified"},
		"by nothing":             {name: "app", reference: appReference, reason: "DigestUnknown", message: "the image's digest is unknown; set dockerImageManifest, a digest in dockerImageReference, or the name sha256-<hex>"},
		"a name that is no hash": {name: "sha256-beef", reference: appReference, reason: "DigestUnknown", message: "the image's digest is unknown; set dockerImageManifest, a digest in dockerImageReference, or the name sha256-<hex>"},
		"manifest against reference": {
			name: "app", reference: repository + "@" + otherDigest.String(), manifest: verify.Manifest{Digest: appDigest},
			reason: "InvalidImage", message: "dockerImageManifest and dockerImageReference state different digests; they must be of the same image",
		},
		"manifest against name": {
			name: dashed, reference: appReference, manifest: verify.Manifest{Digest: otherDigest},
			reason: "InvalidImage", message: "dockerImageManifest and the object's name state different digests; they must be of the same image",
		},
		"reference against name": {
			name: dashed, reference: repository + "@" + otherDigest.String(),
			reason: "InvalidImage", message: "dockerImageReference and the object's name state different digests; they must be of the same image",
		},
		"manifest against name, beside a digest of another algorithm": {
			name: dashed, reference: sha512, manifest: verify.Manifest{Digest: otherDigest},
			reason: "InvalidImage", message: "dockerImageManifest and the object's name state different digests; they must be of the same image",
		},
		"without a reference": {
			name: dashed, digest: appDigest, reason: "NoTrustPolicy",
			message: "dockerImageReference is empty, so that the signed name cannot be compared",
		},
		"a reference by SHA-512": {
			name: "app", reference: sha512, reason: "DigestUnknown",
			message: "dockerImageReference states a digest that is not sha256, which cannot be compared; use the sha256 digest",
		},
		"a reference by SHA-512 beside the manifest": {
			name: "app", reference: sha512, manifest: verify.Manifest{Digest: appDigest}, reason: "DigestUnknown",
			message: "dockerImageReference states a digest that is not sha256, which cannot be compared; use the sha256 digest",
		},
		"a manifest that cannot be read": {
			name: dashed, reference: appReference, manifest: verify.Manifest{Err: errors.New("the manifest is malformed")},
			reason: "InvalidImage", message: "dockerImageManifest: the manifest is malformed",
		},
		"a reference that is none": {
			name: "app", reference: "https://registry.example.com/team/app", manifest: verify.Manifest{Digest: appDigest}, reason: "InvalidImage",
			message: `dockerImageReference: "https://registry.example.com/team/app" is not an image reference: it starts with a scheme`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			in.Image.Name, in.Image.Reference, in.Image.Manifest = tt.name, verify.ParseReference(tt.reference), tt.manifest
			in.Policies[0].Identity = matcher(t, imageref.Rule{Match: imageref.MatchRepository})
			got := check(in)
			checkMessages(t, &got)
			if got.Digest != tt.digest || got.Reason != tt.reason {
				t.Errorf("digest %q, %s; want %q, %s", got.Digest, got.Reason, tt.digest, tt.reason)
			}
			if tt.message != "" && got.Message != tt.message {
				t.Errorf("message %q\nwant    %q", got.Message, tt.message)
			}
		})
	}
}
