// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
)

// TestPanicRefusesTheSignature checks that a panic ends in a refusal for every policy. No
// content is known that makes a parser panic, so a signature that is not there does it.
func TestPanicRefusesTheSignature(t *testing.T) {
	c := checker{policies: []Policy{{Name: "a"}, {Name: "b"}}}
	want := refused(assayv1alpha1.ReasonMalformedSignature, "the content made the verifier fail; please report it with the content")
	got := c.checkSignature(nil)
	if !got.panicked {
		t.Error("the panic is not counted")
	}
	if diff := cmp.Diff(SignatureVerdict{Finding: want}, got.verdict); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Finding{want, want}, got.findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]*Claims{nil, nil}, got.claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

// TestReasonsHaveAStage checks that no reason of a signature is missing in the order by
// which the image's reason is chosen.
func TestReasonsHaveAStage(t *testing.T) {
	if got, want := len(stages), len(reasonsByStage); got != want {
		t.Errorf("%d different reasons of %d", got, want)
	}
	for problem := range 20 {
		if reason := reasonOf(openpgp.Problem(problem)); stages[reason] == 0 {
			t.Errorf("problem %d: the reason %s has no stage", problem, reason)
		}
	}
}
