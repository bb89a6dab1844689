// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
)

const (
	// batch is how many writes a run makes. What is new meanwhile goes first in the next one.
	batch = 32
	// writers is how many of them are under way at the same time.
	writers = 4

	// firstWriteRetry and maxWriteRetry bound how long to wait after a write was refused: twice
	// as long each time.
	firstWriteRetry = time.Second
	maxWriteRetry   = 5 * time.Minute

	// repositoryDigits is how many hexadecimal digits of the hash of a repository tell two
	// Images of one digest apart.
	repositoryDigits = 10
)

// retry is when to try again what has failed.
type retry struct {
	at       time.Time
	failures int
}

// write is one write.
type write struct {
	// key names what is written, for retries.
	key string
	do  func(context.Context) error
}

// apply makes the next writes of a plan. left reports whether there are more, and retryIn when
// those are due that have failed, zero without one.
func (r *Reconciler) apply(ctx context.Context, p *plan) (left bool, retryIn time.Duration) {
	now := r.Clock.Now()
	var due []write
	for _, w := range r.writes(p) {
		if at := r.retries[w.key].at; at.After(now) {
			retryIn = soonest(retryIn, at.Sub(now))
		} else {
			due = append(due, w)
		}
	}
	r.forgetRetries(now)
	left = len(due) > batch
	due = due[:min(len(due), batch)]
	results := make([]error, len(due))
	var group sync.WaitGroup
	for first := range min(writers, len(due)) {
		group.Go(func() {
			for i := first; i < len(due); i += writers {
				results[i] = due[i].do(ctx)
			}
		})
	}
	group.Wait()
	for i, err := range results {
		if wait := r.handle(ctx, due[i].key, err, now); wait > 0 {
			retryIn = soonest(retryIn, wait)
		}
	}
	return left, retryIn
}

// handle records the result of a write, and returns how long to wait before the next attempt. A
// write that came too late is not a failure: the event about what came before it causes a run.
func (r *Reconciler) handle(ctx context.Context, key string, err error, now time.Time) time.Duration {
	if err == nil || ctx.Err() != nil {
		delete(r.retries, key)
		return 0
	}
	failed := r.retries[key]
	failed.failures++
	wait := min(firstWriteRetry<<min(failed.failures-1, 16), maxWriteRetry)
	failed.at = now.Add(wait)
	r.retries[key] = failed
	if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && !apierrors.IsAlreadyExists(err) {
		failuresTotal.Inc()
		logf.FromContext(ctx).Error(err, "Cannot write a discovered Image", "image", key)
	}
	return wait
}

// forgetRetries drops what has not been tried again for long: it is not wanted any more.
func (r *Reconciler) forgetRetries(now time.Time) {
	for key, failed := range r.retries {
		if now.Sub(failed.at) > maxWriteRetry {
			delete(r.retries, key)
		}
	}
}

// writes returns the writes of a plan in their order. A status is written only after what
// somebody may wait for.
func (r *Reconciler) writes(p *plan) []write {
	var all []write
	for _, entry := range p.create {
		all = append(all, write{entry, func(ctx context.Context) error { return r.create(ctx, entry) }})
	}
	status := func(f *imageFacts, status map[string]any) {
		all = append(all, write{f.name, func(ctx context.Context) error { return r.patchStatus(ctx, f, status) }})
	}
	for _, f := range p.clear {
		status(f, map[string]any{"unusedSince": nil})
	}
	for _, t := range p.retag {
		tags := make([]imagev1.ImageTag, len(t.tags))
		for i, tag := range t.tags {
			tags[i].Name = tag
		}
		all = append(all, write{t.image.name, func(ctx context.Context) error {
			err := r.patchStatus(ctx, t.image, map[string]any{"tags": tags})
			if err == nil {
				r.reportMoved(&t)
			}
			return err
		}})
	}
	for _, f := range p.mark {
		status(f, map[string]any{"unusedSince": metav1.NewTime(r.Clock.Now())})
	}
	for _, f := range p.remove {
		all = append(all, write{f.name, func(ctx context.Context) error { return r.delete(ctx, f) }})
	}
	return all
}

// reportMoved emits an event for tags that now are another image.
func (r *Reconciler) reportMoved(t *retag) {
	for _, tag := range t.moved {
		regarding := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: t.image.name, UID: t.image.uid}}
		regarding.SetGroupVersionKind(imagev1.GroupVersion.WithKind("Image"))
		r.Recorder.Eventf(regarding, nil, corev1.EventTypeNormal, assayv1alpha1.ReasonTagMoved, "Discover",
			"The tag %s was another image and is this one now; new Pods get its digest once it is verified", tag)
	}
}

// create makes the Image of an entry.
func (r *Reconciler) create(ctx context.Context, entry string) error {
	name, err := r.images.nameFor(entry)
	if name == "" || err != nil {
		return err
	}
	image := &imagecache.Image{Image: imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: name, Labels: map[string]string{assayv1alpha1.DiscoveredLabel: "true"}},
		DockerImageReference: entry,
	}}
	if err := r.Create(ctx, image, client.FieldOwner(assayv1alpha1.FieldManager)); err != nil {
		return fmt.Errorf("creating an Image for %s: %w", entry, err)
	}
	imagesTotal.WithLabelValues("create").Inc()
	logf.FromContext(ctx).Info("Discovered image", "image", name, "reference", entry)
	return nil
}

// delete deletes an Image in the state in which it was found to be unused for long enough.
func (r *Reconciler) delete(ctx context.Context, f *imageFacts) error {
	image := &imagecache.Image{Image: imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}}
	err := r.Delete(ctx, image, client.Preconditions{UID: &f.uid, ResourceVersion: &f.resourceVersion})
	if err != nil {
		return fmt.Errorf("deleting Image %s: %w", f.name, err)
	}
	imagesTotal.WithLabelValues("delete").Inc()
	logf.FromContext(ctx).Info("Deleted unused image", "image", f.name, "reference", f.entry)
	return nil
}

// patchStatus sets fields of a status, in the state in which the Image was seen.
func (r *Reconciler) patchStatus(ctx context.Context, f *imageFacts, status map[string]any) error {
	data, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": f.uid, "resourceVersion": f.resourceVersion},
		"status":   status,
	})
	if err != nil {
		return err
	}
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: f.name}}
	answer.SetGroupVersionKind(imagev1.GroupVersion.WithKind("Image"))
	if err := r.Status().Patch(ctx, answer, client.RawPatch(types.MergePatchType, data), client.FieldOwner(assayv1alpha1.FieldManager)); err != nil {
		return fmt.Errorf("writing the status of Image %s: %w", f.name, err)
	}
	return nil
}

var errNameTaken = errors.New("other Images have the names that an Image of this one could have")

// nameFor returns the name of a new Image: that of its digest and, where the Image of another
// repository has it, with the repository's hash behind it. The name is empty when there is an Image
// of the entry by now: the event about the one that the previous run made may come after a plan.
func (x *images) nameFor(entry string) (string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.find(entry) != nil {
		return "", nil
	}
	repository, digest, _ := strings.Cut(entry, "@")
	name := strings.Replace(digest, ":", "-", 1)
	if x.byName[name] == nil {
		return name, nil
	}
	hash := sha256.Sum256([]byte(repository))
	name += "-" + hex.EncodeToString(hash[:])[:repositoryDigits]
	if x.byName[name] != nil {
		return "", errNameTaken
	}
	return name, nil
}

// tagged returns the entries that have a tag in their status.
func (x *images) tagged(tag string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.byTag[tag]
}

// reportExcess emits one event about each namespace that begins to have more references than
// Images are made for. One that does so again and again gets it once as long as it is there.
func (r *Reconciler) reportExcess(p *plan) {
	now := r.Clock.Now()
	for namespace := range p.excess {
		if r.reported[namespace] {
			continue
		}
		r.reported[namespace] = true
		if !r.emitted.Seen(namespace, assayv1alpha1.ReasonTooManyReferences, now) {
			r.emitted.Add(namespace, assayv1alpha1.ReasonTooManyReferences, now)
			regarding := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
			r.Recorder.Eventf(regarding, nil, corev1.EventTypeWarning, assayv1alpha1.ReasonTooManyReferences, "Discover",
				"the workloads of the namespace refer to more images that are not verified than Images are made for (%d); images that nobody refers to any more make room", maxUnverified)
		}
	}
	for namespace := range r.reported {
		if p.excess[namespace] == 0 {
			delete(r.reported, namespace)
		}
	}
}
