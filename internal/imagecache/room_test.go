// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/verify"
)

// entry is an Image that takes about so many bytes, in signatures of a kilobyte.
func entry(uid string, size int) imagejson.Entry {
	e := imagejson.Entry{}
	e.Image.UID, e.Image.Name = types.UID(uid), uid
	for range size / 1024 {
		e.Image.Signatures = append(e.Image.Signatures, imagev1.ImageSignature{Content: make([]byte, 1024-signatureSize)})
	}
	return e
}

// TestRoom checks what is kept while Images come, change and go: small ones have half of the room,
// large ones the other half, and none more than one may take.
func TestRoom(t *testing.T) {
	const small, large = 8 << 10, 32 << 10
	r := newRoom(2 * 64 << 10)
	steps := []struct {
		uid  string
		size int
		kept bool
	}{
		{"huge", maxLarge + 1024, false},
		{"large-1", large, true},
		{"large-2", large, true},
		{"large-3", large, false},
		{"large-1", large, true}, // The same again.
		{"small-1", small, true},
		{"large-2", small, true}, // One becomes small,
		{"large-3", large, true}, // which makes room for another.
		{"large-4", large, false},
		{"small-1", 0, true},
		{"huge", maxLarge + 1024, false},
	}
	for i, step := range steps {
		image := r.keep(entry(step.uid, step.size))
		if kept := image.Omitted == nil; kept != step.kept {
			t.Fatalf("step %d: %s of %d bytes is kept: %v, want %v", i, step.uid, step.size, kept, step.kept)
		}
		if n := step.size / 1024; step.kept && len(image.Signatures) != n || !step.kept && image.Signatures != nil {
			t.Errorf("step %d: %d signatures", i, len(image.Signatures))
		}
	}
	for n := range 100 { // Many small ones do not crowd out a large one.
		r.keep(entry(fmt.Sprint("many-", n), small))
	}
	if image := r.keep(entry("last", small)); image.Omitted == nil || !image.Omitted.Small {
		t.Errorf("there is room for more small Images than fit: %+v", image.Omitted)
	}
	r.leave("large-1")
	if image := r.keep(entry("large-4", large)); image.Omitted != nil {
		t.Error("no room for a large Image after another one has gone")
	}
	r.leave("large-1")
	r.leave("never seen")
	r.clear()
	if r.small != 0 || r.large != 0 || len(r.byUID) != 0 {
		t.Errorf("after a new list %d and %d bytes are taken by %d Images", r.small, r.large, len(r.byUID))
	}
	var everything *room
	everything.clear()
	if image := everything.keep(entry("huge", 1<<20)); image.Omitted != nil {
		t.Error("a whole Image is asked for, and its signatures are left out")
	}
}

// TestOmitted checks that what is left out is identified as if it were there, and what counts.
func TestOmitted(t *testing.T) {
	whole := entry("app", maxLarge+1024)
	whole.Image.Finalizers = []string{"example.com/a"}
	whole.Manifest = verify.Manifest{Children: make([]manifest.Child, 3)}
	want := whole.Image.Signatures
	image := newRoom(1 << 20).keep(whole)
	if image.Omitted == nil || image.Omitted.Inputs != InputsOf(want) || image.Omitted.State != StateOf(want) || image.Omitted.Small {
		t.Errorf("omitted: %+v", image.Omitted)
	}
	if image.Signatures != nil || image.Manifest.Children != nil || image.Finalizers != nil {
		t.Error("something is kept that is left out")
	}
	copied := image.DeepCopy()
	if copied.Omitted == nil || *copied.Omitted != *image.Omitted {
		t.Errorf("a copy has %+v", copied.Omitted)
	}
}

// TestSize checks that everything counts that somebody can make large.
func TestSize(t *testing.T) {
	const long = 10_000
	text := string(make([]byte, long))
	signature := func(s imagev1.ImageSignature) Image {
		return Image{Image: imagev1.Image{Signatures: []imagev1.ImageSignature{s}}}
	}
	entity := imagev1.SignatureGenericEntity{CommonName: text}
	for name, image := range map[string]Image{
		"content":               signature(imagev1.ImageSignature{Content: []byte(text)}),
		"identity":              signature(imagev1.ImageSignature{ImageIdentity: text}),
		"claims":                signature(imagev1.ImageSignature{SignedClaims: map[string]string{"a": text}}),
		"labels":                signature(imagev1.ImageSignature{SignatureMeta: imagev1.SignatureMeta{Labels: map[string]string{text: ""}}}),
		"annotations":           signature(imagev1.ImageSignature{SignatureMeta: imagev1.SignatureMeta{Annotations: map[string]string{"a": text}}}),
		"finalizers":            signature(imagev1.ImageSignature{SignatureMeta: imagev1.SignatureMeta{Finalizers: []string{text}}}),
		"conditions":            signature(imagev1.ImageSignature{Conditions: []imagev1.SignatureCondition{{Message: text}}}),
		"many empty conditions": signature(imagev1.ImageSignature{Conditions: make([]imagev1.SignatureCondition, long/conditionSize+1)}),
		"issuer":                signature(imagev1.ImageSignature{IssuedBy: &imagev1.SignatureIssuer{SignatureGenericEntity: entity}}),
		"subject":               signature(imagev1.ImageSignature{IssuedTo: &imagev1.SignatureSubject{SignatureGenericEntity: entity}}),
		"key ID":                signature(imagev1.ImageSignature{IssuedTo: &imagev1.SignatureSubject{PublicKeyID: text}}),
		"children":              {Manifest: verify.Manifest{Children: make([]manifest.Child, long/childSize+1)}},
		"empty signatures":      {Image: imagev1.Image{Signatures: make([]imagev1.ImageSignature, long/signatureSize+1)}},
	} {
		if got := sizeOf(&image); got < long || got > long+2*signatureSize {
			t.Errorf("%s: %d bytes, want about %d", name, got, long)
		}
	}
	if got := sizeOf(&Image{}); got != 0 {
		t.Errorf("an Image without signatures takes %d bytes", got)
	}
}
