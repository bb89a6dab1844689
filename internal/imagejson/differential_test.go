// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/verify"
)

const (
	recheck    = "assay.dev/recheck"
	discovered = "assay.dev/discovered"
)

// generic is what encoding/json reads, without what Decode leaves out.
func generic(text []byte) (imagejson.Entry, error) {
	var image imagev1.Image
	if err := json.Unmarshal(text, &image); err != nil {
		return imagejson.Entry{}, err
	}
	e := imagejson.Entry{Manifest: verify.ParseManifest([]byte(image.DockerImageManifest), image.DockerImageManifestMediaType)}
	meta := metav1.ObjectMeta{
		Name: image.Name, UID: image.UID, ResourceVersion: image.ResourceVersion, Generation: image.Generation,
		CreationTimestamp: image.CreationTimestamp, DeletionTimestamp: image.DeletionTimestamp, Finalizers: image.Finalizers,
	}
	if value, ok := image.Annotations[recheck]; ok {
		meta.Annotations = map[string]string{recheck: value}
	}
	if value, ok := image.Labels[discovered]; ok {
		meta.Labels = map[string]string{discovered: value}
	}
	image.TypeMeta, image.ObjectMeta = metav1.TypeMeta{}, meta
	image.DockerImageMetadata = runtime.RawExtension{}
	image.DockerImageManifest, image.DockerImageConfig = "", ""
	image.DockerImageManifests, image.DockerImageLayers, image.DockerImageSignatures = nil, nil, nil
	e.Image = image
	return e, nil
}

// FuzzDecode checks of any text: what encoding/json reads, Decode reads alike or finds a fault
// in; an Image with a fault has no signatures; what has none can be written, and read again
// with the same result; and where the text arrives in pieces makes no difference.
func FuzzDecode(f *testing.F) {
	for _, text := range images() {
		f.Add([]byte(text), 7)
	}
	f.Add([]byte(` ""`), 18)
	f.Fuzz(func(t *testing.T, text []byte, piece int) {
		got, err := imagejson.Decode(text, recheck)
		want, genericErr := generic(text)
		if err != nil {
			// encoding/json reads null as an Image without anything.
			if genericErr == nil && string(bytes.TrimSpace(text)) != "null" {
				t.Errorf("Decode fails where encoding/json does not: %v", err)
			}
			return
		}
		if got.Size <= 0 || got.Size > len(text) {
			t.Errorf("the Image has %d bytes of %d", got.Size, len(text))
		}
		if again, err := decodeInPieces(text, piece); err != nil || again.Size != got.Size || !cmp.Equal(got, again, byText) {
			t.Errorf("in pieces of %d bytes, Decode differs: %v (-whole +pieces)\n%s", piece, err, cmp.Diff(got, again, byText))
		}
		if got.Fault != nil {
			if got.Image.Signatures != nil || !cmp.Equal(got.Manifest, verify.Manifest{}) {
				t.Errorf("an Image with a fault has %d signatures and manifest %v", len(got.Image.Signatures), got.Manifest)
			}
			return
		}
		if diff := cmp.Diff(want, got, byText); genericErr == nil && diff != "" {
			t.Errorf("encoding/json and Decode differ (-json +Decode):\n%s", diff)
		}
		checkWritable(t, got.Image)
	})
}
