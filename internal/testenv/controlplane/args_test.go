// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMergeArgs(t *testing.T) {
	tests := map[string]struct {
		defaults, extra, want []string
	}{
		"nothing":               {},
		"defaults alone":        {defaults: []string{"--a=1"}, want: []string{"--a=1"}},
		"added":                 {defaults: []string{"--a=1"}, extra: []string{"--b=2"}, want: []string{"--a=1", "--b=2"}},
		"replaced":              {defaults: []string{"--a=1", "--b=1"}, extra: []string{"--a=2"}, want: []string{"--b=1", "--a=2"}},
		"switch replaced":       {defaults: []string{"--a"}, extra: []string{"--a=false"}, want: []string{"--a=false"}},
		"repeated by caller":    {defaults: []string{"--a=1"}, extra: []string{"--a=2", "--a=3"}, want: []string{"--a=2", "--a=3"}},
		"prefix is not a match": {defaults: []string{"--a=1"}, extra: []string{"--ab=2"}, want: []string{"--a=1", "--ab=2"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := mergeArgs(tc.defaults, tc.extra)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, bad := range []string{"", "a=1", "-a=1", "--", "--=1"} {
		if _, err := mergeArgs(nil, []string{bad}); err == nil {
			t.Errorf("mergeArgs accepts %q", bad)
		}
	}
}
