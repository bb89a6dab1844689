// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/manifest"
)

// platforms of the indexes of these tests. The last is how build tools mark attestations.
var platforms = []string{"amd64", "arm64", "unknown"}

// platformDigest is that of the image of a platform.
func (f *fixture) platformDigest(platform string) digest.Digest {
	return digest.FromString(f.name + "/" + platform)
}

// platformEntry is how a Pod names the image of a platform.
func (f *fixture) platformEntry(platform string) string {
	return f.repository() + "@" + f.platformDigest(platform).String()
}

// platformImage is the Image of a platform, with signatures.
func (f *fixture) platformImage(platform string, signers ...signer) *imagev1.Image {
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name + "-" + platform}, DockerImageReference: f.platformEntry(platform)}
	for _, s := range signers {
		image.Signatures = append(image.Signatures, imagev1.ImageSignature{
			SignatureMeta: imagev1.SignatureMeta{Name: image.Name + "@" + s.name},
			Type:          imagev1.SignatureTypeAtomicImageV1,
			Content:       s.sign(f.platformDigest(platform), f.repository()+":v1"),
		})
	}
	return image
}

// index is the Image of an index of the platforms, with signatures of its own digest, and the
// entry by which a Pod names it.
func (f *fixture) index(signers ...signer) (image *imagev1.Image, entry string) {
	var list []string
	for _, platform := range platforms {
		system := "linux"
		if platform == "unknown" {
			system = platform
		}
		list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":7,"platform":{"architecture":%q,"os":%q}}`,
			manifest.MediaTypeOCIManifest, f.platformDigest(platform), platform, system))
	}
	text := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, manifest.MediaTypeOCIIndex, strings.Join(list, ","))
	d := digest.FromString(text)
	entry = f.repository() + "@" + d.String()
	image = &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name + "-index"}, DockerImageReference: entry, DockerImageManifest: text}
	for _, s := range signers {
		image.Signatures = append(image.Signatures, imagev1.ImageSignature{
			SignatureMeta: imagev1.SignatureMeta{Name: image.Name + "@" + s.name},
			Type:          imagev1.SignatureTypeAtomicImageV1, Content: s.sign(d, f.repository()+":v1"),
		})
	}
	return image, entry
}

// An index that nobody signed is admitted while the images of all platforms are verified, and its
// own verdict is what it was.
func TestIndexOfVerifiedImages(t *testing.T) {
	f := newFixture(t)
	first, second := newSigner("first"), newSigner("second")
	secret := f.secret(first, second)
	image, entry := f.index()
	// Anybody may write this list, so it counts for nothing.
	image.DockerImageManifests = []imagev1.ImageManifest{{Digest: f.platformDigest("amd64").String(), MediaType: manifest.MediaTypeOCIManifest, Architecture: "amd64", OS: "linux"}}
	f.create(secret, f.fromSecret(f.policy()), image, f.platformImage("amd64", first))
	f.listed(f.platformEntry("amd64"), true)
	f.listed(entry, false)

	arm := f.platformImage("arm64", second)
	f.create(arm)
	f.listed(entry, true)
	f.listed(f.platformEntry("unknown"), false)
	got := f.verdict(image.Name, metav1.ConditionFalse, assayv1alpha1.ReasonNoSignatures)
	if message := got.Status.Conditions[0].Message; !strings.Contains(message, "or every image that it lists") {
		t.Errorf("the message does not explain the index: %s", message)
	}

	update(f, secret, func(s *corev1.Secret) { s.Data["second.asc"] = second.revokedKey() })
	f.listed(f.platformEntry("arm64"), false)
	f.listed(entry, false)
	f.listed(f.platformEntry("amd64"), true)
	update(f, secret, func(s *corev1.Secret) { s.Data["second.asc"] = second.publicKey() })
	f.listed(entry, true)
	if err := testClient.Delete(f.ctx, arm); err != nil {
		t.Fatal(err)
	}
	f.listed(entry, false)
}

// The images that a verified index lists are admitted as long as it is verified, whether or not
// they have Images.
func TestImagesOfAVerifiedIndex(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	secret := f.secret(release)
	image, entry := f.index(release)
	f.create(secret, f.fromSecret(f.policy()), image, f.platformImage("amd64"))
	for _, platform := range platforms {
		f.listed(f.platformEntry(platform), true)
	}
	f.verdict(f.name+"-amd64", metav1.ConditionFalse, assayv1alpha1.ReasonNoSignatures)

	// A policy with the digest as its scope applies to that digest alone.
	own := f.policy(newSigner("strict"))
	own.Name += "-own"
	own.Spec.Scopes = scopes(f.platformEntry("arm64"))
	f.create(own)
	f.listed(f.platformEntry("arm64"), false)
	f.listed(f.platformEntry("amd64"), true)

	update(f, secret, func(s *corev1.Secret) { s.Data["release.asc"] = release.revokedKey() })
	f.listed(entry, false)
	f.listed(f.platformEntry("amd64"), false)
	f.listed(f.platformEntry("unknown"), false)
}

// A manifest whose bytes are not those of the digest that the Image states lists nothing.
func TestIndexOfOtherBytes(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	image, entry := f.index(release)
	image.DockerImageManifest += " "
	f.create(f.policy(release), image, f.platformImage("amd64", release), f.platformImage("arm64", release))
	f.verdict(image.Name, metav1.ConditionFalse, assayv1alpha1.ReasonInvalidImage)
	f.listed(f.platformEntry("arm64"), true)
	f.listed(entry, false)
	f.listed(f.platformEntry("unknown"), false)
}
