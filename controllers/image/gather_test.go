// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/verify"
)

// stored returns an Image with one signature.
func stored() *imagecache.Image {
	image := &imagecache.Image{Manifest: verify.Manifest{Digest: digest.FromString("manifest")}}
	image.Name, image.DockerImageReference = "app", "registry.example.com/app:v1"
	image.Signatures = []imagev1.ImageSignature{{Type: "atomic", Content: []byte("content")}}
	return image
}

// TestInputs checks that an Image has other inputs when something changes that its verdict depends
// on, and the same when only something else does.
func TestInputs(t *testing.T) {
	keyID := func(s *imagev1.ImageSignature, id string) {
		s.IssuedTo = &imagev1.SignatureSubject{PublicKeyID: id}
	}
	cases := map[string]struct {
		change func(*imagecache.Image)
		same   bool
	}{
		"nothing":             {func(*imagecache.Image) {}, true},
		"labels":              {func(i *imagecache.Image) { i.Labels = map[string]string{"a": "b"} }, true},
		"resource version":    {func(i *imagecache.Image) { i.ResourceVersion = "2" }, true},
		"status":              {func(i *imagecache.Image) { i.Status.Reason = "Verified" }, true},
		"conditions":          {func(i *imagecache.Image) { i.Signatures[0].Conditions = make([]imagev1.SignatureCondition, 2) }, true},
		"claims":              {func(i *imagecache.Image) { i.Signatures[0].SignedClaims = map[string]string{"a": "b"} }, true},
		"name of the signer":  {func(i *imagecache.Image) { i.Signatures[0].IssuedTo = &imagev1.SignatureSubject{} }, true},
		"name":                {func(i *imagecache.Image) { i.Name = "sha256-0" }, false},
		"reference":           {func(i *imagecache.Image) { i.DockerImageReference += "1" }, false},
		"manifest":            {func(i *imagecache.Image) { i.Manifest.Digest = digest.FromString("another") }, false},
		"ambiguous manifest":  {func(i *imagecache.Image) { i.Manifest.Err = errors.New("ambiguous") }, false},
		"fault":               {func(i *imagecache.Image) { i.Fault = &imagejson.Fault{Detail: "too large"} }, false},
		"type":                {func(i *imagecache.Image) { i.Signatures[0].Type = "sigstore" }, false},
		"content":             {func(i *imagecache.Image) { i.Signatures[0].Content = []byte("Content") }, false},
		"key ID":              {func(i *imagecache.Image) { keyID(&i.Signatures[0], "0x1") }, false},
		"no signatures":       {func(i *imagecache.Image) { i.Signatures = nil }, false},
		"another signature":   {func(i *imagecache.Image) { i.Signatures = append(i.Signatures, i.Signatures[0]) }, false},
		"key ID, not content": {func(i *imagecache.Image) { i.Signatures[0].Content = nil; keyID(&i.Signatures[0], "content") }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before, after := stored(), stored()
			c.change(after)
			if got := inputsOf(before, &before.Image) == inputsOf(after, &after.Image); got != c.same {
				t.Errorf("the same inputs: %v, want %v", got, c.same)
			}
		})
	}
}

// TestState checks that an Image has another state when something changes that is read from it or
// written to it.
func TestState(t *testing.T) {
	cases := map[string]struct {
		change func(*imagecache.Image)
		same   bool
	}{
		"resource version": {func(i *imagecache.Image) { i.ResourceVersion = "2" }, true},
		"labels":           {func(i *imagecache.Image) { i.Labels = map[string]string{"a": "b"} }, true},
		"other annotation": {func(i *imagecache.Image) { i.Annotations = map[string]string{"a": "b"} }, true},
		"recheck request": {func(i *imagecache.Image) {
			i.Annotations = map[string]string{assayv1alpha1.RecheckRequestedAtAnnotation: "now"}
		}, false},
		"status":    {func(i *imagecache.Image) { i.Status.Conditions = []metav1.Condition{{Type: "Verified"}} }, false},
		"signature": {func(i *imagecache.Image) { i.Signatures[0].Content = nil }, false},
		"condition of a signature": {func(i *imagecache.Image) {
			i.Signatures[0].Conditions = []imagev1.SignatureCondition{{Type: imagev1.SignatureComplete, Status: corev1.ConditionTrue}}
		}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before, after := stored(), stored()
			c.change(after)
			is := stateOf(before, &before.Image, inputsOf(before, &before.Image)) == stateOf(after, &after.Image, inputsOf(after, &after.Image))
			if is != c.same {
				t.Errorf("the same state: %v, want %v", is, c.same)
			}
		})
	}
}
