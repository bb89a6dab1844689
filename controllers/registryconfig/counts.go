// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registryconfig

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/importer"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
)

// state is what came of fetching the signatures of an Image; empty when none are fetched.
type state string

const (
	pending  state = "pending"
	imported state = "imported"
	failed   state = "failed"
)

func stateOf(obj client.Object) state {
	image, ok := obj.(*imagecache.Image)
	if !ok || image == nil || !assayv1alpha1.IsImported(&image.Image) {
		return ""
	}
	condition := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
	switch {
	case condition == nil:
		return pending
	case condition.Status == metav1.ConditionTrue:
		return imported
	default:
		return failed
	}
}

// result is the state and the condition of an Image. The hosts may answer otherwise than before while
// the state stays the same.
type result struct {
	state
	reason, message string
}

func resultOf(obj client.Object) result {
	r := result{state: stateOf(obj)}
	if image, ok := obj.(*imagecache.Image); ok && image != nil && r.state != "" {
		if condition := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition); condition != nil {
			r.reason, r.message = condition.Reason, condition.Message
		}
	}
	return r
}

// configOf returns the name of the RegistryConfig by which the signatures of an Image are fetched,
// empty for none.
func configOf(snapshot *importer.Snapshot, obj client.Object) string {
	image, ok := obj.(*imagecache.Image)
	if !ok || image == nil {
		return ""
	}
	name, _ := snapshot.Lookup(image.DockerImageReference)
	return name
}

// count counts the Images whose signatures are fetched by a RegistryConfig.
func (r *Reconciler) count(ctx context.Context, snapshot *importer.Snapshot, name string) (*assayv1alpha1.ImportCounts, error) {
	counts := &assayv1alpha1.ImportCounts{}
	for _, scope := range snapshot.ByName(name).Scopes() {
		var list imagecache.ImageList
		if err := r.List(ctx, &list, client.MatchingFields{trust.ScopeIndex: scope}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("counting images: %w", err)
		}
		for i := range list.Items {
			// Scopes within each other list an Image twice; it counts for the one that is used.
			if used, by := snapshot.Lookup(list.Items[i].DockerImageReference); used != name || by != scope {
				continue
			}
			switch stateOf(&list.Items[i]) {
			case imported:
				counts.Imported++
			case pending:
				counts.Pending++
			case failed:
				counts.Failed++
			}
		}
	}
	return counts, nil
}
