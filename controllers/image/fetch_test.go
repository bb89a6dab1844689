// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// TestAwaitsFetch checks that only a new Image, about whose signatures nothing is known yet, is left
// without a verdict, and not for long.
func TestAwaitsFetch(t *testing.T) {
	for name, tt := range map[string]struct {
		age    time.Duration
		status imagev1.ImageStatus
		reason string
		want   time.Duration
	}{
		"new":                    {0, imagev1.ImageStatus{}, assayv1alpha1.ReasonSignaturesUnavailable, 5 * time.Second},
		"after a while":          {3 * time.Second, imagev1.ImageStatus{}, assayv1alpha1.ReasonSignaturesUnavailable, 2 * time.Second},
		"long enough":            {5 * time.Second, imagev1.ImageStatus{}, assayv1alpha1.ReasonSignaturesUnavailable, 0},
		"a slow clock":           {-time.Hour, imagev1.ImageStatus{}, assayv1alpha1.ReasonSignaturesUnavailable, 0},
		"another verdict":        {0, imagev1.ImageStatus{}, assayv1alpha1.ReasonVerified, 0},
		"the stores are asked":   {0, imagev1.ImageStatus{Import: &imagev1.ImageImport{}}, assayv1alpha1.ReasonSignaturesUnavailable, 0},
		"there was one, changed": {0, imagev1.ImageStatus{ObservedGeneration: 1}, assayv1alpha1.ReasonSignaturesUnavailable, 0},
	} {
		e := &Evaluation{Subject: Subject{Image: &imagev1.Image{Status: tt.status}, Now: metav1.NewTime(testNow)}}
		e.Image.CreationTimestamp = metav1.NewTime(testNow.Add(-tt.age))
		e.Verdict.Reason = tt.reason
		if got := awaitsFetch(e); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
