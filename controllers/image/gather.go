// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"time"
	"unique"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/runtime"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

// gather collects what the verdict on an image depends on. Nothing that Assay wrote is among
// it, except that a publicKeyID, no matter who wrote it, asks for that key.
func gather(image *imagev1.Image, ref verify.Reference, snapshot *trust.Snapshot, now time.Time) verify.Input {
	in := verify.Input{
		Now: now,
		Image: verify.Image{
			Name:       image.Name,
			Reference:  ref,
			Manifest:   parseManifest(image),
			Signatures: make([]verify.Signature, len(image.Signatures)),
		},
		Policies:    snapshot.PoliciesFor(ref.Named),
		RevokedKeys: snapshot.RevokedKeys(),
	}
	for i := range image.Signatures {
		s := &image.Signatures[i]
		in.Image.Signatures[i] = verify.Signature{Type: s.Type, Content: s.Content, PublicKeyID: publicKeyID(s)}
	}
	return in
}

// parseManifest computes the digest of the image's manifest, unless CompactImage has done so.
func parseManifest(image *imagev1.Image) verify.Manifest {
	if summary := image.ManifestSummary; summary != nil {
		m := verify.Manifest{Digest: digest.Digest(summary.Digest)}
		if summary.Problem != "" {
			m.Err = errors.New(summary.Problem)
		}
		return m
	}
	return verify.ParseManifest([]byte(image.DockerImageManifest), image.DockerImageManifestMediaType)
}

// CompactImage is a cache transform (cache.TransformFunc): it drops from an Image
// whatever no verdict depends on, and replaces the manifest by its digest. Manifest,
// configuration and metadata are most of an Image, and a cache holds all Images.
//
// The reconcilers write patches of signatures and status only, so that nothing that is
// dropped here is ever written back.
func CompactImage(obj any) (any, error) {
	image, ok := obj.(*imagev1.Image)
	if !ok || image.ManifestSummary != nil {
		return obj, nil
	}
	m := parseManifest(image)
	image.ManifestSummary = &imagev1.ManifestSummary{Digest: m.Digest.String()}
	if m.Err != nil {
		image.ManifestSummary.Problem = m.Err.Error()
	}
	image.DockerImageManifest = ""
	image.DockerImageConfig = ""
	image.DockerImageMetadata = runtime.RawExtension{}
	image.DockerImageManifests = nil
	image.DockerImageLayers = nil
	image.DockerImageSignatures = nil
	image.ManagedFields = nil
	if request, ok := image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation]; ok {
		image.Annotations = map[string]string{assayv1alpha1.RecheckRequestedAtAnnotation: request}
	} else {
		image.Annotations = nil
	}
	image.Labels = nil
	internStrings(image)
	return image, nil
}

// internStrings keeps one copy in memory of strings that many Images have.
func internStrings(image *imagev1.Image) {
	for i := range image.Signatures {
		s := &image.Signatures[i]
		intern(&s.Type)
		for j := range s.Conditions {
			c := &s.Conditions[j]
			intern(&c.Type)
			intern(&c.Status)
			intern(&c.Reason)
			intern(&c.Message)
		}
		if s.IssuedBy != nil {
			intern(&s.IssuedBy.CommonName)
		}
		if s.IssuedTo != nil {
			intern(&s.IssuedTo.CommonName)
			intern(&s.IssuedTo.PublicKeyID)
		}
	}
	for i := range image.Status.Conditions {
		c := &image.Status.Conditions[i]
		intern(&c.Type)
		intern(&c.Status)
		intern(&c.Reason)
		intern(&c.Message)
	}
	for i := range image.Status.Policies {
		p := &image.Status.Policies[i]
		intern(&p.Name)
		intern(&p.Scope)
		intern(&p.Status)
	}
}

func intern[T ~string](s *T) { *s = unique.Make(*s).Value() }

func publicKeyID(s *imagev1.ImageSignature) string {
	if s.IssuedTo == nil {
		return ""
	}
	return s.IssuedTo.PublicKeyID
}
