// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importreport

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/importstatus"
)

// waits is why an Image waits, and since when. The zero value is an Image that does not.
type waits struct {
	reason string
	since  metav1.Time
}

// waitsOf returns for what an Image waits: for its first verdict, or for stores that could not be
// asked. A verified Image waits for nothing.
func waitsOf(obj client.Object) waits {
	image, ok := obj.(*imagecache.Image)
	if !ok || image == nil || !assayv1alpha1.IsImported(&image.Image) || image.Status.Verified == metav1.ConditionTrue {
		return waits{}
	}
	condition := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
	switch {
	case condition == nil:
		return waits{since: image.CreationTimestamp}
	case condition.Status != metav1.ConditionTrue:
		return waits{reason: condition.Reason, since: condition.LastTransitionTime}
	case image.Status.Verified == "":
		return waits{reason: condition.Reason, since: image.CreationTimestamp}
	default:
		return waits{}
	}
}

// onImages causes a report when an Image begins or ceases to wait, or waits for another reason.
func (r *Reconciler) onImages() handler.EventHandler {
	changed := func(before, after client.Object, q requestQueue) {
		if waitsOf(before) != waitsOf(after) {
			r.enqueue(q)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q requestQueue) { changed(nil, e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q requestQueue) { changed(e.ObjectOld, e.ObjectNew, q) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q requestQueue) { changed(e.Object, nil, q) },
	}
}

// pending counts the Images that wait, and finds the one that has waited longest.
func (r *Reconciler) pending(ctx context.Context) (*importstatus.Pending, error) {
	var list imagecache.ImageList
	if err := r.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Images: %w", err)
	}
	p := &importstatus.Pending{}
	for i := range list.Items {
		image := &list.Items[i]
		w := waitsOf(image)
		if w == (waits{}) {
			continue
		}
		p.Images++
		if o := p.Oldest; o == nil || w.since.Before(&o.Since) || w.since.Equal(&o.Since) && image.Name < o.Name {
			p.Oldest = &importstatus.PendingImage{Name: image.Name, Reference: image.DockerImageReference, Reason: w.reason, Since: w.since}
		}
	}
	return p, nil
}

func sortHosts(hosts []importstatus.Host) {
	slices.SortFunc(hosts, func(a, b importstatus.Host) int { return cmp.Compare(a.Host, b.Host) })
}
