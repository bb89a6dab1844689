// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// credential is what images are pushed with.
func (s *site) credential() remote.Option {
	if s.private {
		return remote.WithAuth(&authn.Basic{Username: user, Password: password})
	}
	return remote.WithAuth(authn.Anonymous)
}

func (s *site) tag(repository, tag string) name.Tag {
	s.Helper()
	ref, err := name.NewTag(s.host+"/"+repository+":"+tag, name.Insecure)
	if err != nil {
		s.Fatal(err)
	}
	return ref
}

// newImage returns an image with a random layer.
func (s *site) newImage() v1.Image {
	s.Helper()
	layer, err := random.Layer(1024, types.OCILayer)
	if err != nil {
		s.Fatal(err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		s.Fatal(err)
	}
	return image
}

// push pushes an image under the tag v1, and returns its digest.
func (s *site) push(repository string) digest.Digest {
	s.Helper()
	image := s.newImage()
	if err := remote.Write(s.tag(repository, "v1"), image, s.credential()); err != nil {
		s.Fatal(err)
	}
	return s.digestOf(image.Digest())
}

// pushIndex pushes an index of two platforms under the tag v1.
func (s *site) pushIndex(repository string) (index digest.Digest, platforms []digest.Digest) {
	s.Helper()
	all := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, architecture := range []string{"amd64", "arm64"} {
		image := s.newImage()
		all = mutate.AppendManifests(all, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
		platforms = append(platforms, s.digestOf(image.Digest()))
	}
	if err := remote.WriteIndex(s.tag(repository, "v1"), all, s.credential()); err != nil {
		s.Fatal(err)
	}
	return s.digestOf(all.Digest()), platforms
}

// current returns what the tag v1 names.
func (s *site) current(repository string) (d digest.Digest, raw []byte) {
	s.Helper()
	got, err := remote.Get(s.tag(repository, "v1"), s.credential())
	if err != nil {
		s.Fatal(err)
	}
	return digest.Digest(got.Digest.String()), got.Manifest
}

func (s *site) digestOf(hash v1.Hash, err error) digest.Digest {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	return digest.Digest(hash.String())
}

// attachCosign pushes signatures in the form of cosign 2: the layers of the tag sha256-<hex>.sig.
func (s *site) attachCosign(repository string, d digest.Digest, signatures map[string][]byte) {
	s.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for payload, signature := range signatures {
		var err error
		image, err = mutate.Append(image, mutate.Addendum{
			Layer:       static.NewLayer([]byte(payload), "application/vnd.dev.cosign.simplesigning.v1+json"),
			Annotations: map[string]string{"dev.cosignproject.cosign/signature": st.Base64(signature)},
		})
		if err != nil {
			s.Fatal(err)
		}
	}
	if err := remote.Write(s.tag(repository, "sha256-"+d.Encoded()+".sig"), image, s.credential()); err != nil {
		s.Fatal(err)
	}
}

// attachReferrer pushes a document as a referrer of an image: where a registry has no referrers,
// the library writes the tag that stands for them.
func (s *site) attachReferrer(repository string, subject digest.Digest, mediaType string, document []byte) {
	s.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(mediaType))
	image, err := mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(document, types.MediaType(mediaType))})
	if err != nil {
		s.Fatal(err)
	}
	ref, err := name.NewDigest(s.host+"/"+repository+"@"+subject.String(), name.Insecure)
	if err != nil {
		s.Fatal(err)
	}
	described, err := remote.Head(ref, s.credential())
	if err != nil {
		s.Fatal(err)
	}
	attached, ok := mutate.Subject(image, *described).(v1.Image)
	if !ok {
		s.Fatal("the subject of an image makes no image")
	}
	attachedDigest := s.digestOf(attached.Digest())
	to, err := name.NewDigest(s.host+"/"+repository+"@"+attachedDigest.String(), name.Insecure)
	if err != nil {
		s.Fatal(err)
	}
	if err := remote.Write(to, attached, s.credential()); err != nil {
		s.Fatal(err)
	}
}
