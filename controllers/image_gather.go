// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"
	"unique"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/runtime"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/verify"
)

// gather puts together what the verdict about an image depends on. Nothing that Assay
// wrote is among it, except that a publicKeyID, whoever wrote it, asks for that key.
func gather(image *imagev1.Image, trust *trustSnapshot, now time.Time) verify.Input {
	ref := verify.ReadReference(image.DockerImageReference)
	in := verify.Input{
		Now: now,
		Image: verify.Image{
			Name:       image.Name,
			Reference:  ref,
			Manifest:   readManifest(image),
			Signatures: make([]verify.Signature, len(image.Signatures)),
		},
		Policies: trust.policiesFor(ref.Named),
	}
	for i := range image.Signatures {
		s := &image.Signatures[i]
		in.Image.Signatures[i] = verify.Signature{Type: s.Type, Content: s.Content, PublicKeyID: publicKeyID(s)}
	}
	return in
}

// readManifest computes the digest of the image's manifest, unless CompactImage has done so.
func readManifest(image *imagev1.Image) verify.Manifest {
	if summary := image.ManifestSummary; summary != nil {
		return verify.Manifest{Digest: digest.Digest(summary.Digest), Problem: summary.Problem}
	}
	return verify.ReadManifest([]byte(image.DockerImageManifest), image.DockerImageManifestMediaType)
}

// CompactImage is a cache transform (cache.TransformFunc): it leaves out of an Image what no
// verdict depends on, and puts the digest in the place of the manifest. Manifest,
// configuration and metadata are most of an Image, and a cache holds every one.
//
// The reconcilers write patches of signatures and status only, so that nothing that is
// left out here is ever written back.
func CompactImage(obj any) (any, error) {
	image, ok := obj.(*imagev1.Image)
	if !ok || image.ManifestSummary != nil {
		return obj, nil
	}
	m := readManifest(image)
	image.ManifestSummary = &imagev1.ManifestSummary{Digest: m.Digest.String(), Problem: m.Problem}
	image.DockerImageManifest = ""
	image.DockerImageConfig = ""
	image.DockerImageMetadata = runtime.RawExtension{}
	image.DockerImageManifests = nil
	image.DockerImageLayers = nil
	image.DockerImageSignatures = nil
	image.ManagedFields = nil
	if probe, ok := image.Annotations[assayv1alpha1.ProbeRequestedAtAnnotation]; ok {
		image.Annotations = map[string]string{assayv1alpha1.ProbeRequestedAtAnnotation: probe}
	} else {
		image.Annotations = nil
	}
	image.Labels = nil
	shareTexts(image)
	return image, nil
}

// shareTexts makes equal texts that many Images have one text in memory.
func shareTexts(image *imagev1.Image) {
	for i := range image.Signatures {
		s := &image.Signatures[i]
		share(&s.Type)
		for j := range s.Conditions {
			c := &s.Conditions[j]
			share(&c.Type)
			share(&c.Status)
			share(&c.Reason)
			share(&c.Message)
		}
		if s.IssuedBy != nil {
			share(&s.IssuedBy.CommonName)
		}
		if s.IssuedTo != nil {
			share(&s.IssuedTo.CommonName)
			share(&s.IssuedTo.PublicKeyID)
		}
	}
	for i := range image.Status.Conditions {
		c := &image.Status.Conditions[i]
		share(&c.Type)
		share(&c.Status)
		share(&c.Reason)
		share(&c.Message)
	}
	for i := range image.Status.Policies {
		p := &image.Status.Policies[i]
		share(&p.Name)
		share(&p.Scope)
		share(&p.Status)
	}
}

func share[T ~string](text *T) { *text = unique.Make(*text).Value() }

func publicKeyID(s *imagev1.ImageSignature) string {
	if s.IssuedTo == nil {
		return ""
	}
	return s.IssuedTo.PublicKeyID
}
