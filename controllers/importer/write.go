// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
)

// startOfAPIServer is how long what an API server forbids may be due to its start.
const startOfAPIServer = 2 * time.Minute

// writtenImage is the state in which the last write left an Image.
type writtenImage struct {
	uid             types.UID
	resourceVersion string
	at              time.Time
}

// isBehind reports whether the cache does not show yet what was written, so that another write
// would conflict, and what was asked for would be asked for again.
func (r *Reconciler) isBehind(image *imagecache.Image) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, ok := r.written[image.Name]
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(image.ResourceVersion, done.resourceVersion)
	if err == nil && order < 0 && done.uid == image.UID && r.Clock.Since(done.at) < maxCacheLag {
		return true
	}
	delete(r.written, image.Name)
	return false
}

// store writes the result that waits for an Image, and repairs the condition. It reports whether it
// wrote anything. A result that could not be written is kept.
func (r *Reconciler) store(ctx context.Context, cached *imagecache.Image) (written bool, err error) {
	r.mu.Lock()
	pending, a := r.results[cached.Name], r.attempts[cached.Name]
	r.mu.Unlock()
	if pending != nil && (a == nil || a.uid != cached.UID) {
		// It is about an Image of the same name that is gone.
		r.drop(cached.Name, pending)
		pending = nil
	}
	now := metav1.NewTime(r.Clock.Now().Truncate(time.Second))
	image := cached.DeepCopy()
	if pending != nil {
		room := applySignatures(&image.Image, pending)
		if written, err = r.writeImage(ctx, cached, image, pending); err != nil {
			return written, r.refused(cached.Name, pending, err)
		}
		applyStatus(&image.Image, pending, room, now)
	}
	applyCondition(&image.Image, now)
	if !equality.Semantic.DeepEqual(cached.Status, image.Status) {
		if err := r.writeStatus(ctx, image); err != nil {
			return written, r.refused(cached.Name, pending, err)
		}
		written = true
		r.recordTransition(ctx, &cached.Image, &image.Image)
	}
	if pending != nil {
		r.drop(cached.Name, pending)
	}
	if written {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.written == nil {
			r.written = map[string]writtenImage{}
		}
		r.written[image.Name] = writtenImage{uid: image.UID, resourceVersion: image.ResourceVersion, at: r.Clock.Now()}
	}
	return written, nil
}

// refused keeps a result that another writer was faster than, or that the API server cannot take now.
// One that it will never take is dropped: the stores are asked again when it is time.
func (r *Reconciler) refused(name string, pending *result, err error) error {
	if pending == nil {
		return err
	}
	r.mu.Lock()
	last := r.attempts[name]
	r.mu.Unlock()
	// An API server that starts forbids everything until it has read the roles.
	forbidden := apierrors.IsForbidden(err) && (last == nil || r.Clock.Since(last.at) > startOfAPIServer)
	if forbidden || apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) {
		r.drop(name, pending)
	}
	return err
}

// drop forgets a result unless a newer one has taken its place.
func (r *Reconciler) drop(name string, done *result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.results[name] == done {
		delete(r.results, name)
	}
}

// writeImage stores signatures and the manifest of an index, in one patch, where they differ.
func (r *Reconciler) writeImage(ctx context.Context, cached, image *imagecache.Image, pending *result) (bool, error) {
	patch := map[string]any{}
	if !equality.Semantic.DeepEqual(cached.Signatures, image.Signatures) {
		patch["signatures"] = image.Signatures
	}
	if cached.Manifest.Digest == "" && cached.Manifest.Err == nil && pending.index != nil {
		patch["dockerImageManifest"] = string(pending.index)
		patch["dockerImageManifestMediaType"] = pending.mediaType
	}
	if len(patch) == 0 {
		return false, nil
	}
	if err := r.patch(ctx, image, patch, false); err != nil {
		return false, fmt.Errorf("writing signatures: %w", err)
	}
	return true, nil
}

// writeStatus stores status.import and the condition Imported. The conditions are a list, of which
// the others are sent along as they are: the resource version guards them.
func (r *Reconciler) writeStatus(ctx context.Context, image *imagecache.Image) error {
	status := map[string]any{"import": importPatch(image.Status.Import), "conditions": image.Status.Conditions}
	if err := r.patch(ctx, image, map[string]any{"status": status}, true); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	return nil
}

// clear removes status.import and the condition Imported from an Image that does not ask for import
// any more. Its signatures stay.
func (r *Reconciler) clear(ctx context.Context, cached *imagecache.Image) (ctrl.Result, error) {
	if cached.Status.Import == nil && meta.FindStatusCondition(cached.Status.Conditions, assayv1alpha1.ImportedCondition) == nil {
		return ctrl.Result{}, nil
	}
	image := cached.DeepCopy()
	meta.RemoveStatusCondition(&image.Status.Conditions, assayv1alpha1.ImportedCondition)
	status := map[string]any{"import": nil, "conditions": image.Status.Conditions}
	err := r.patch(ctx, image, map[string]any{"status": status}, true)
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	case client.IgnoreNotFound(err) != nil:
		return ctrl.Result{}, fmt.Errorf("clearing the status: %w", err)
	default:
		return ctrl.Result{}, nil
	}
}

// importPatch is status.import with every member, because a merge patch leaves those that it does
// not have.
func importPatch(in *imagev1.ImageImport) any {
	optional := func(value string) any {
		if value == "" {
			return nil
		}
		return value
	}
	stores := in.Stores
	if stores == nil {
		stores = []imagev1.ImportStore{}
	}
	return map[string]any{
		"result": in.Result, "lastTime": in.LastTime, "stores": stores,
		"configuration": optional(in.Configuration), "lastHandledRecheckRequest": optional(in.LastHandledRecheckRequest),
	}
}

// patch sends a merge patch (RFC 7396) that is guarded by the resource version, and leaves in image
// the one that it has then.
func (r *Reconciler) patch(ctx context.Context, image *imagecache.Image, patch map[string]any, status bool) error {
	patch["metadata"] = map[string]string{"resourceVersion": image.ResourceVersion, "uid": string(image.UID)}
	data, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: image.Name}}
	answer.SetGroupVersionKind(imagev1.GroupVersion.WithKind("Image"))
	if status {
		err = r.Status().Patch(ctx, answer, client.RawPatch(types.MergePatchType, data), client.FieldOwner(assayv1alpha1.FieldManager))
	} else {
		err = r.Patch(ctx, answer, client.RawPatch(types.MergePatchType, data), client.FieldOwner(assayv1alpha1.FieldManager))
	}
	if err != nil {
		return err
	}
	image.ResourceVersion, image.Generation = answer.ResourceVersion, answer.Generation
	return nil
}

// recordTransition emits an event when the result of an import changes to a failure or from one. The stored
// result counts, so that a restart repeats none; and one for the same reason is not repeated while it is
// still there, so that a host that comes and goes emits no more than one of each.
func (r *Reconciler) recordTransition(ctx context.Context, before, after *imagev1.Image) {
	was := ""
	if before.Status.Import != nil {
		was = before.Status.Import.Result
	}
	is := after.Status.Import.Result
	if was == is {
		return
	}
	logf.FromContext(ctx).Info("Signatures imported", "from", was, "result", is, "signatures", len(after.Signatures))
	eventType := corev1.EventTypeNormal
	switch {
	case isFailure(is):
		eventType = corev1.EventTypeWarning
	case !isFailure(was):
		return // The verdict has an event of its own.
	}
	now := r.Clock.Now()
	if r.emitted.Seen(string(after.UID), is, now) || !r.events.AllowN(now, 1) {
		return
	}
	r.emitted.Add(string(after.UID), is, now)
	r.Recorder.Eventf(after, nil, eventType, is, "Import", "%s", message(after.Status.Import))
}

// isFailure reports whether a result is one that somebody should know of.
func isFailure(result string) bool {
	return result != "" && isIncomplete(result) || result == assayv1alpha1.ReasonTooManySignatures || result == assayv1alpha1.ReasonTooLarge
}
