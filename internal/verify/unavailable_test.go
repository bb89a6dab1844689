// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/verify"
)

// TestUnavailableSignatures checks that an image is not refused while signatures may be missing,
// and that this changes nothing else: it makes no image verified, and an image that contradicts
// itself is refused whatever signatures there are.
func TestUnavailableSignatures(t *testing.T) {
	const unavailable = "a store could not be asked"
	none := func(in *verify.Input) { in.Image.Signatures = nil }
	tests := map[string]struct {
		change  func(*verify.Input)
		want    string
		message string
	}{
		"verified":       {func(*verify.Input) {}, "Verified", ""},
		"no signatures":  {none, "SignaturesUnavailable", unavailable + "; with the signatures at hand: NoSignatures: the image has no signatures"},
		"refused":        {withContent([]byte("not a signature")), "SignaturesUnavailable", unavailable + "; with the signatures at hand: MalformedSignature: "},
		"could not":      {func(in *verify.Input) { in.Image.Signatures[0].Type = "cosign" }, "UnsupportedType", ""},
		"contradiction":  {func(in *verify.Input) { in.Image.Name = "sha256-" + otherDigest.Encoded() }, "InvalidImage", ""},
		"without policy": {func(in *verify.Input) { in.Policies = nil }, "NoTrustPolicy", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			tt.change(&in)
			before := check(in)
			in.Image.Unavailable = unavailable
			after := check(in)
			if after.Reason != tt.want || !strings.HasPrefix(after.Message, tt.message) || len(after.Message) > verify.MaxMessageLength {
				t.Errorf("%s: %s", after.Reason, after.Message)
			}
			if (after.Outcome == verify.Verified) != (before.Outcome == verify.Verified) {
				t.Errorf("the outcome changes from %s to %s", before.Outcome, after.Outcome)
			}
			if diff := cmp.Diff(before.Signatures, after.Signatures); diff != "" {
				t.Errorf("signatures (-before +after):\n%s", diff)
			}
		})
	}
}
