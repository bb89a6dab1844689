// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"time"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

// gather collects what the verdict on an image depends on. Nothing that Assay wrote is among
// it, except that a publicKeyID, no matter who wrote it, asks for that key.
func gather(image *imagecache.Image, ref verify.Reference, snapshot *trust.Snapshot, now time.Time) verify.Input {
	in := verify.Input{
		Now: now,
		Image: verify.Image{
			Name:       image.Name,
			Reference:  ref,
			Manifest:   image.Manifest,
			Signatures: make([]verify.Signature, len(image.Signatures)),
		},
		Policies:    snapshot.PoliciesFor(ref.Named),
		RevokedKeys: snapshot.RevokedKeys(),
	}
	if image.Fault != nil {
		in.Image.Err = image.Fault
	}
	for i := range image.Signatures {
		s := &image.Signatures[i]
		in.Image.Signatures[i] = verify.Signature{Type: s.Type, Content: s.Content, PublicKeyID: publicKeyID(s)}
	}
	return in
}

func publicKeyID(s *imagev1.ImageSignature) string {
	if s.IssuedTo == nil {
		return ""
	}
	return s.IssuedTo.PublicKeyID
}
