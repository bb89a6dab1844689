// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
)

// TestFieldSelectors selects Images by their verdict, as kubectl get --field-selector does.
func TestFieldSelectors(t *testing.T) {
	verdicts := map[string]string{
		"fine":    `{verified: "True", reason: Verified}`,
		"expired": `{verified: "False", reason: KeyExpired}`,
		"revoked": `{verified: "False", reason: KeyRevoked}`,
		"unknown": `{verified: Unknown, reason: KeysUnavailable}`,
		"new":     "",
	}
	for name, status := range verdicts {
		o := image(t, "{}")
		o["metadata"] = map[string]any{"name": name}
		objects := store(t, imageResource, o)
		if status == "" {
			continue
		}
		stored := objects.get(t)
		stored.Object["status"] = object(t, status)
		if _, err := objects.client.UpdateStatus(t.Context(), stored, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := dynamic.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]string{
		"status.verified=True":                            {"fine"},
		"status.verified=False":                           {"expired", "revoked"},
		"status.verified!=True":                           {"expired", "new", "revoked", "unknown"},
		"status.verified=":                                {"new"},
		"status.reason=KeyRevoked":                        {"revoked"},
		"status.verified=False,status.reason!=KeyRevoked": {"expired"},
		"status.verified=True,metadata.name=revoked":      nil,
	}
	for selector, want := range tests {
		t.Run(selector, func(t *testing.T) {
			list, err := c.Resource(imageResource).List(t.Context(), metav1.ListOptions{FieldSelector: selector})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range list.Items {
				got = append(got, list.Items[i].GetName())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}
