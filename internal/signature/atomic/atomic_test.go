// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package atomic

import (
	"errors"
	"testing"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
	"github.com/assay-project/assay/internal/verify"
)

// TestReasonsAreOnesThatTheChecksKnow checks that every code of package openpgp has a
// reason that stands in the table of checks, from which the image's reason is chosen.
func TestReasonsAreOnesThatTheChecksKnow(t *testing.T) {
	known := map[string]bool{}
	for _, check := range verify.Checks() {
		for _, reason := range check.Reasons {
			known[reason] = true
		}
	}
	for code := range 20 {
		if reason := reasonOf(openpgp.Code(code)); !known[reason] {
			t.Errorf("code %s: no check ends with the reason %s", openpgp.Code(code), reason)
		}
	}
}

// TestForeignValues checks that what another format has parsed is refused and not taken
// for trust.
func TestForeignValues(t *testing.T) {
	trust := Format{}.NewTrust([]verify.NamedKeyFile{{Entry: "other", File: foreign{}}})
	if trust.Len() != 0 {
		t.Errorf("%d keys from a file of another format", trust.Len())
	}
	if signed, err := trust.Authenticate(foreign{}, verify.Circumstances{}); err == nil {
		t.Errorf("a message of another format is signed by %+v", signed.Signer())
	}
	if keys := trust.Keys(foreign{}, testNow); keys != nil {
		t.Errorf("a file of another format has the keys %+v", keys)
	}
}

// TestErrorsOfOtherTypes checks that an error that says nothing is a refusal.
func TestErrorsOfOtherTypes(t *testing.T) {
	got := convertError(errors.New("something else"))
	if got.Reason != assayv1alpha1.ReasonMalformedSignature || got.NeedsKey || got.Unsupported {
		t.Errorf("%+v, want a refusal", got)
	}
}

// foreign stands for values of another format.
type foreign struct{}

func (foreign) UnverifiedKeyID() string { return "" }
func (foreign) Problems() []string      { return nil }
func (foreign) Cost() int               { return 0 }
