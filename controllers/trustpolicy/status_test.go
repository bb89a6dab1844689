// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trustpolicy

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// TestStalled checks which policies wait for something and which wait for somebody.
func TestStalled(t *testing.T) {
	unusable := func(reasons ...string) (keys []assayv1alpha1.KeyStatus) {
		for _, reason := range reasons {
			keys = append(keys, assayv1alpha1.KeyStatus{Name: "a", Reason: reason, Usable: reason == ""})
		}
		return keys
	}
	invalid := errors.New("scopes[0]: it is empty")
	tests := map[string]struct {
		err    error
		keys   []assayv1alpha1.KeyStatus
		usable int
		want   string // The reason; empty for none.
	}{
		"ready":                         {nil, unusable(""), 1, ""},
		"ready, but for some keys":      {nil, unusable("", assayv1alpha1.ReasonKeyExpired), 1, ""},
		"a missing source":              {nil, unusable(assayv1alpha1.ReasonSourceNotFound), 0, ""},
		"a missing and a broken source": {nil, unusable(assayv1alpha1.ReasonMalformedKey, assayv1alpha1.ReasonSourceNotFound), 0, ""},
		"a broken source":               {nil, unusable(assayv1alpha1.ReasonMalformedKey), 0, assayv1alpha1.ReasonNoUsableKeys},
		"revocations only":              {nil, nil, 0, assayv1alpha1.ReasonNoUsableKeys},
		"invalid":                       {invalid, unusable(""), 1, assayv1alpha1.ReasonInvalidPolicy},
		"invalid, and a missing source": {invalid, unusable(assayv1alpha1.ReasonSourceNotFound), 0, assayv1alpha1.ReasonInvalidPolicy},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ready := readyCondition(tt.err, tt.keys, tt.usable)
			got := stalledCondition(&ready, tt.keys)
			switch {
			case tt.want == "" && got != nil:
				t.Errorf("%+v, want none", got)
			case tt.want != "" && (got == nil || got.Type != assayv1alpha1.StalledCondition ||
				got.Status != metav1.ConditionTrue || got.Reason != tt.want || got.Message != ready.Message):
				t.Errorf("%+v, want %s", got, tt.want)
			}
		})
	}
}
