// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

const aboutLabel = "the label assay.dev/discovered marks the Images that Assay made"

// TestDiscoveredLabel checks that the operator alone decides which Images it may delete.
func TestDiscoveredLabel(t *testing.T) {
	marked := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "marked", Labels: map[string]string{assayv1alpha1.DiscoveredLabel: "true"}}}
	unmarked := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "unmarked"}}
	for _, image := range []*imagev1.Image{marked, unmarked} {
		if err := admin.Create(t.Context(), image); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		image   *imagev1.Image
		patch   string
		refusal string
	}{
		"set":                       {unmarked, `{"metadata": {"labels": {"assay.dev/discovered": "true"}}}`, aboutLabel},
		"set to another value":      {unmarked, `{"metadata": {"labels": {"assay.dev/discovered": "false"}}}`, aboutLabel},
		"set to nothing":            {unmarked, `{"metadata": {"labels": {"assay.dev/discovered": ""}}}`, aboutLabel},
		"remove":                    {marked, `{"metadata": {"labels": {"assay.dev/discovered": null}}}`, aboutLabel},
		"remove all":                {marked, `{"metadata": {"labels": null}}`, aboutLabel},
		"change":                    {marked, `{"metadata": {"labels": {"assay.dev/discovered": "false"}}}`, aboutLabel},
		"set again":                 {marked, `{"metadata": {"labels": {"assay.dev/discovered": "true"}}}`, ""},
		"another label":             {marked, `{"metadata": {"labels": {"a": "b"}}}`, ""},
		"another label of unmarked": {unmarked, `{"metadata": {"labels": {"a": "b"}}}`, ""},
		"keep":                      {marked, `{"metadata": {"annotations": {"assay.dev/import": "true"}}}`, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			patch := client.RawPatch(types.MergePatchType, []byte(tc.patch))
			wantError(t, editor.Patch(t.Context(), tc.image.DeepCopy(), patch, client.DryRunAll), tc.refusal)
			wantError(t, operator.Patch(t.Context(), tc.image.DeepCopy(), patch, client.DryRunAll), "")
		})
	}
	t.Run("update without labels", func(t *testing.T) {
		image := marked.DeepCopy()
		image.Labels = nil
		wantError(t, editor.Update(t.Context(), image, client.DryRunAll), aboutLabel)
	})
	for name, who := range map[string]struct {
		user    *user
		refusal string
	}{"editor": {editor, aboutLabel}, "operator": {operator, ""}} {
		t.Run("create: "+name, func(t *testing.T) {
			image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{GenerateName: "made-", Labels: marked.Labels}}
			wantError(t, who.user.Create(t.Context(), image, client.DryRunAll), who.refusal)
		})
	}
	t.Run("delete", func(t *testing.T) {
		wantError(t, editor.Delete(t.Context(), marked.DeepCopy(), client.DryRunAll), "")
	})
}
