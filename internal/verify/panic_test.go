// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// TestPanicRefusesTheSignature checks that a panic ends in a refusal for every policy. No
// content is known that makes a parser panic, so a signature that is not there does it.
func TestPanicRefusesTheSignature(t *testing.T) {
	c := checker{policies: []Policy{{Name: "a"}, {Name: "b"}}}
	want := refused(assayv1alpha1.ReasonMalformedSignature, "the content made the verifier fail; please report it with the content")
	got := c.checkSignature(nil, &Budget{})
	if !got.panicked {
		t.Error("the panic is not counted")
	}
	if diff := cmp.Diff(SignatureVerdict{Finding: want}, got.verdict); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	if len(got.policies) != 2 {
		t.Errorf("%d findings, want one for each policy", len(got.policies))
	}
	for i, p := range got.policies {
		if diff := cmp.Diff(want, p.Finding); diff != "" {
			t.Errorf("policy %d (-want +got):\n%s", i, diff)
		}
		if p.claims != nil || p.signer != nil {
			t.Errorf("policy %d: a refused signature has claims %+v of %+v", i, p.claims, p.signer)
		}
	}
}

// TestChecksAreDocumented checks that every check says what it is about and with which
// reasons it ends.
func TestChecksAreDocumented(t *testing.T) {
	for _, check := range Checks() {
		if check.Name == "" || check.Description == "" || len(check.Reasons) == 0 || check.run == nil {
			t.Errorf("the check %+v is not complete", check)
		}
	}
}
