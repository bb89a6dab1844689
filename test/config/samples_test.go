// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// Annotations of the sample Images: what Assay is expected to find.
const (
	expectedVerified = "samples.assay.dev/expected-verified"
	expectedReason   = "samples.assay.dev/expected-reason"
)

// TestSamplesCoverTheVerdicts checks that the samples show what the README promises.
func TestSamplesCoverTheVerdicts(t *testing.T) {
	want := map[string]string{
		"verified":         "True " + assayv1alpha1.ReasonVerified,
		"named-by-digest":  "True " + assayv1alpha1.ReasonVerified,
		"signed-by-subkey": "True " + assayv1alpha1.ReasonVerified,
		"two-signatures":   "True " + assayv1alpha1.ReasonVerified,
		"mirrored":         "True " + assayv1alpha1.ReasonVerified,
		"tampered":         "False " + assayv1alpha1.ReasonInvalidSignature,
		"unknown-key":      "False " + assayv1alpha1.ReasonUntrustedKey,
		"expired-key":      "False " + assayv1alpha1.ReasonKeyExpired,
		"revoked-key":      "False " + assayv1alpha1.ReasonKeyRevoked,
		"other-digest":     "False " + assayv1alpha1.ReasonDigestMismatch,
		"other-name":       "False " + assayv1alpha1.ReasonIdentityMismatch,
		"armored":          "False " + assayv1alpha1.ReasonMalformedSignature,
		"unsigned":         "False " + assayv1alpha1.ReasonNoSignatures,
		"unknown-type":     "Unknown " + assayv1alpha1.ReasonUnsupportedType,
		"no-policy":        "Unknown " + assayv1alpha1.ReasonNoTrustPolicy,
		"keys-missing":     "Unknown " + assayv1alpha1.ReasonKeysUnavailable,
	}
	got := map[string]string{}
	for _, image := range sampleImages(t) {
		name := image.Name
		if strings.HasPrefix(name, "sha256-") {
			name = "named-by-digest"
		}
		got[name] = image.Annotations[expectedVerified] + " " + image.Annotations[expectedReason]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("expected verdicts (-want +got):\n%s", diff)
	}
}

// TestSamplesSurviveStorage checks that neither kustomize nor the API server changes what
// a verdict depends on: the bytes of the manifest and of the signatures.
func TestSamplesSurviveStorage(t *testing.T) {
	apply(t, build(t, configDir+"samples"))
	for _, image := range sampleImages(t) {
		stored := imagev1.Image{}
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(&image), &stored); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(image.Signatures, stored.Signatures); diff != "" {
			t.Errorf("%s: signatures (-sample +stored):\n%s", image.Name, diff)
		}
		if diff := cmp.Diff(image.DockerImageManifest, stored.DockerImageManifest); diff != "" {
			t.Errorf("%s: manifest (-sample +stored):\n%s", image.Name, diff)
		}
		for _, signature := range stored.Signatures {
			if !strings.HasPrefix(signature.Name, image.Name+"@") {
				t.Errorf("%s: a signature is called %q", image.Name, signature.Name)
			}
		}
	}
}

// TestNamedByDigest checks the sample whose name, reference and manifest all state the digest.
func TestNamedByDigest(t *testing.T) {
	for _, image := range sampleImages(t) {
		digits, ok := strings.CutPrefix(image.Name, "sha256-")
		if !ok {
			continue
		}
		sum := sha256.Sum256([]byte(image.DockerImageManifest))
		if got := hex.EncodeToString(sum[:]); got != digits {
			t.Errorf("the manifest's digest is %s, the name says %s", got, digits)
		}
		if !strings.HasSuffix(image.DockerImageReference, "@sha256:"+digits) {
			t.Errorf("the reference is %s", image.DockerImageReference)
		}
		return
	}
	t.Error("no sample is named sha256-<hex>")
}

// sampleImages returns the Images of config/samples as kustomize builds them.
func sampleImages(t *testing.T) []imagev1.Image {
	t.Helper()
	var images []imagev1.Image
	for _, object := range build(t, configDir+"samples") {
		if object.GetKind() != "Image" {
			continue
		}
		image := imagev1.Image{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &image, true); err != nil {
			t.Fatalf("%s: %v", object.GetName(), err)
		}
		images = append(images, image)
	}
	if len(images) == 0 {
		t.Fatal("there are no sample images")
	}
	return images
}
