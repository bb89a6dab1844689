// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShortenDigests(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	tests := map[string]struct{ text, want string }{
		"reference":     {"registry.example.com/app@sha256:" + digest, "registry.example.com/app@sha256:0123456789ab..."},
		"name":          {"sha256-" + digest, "sha256-0123456789ab..."},
		"two":           {digest + " is not " + digest, "0123456789ab... is not 0123456789ab..."},
		"longer":        {digest + "0", digest + "0"},
		"shorter":       {digest[1:], digest[1:]},
		"no digest":     {"registry.example.com/app:v1", "registry.example.com/app:v1"},
		"capital digit": {strings.ToUpper(digest), strings.ToUpper(digest)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, shortenDigests(tc.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnexpectedVerdicts(t *testing.T) {
	v := &verdicts{
		names: []string{"as-expected", "other-status", "other-reason", "missing"},
		expected: map[string]verdict{
			"as-expected":  {"True", "Verified"},
			"other-status": {"False", "KeyExpired"},
			"other-reason": {"False", "KeyExpired"},
			"missing":      {"Unknown", "NoTrustPolicy"},
		},
		found: map[string]verdict{
			"as-expected":  {"True", "Verified"},
			"other-status": {"True", "Verified"},
			"other-reason": {"False", "KeyRevoked"},
			"not-a-sample": {"True", "Verified"},
		},
	}
	want := []string{
		"  other-status: expected False KeyExpired, got True Verified",
		"  other-reason: expected False KeyExpired, got False KeyRevoked",
		"  missing: expected Unknown NoTrustPolicy, got no verdict",
	}
	if diff := cmp.Diff(want, v.unexpected()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
