// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/verify"
)

// write stores the signatures and the status of image where they differ from stored, and
// leaves in image the resource version and generation that it has then.
func (r *Reconciler) write(ctx context.Context, stored, image *imagev1.Image, verdict *verify.Verdict, now metav1.Time) error {
	if !equality.Semantic.DeepEqual(stored.Signatures, image.Signatures) {
		if err := r.patch(ctx, signaturesPart, stored, image); err != nil {
			return r.writeStatusAfter(ctx, stored, verdict, now, err)
		}
	}
	return r.writeStatus(ctx, image, verdict, now)
}

// writeStatus stores the verdict in the status of an image where it differs.
func (r *Reconciler) writeStatus(ctx context.Context, image *imagev1.Image, verdict *verify.Verdict, now metav1.Time) error {
	before := image.DeepCopy()
	applyStatus(image, verdict, now)
	if equality.Semantic.DeepEqual(before.Status, image.Status) {
		return nil
	}
	return r.patch(ctx, statusPart, before, image)
}

// writeStatusAfter writes the status although the signatures could not be written, unless
// another writer was faster. An admission policy of the cluster or an object that is too
// large must not keep an outdated verdict in place.
func (r *Reconciler) writeStatusAfter(ctx context.Context, stored *imagev1.Image, verdict *verify.Verdict, now metav1.Time, cause error) error {
	if apierrors.IsConflict(cause) || apierrors.IsNotFound(cause) {
		return cause
	}
	return errors.Join(cause, r.writeStatus(ctx, stored.DeepCopy(), verdict, now))
}

// withdraw stores the status of an Image that was verified and no longer is, without the guard
// of the resource version, after a write has conflicted. A client that writes an Image faster
// than its verdict is written cannot keep an old one in place. What is written is safe for any
// state of the Image, and the next run corrects it.
func (r *Reconciler) withdraw(ctx context.Context, e *Evaluation) error {
	if e.Verdict.Outcome == verify.Verified || !claimsVerified(e.Image) {
		return nil
	}
	before := onlyStatus(e.Image)
	before.UID, before.ResourceVersion = "", ""
	after := e.Image.DeepCopy()
	applyStatus(after, &e.Verdict, e.Now)
	after = onlyStatus(after)
	// Another Image of the same name is another UID, which the API server refuses.
	after.UID, after.ResourceVersion = e.Image.UID, ""
	data, err := client.MergeFrom(before).Data(after)
	if err != nil {
		return err
	}
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: e.Image.Name}}
	answer.SetGroupVersionKind(imagev1.GroupVersion.WithKind("Image"))
	if err := r.Status().Patch(ctx, answer, client.RawPatch(types.MergePatchType, data), client.FieldOwner(assayv1alpha1.FieldManager)); err != nil {
		return fmt.Errorf("withdrawing the verdict: %w", err)
	}
	return nil
}

// patch sends the difference between two states of a part of an image, guarded by the
// image's resource version. It asks for the metadata alone in the answer, and compares the
// part alone: the rest of an image is large, and would have to be encoded and decoded for
// each patch.
func (r *Reconciler) patch(ctx context.Context, part imagePart, stored, image *imagev1.Image) error {
	data, err := part.difference(stored, image)
	if err != nil {
		return err
	}
	patch := client.RawPatch(types.MergePatchType, data)
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: image.Name}}
	answer.SetGroupVersionKind(imagev1.GroupVersion.WithKind("Image"))
	if part == statusPart {
		err = r.Status().Patch(ctx, answer, patch, client.FieldOwner(assayv1alpha1.FieldManager))
	} else {
		err = r.Patch(ctx, answer, patch, client.FieldOwner(assayv1alpha1.FieldManager))
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", part, err)
	}
	image.ResourceVersion, image.Generation = answer.ResourceVersion, answer.Generation
	return nil
}

// imagePart is a part of an image that is written by itself.
type imagePart string

const (
	signaturesPart imagePart = "signatures"
	statusPart     imagePart = "status"
)

// difference returns the JSON merge patch (RFC 7396) that makes the part of one image that
// of the other, for as long as nobody has written the image meanwhile.
func (p imagePart) difference(from, to *imagev1.Image) ([]byte, error) {
	if p == statusPart {
		return client.MergeFromWithOptions(onlyStatus(from), client.MergeFromWithOptimisticLock{}).Data(onlyStatus(to))
	}
	// A list is replaced as a whole, so there is nothing to compare.
	return json.Marshal(map[string]any{
		"metadata":   map[string]string{"resourceVersion": from.ResourceVersion},
		"signatures": to.Signatures,
	})
}

// onlyStatus returns an image that has the status, and of the rest what a patch needs.
func onlyStatus(image *imagev1.Image) *imagev1.Image {
	return &imagev1.Image{
		ObjectMeta: metav1.ObjectMeta{Name: image.Name, ResourceVersion: image.ResourceVersion},
		Status:     image.Status,
	}
}
