// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trustpolicy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// countDelay is how long a policy's counts wait for more verdicts, so that thousands of
// verdicts cost one write every few seconds.
const countDelay = 3 * time.Second

// onVerdicts enqueues, with a delay, the policies whose counts an Image's verdict changes.
func onVerdicts() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q requestQueue) {
			enqueueCounts(q, nil, e.Object)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q requestQueue) {
			enqueueCounts(q, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q requestQueue) {
			enqueueCounts(q, e.Object, nil)
		},
	}
}

func enqueueCounts(q requestQueue, before, after client.Object) {
	old, current := appliedPolicies(before), appliedPolicies(after)
	if slices.Equal(old, current) {
		return
	}
	names := map[string]struct{}{}
	for _, p := range slices.Concat(old, current) {
		names[p.Name] = struct{}{}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, countDelay)
	}
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

func appliedPolicies(obj client.Object) []imagev1.AppliedPolicy {
	if image, ok := obj.(*imagev1.Image); ok && image != nil {
		return image.Status.Policies
	}
	return nil
}

// countImages counts the images that a policy was applied to, by outcome.
func countImages(ctx context.Context, reader client.Reader, policy string) (*assayv1alpha1.ImageCounts, error) {
	var list imagev1.ImageList
	if err := reader.List(ctx, &list, client.MatchingFields{appliedPolicyIndex: policy}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("counting images: %w", err)
	}
	counts := &assayv1alpha1.ImageCounts{}
	for i := range list.Items {
		for _, p := range list.Items[i].Status.Policies {
			if p.Name != policy {
				continue
			}
			switch p.Status {
			case metav1.ConditionTrue:
				counts.Verified++
			case metav1.ConditionFalse:
				counts.Failed++
			default:
				counts.Unknown++
			}
		}
	}
	return counts, nil
}
