// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/manifest"
)

// FuzzDigest checks three properties of any manifest. A refused one has no digest and no kind. An
// accepted one has only the members of its kind, even for a reader that ignores case as
// encoding/json does. Its digest is the digest of its bytes or, if it is signed, of a document with
// the same content but no signatures, which is accepted with the same digest.
func FuzzDigest(f *testing.F) {
	for _, content := range vectors(f) {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		info, err := manifest.Inspect(content)
		if err != nil {
			if !cmp.Equal(info, manifest.Info{}) {
				t.Fatal("an error comes with a digest")
			}
			if len(err.Error()) > 1024 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			return
		}
		if got := kindOf(t, content); got != info.MediaType {
			t.Errorf("Inspect says %s, encoding/json reads %s", info.MediaType, got)
		}
		named := content
		if info.MediaType == manifest.MediaTypeDockerSchema1Signed {
			named = signedDocument(t, content)
			want := manifest.Info{MediaType: manifest.MediaTypeDockerSchema1, Digest: info.Digest}
			if got, err := manifest.Inspect(named); err == nil && !cmp.Equal(got, want) {
				t.Errorf("the signed document is %+v, want %+v", got, want)
			}
		}
		if info.Digest != digest.FromBytes(named) {
			t.Errorf("digest %s, want %s", info.Digest, digest.FromBytes(named))
		}
	})
}

// kindOf returns the kind that a lenient reader finds, and fails if there is more than one.
func kindOf(t *testing.T, content []byte) string {
	t.Helper()
	var m struct {
		MediaType     string
		SchemaVersion int
		Config        *struct{ MediaType string }
		Layers        any
		Manifests     any
		FSLayers      any
		History       any
		Signatures    any
	}
	if err := json.Unmarshal(content, &m); err != nil {
		t.Fatalf("encoding/json refuses what is accepted: %v", err)
	}
	image, index, schema1 := m.Config != nil, m.Manifests != nil, m.SchemaVersion == 1
	if image && index || index && schema1 || schema1 && image || (index || schema1) && m.Layers != nil || !schema1 && (m.FSLayers != nil || m.History != nil) {
		t.Fatalf("encoding/json reads more than one kind: %+v", m)
	}
	switch {
	case schema1 && m.Signatures != nil:
		return manifest.MediaTypeDockerSchema1Signed
	case schema1:
		return manifest.MediaTypeDockerSchema1
	case m.MediaType != "":
		return m.MediaType
	case image && m.Config.MediaType == "application/vnd.docker.container.image.v1+json":
		return manifest.MediaTypeDockerManifest
	case image:
		return manifest.MediaTypeOCIManifest
	default:
		return manifest.MediaTypeOCIIndex
	}
}

// signedDocument assembles the signed document and checks that it has the content of the manifest.
func signedDocument(t *testing.T, content []byte) []byte {
	t.Helper()
	var whole, signed map[string]json.RawMessage
	var blocks []struct{ Protected string }
	var protected struct {
		FormatLength int
		FormatTail   string
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(json.Unmarshal(content, &whole))
	must(json.Unmarshal(whole["signatures"], &blocks))
	header, err := base64.RawURLEncoding.DecodeString(blocks[0].Protected)
	must(err)
	must(json.Unmarshal(header, &protected))
	tail, err := base64.RawURLEncoding.DecodeString(protected.FormatTail)
	must(err)

	document := append(content[:protected.FormatLength:protected.FormatLength], tail...)
	must(json.Unmarshal(document, &signed))
	delete(whole, "signatures")
	if diff := cmp.Diff(whole, signed); diff != "" {
		t.Errorf("the signed document is not the manifest (-manifest +signed):\n%s", diff)
	}
	return document
}
