// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
	"github.com/assay-project/assay/internal/verify"
)

// gather collects what the verdict on an image depends on. Nothing that Assay wrote is among
// it, with two exceptions, neither of which makes an image verified: a publicKeyID, no matter who
// wrote it, asks for that key, and the condition Imported shows whether signatures may be missing.
func gather(image *imagecache.Image, ref verify.Reference, snapshot *trust.Snapshot, now time.Time) verify.Input {
	in := verify.Input{
		Now: now,
		Image: verify.Image{
			Name:       image.Name,
			Reference:  ref,
			Manifest:   image.Manifest,
			Signatures: make([]verify.Signature, len(image.Signatures)),
		},
		Policies:      snapshot.PoliciesFor(ref.Named),
		RevokedKeys:   snapshot.RevokedKeys(),
		RevokedKeysID: snapshot.RevokedKeysID(),
	}
	if image.Fault != nil {
		in.Image.Err = image.Fault
	}
	in.Image.Unavailable = unavailable(&image.Image)
	for i := range image.Signatures {
		s := &image.Signatures[i]
		in.Image.Signatures[i] = verify.Signature{Type: s.Type, Content: s.Content, PublicKeyID: publicKeyID(s)}
	}
	return in
}

// unavailable says why an Image may lack signatures that a store holds, empty when every store
// was asked, or when Assay fetches none. It goes by the condition that package importer writes.
func unavailable(image *imagev1.Image) string {
	if !assayv1alpha1.IsImported(image) {
		return ""
	}
	imported := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
	switch {
	case imported == nil:
		return "the signature stores of the image were not asked yet"
	case imported.Status == metav1.ConditionTrue:
		return ""
	default:
		return "a signature store of the image could not be asked (condition Imported: " + imported.Reason + ")"
	}
}

func publicKeyID(s *imagev1.ImageSignature) string {
	if s.IssuedTo == nil {
		return ""
	}
	return s.IssuedTo.PublicKeyID
}

// inputsOf identifies what gather takes from an Image. Manifest and fault are those of the cached
// Image, of which the other is the same or a later state that Assay has written.
func inputsOf(cached *imagecache.Image, image *imagev1.Image) verdictcache.Inputs {
	h := sha256.New()
	addText(h, image.Name, image.DockerImageReference, string(cached.Manifest.Digest), errorText(cached.Manifest.Err), unavailable(image))
	if cached.Fault != nil {
		addText(h, cached.Fault.Error())
	}
	addText(h, strconv.Itoa(len(image.Status.Tags)))
	for i := range image.Status.Tags {
		addText(h, image.Status.Tags[i].Name)
	}
	signatures := imagecache.InputsOf(image.Signatures)
	if cached.Omitted != nil {
		signatures = cached.Omitted.Inputs
	}
	h.Write(signatures[:])
	return verdictcache.Inputs(h.Sum(nil))
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// addText adds texts to a hash, each behind its length, so that no two lists of texts are alike.
func addText(h hash.Hash, texts ...string) {
	var length [8]byte
	for _, text := range texts {
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		h.Write(length[:])
		h.Write([]byte(text))
	}
}
