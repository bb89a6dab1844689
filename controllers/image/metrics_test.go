// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/assay-project/assay/internal/verify"
)

func TestVerdictsAreCounted(t *testing.T) {
	// Labels that no other test of this package produces.
	const reason = "TestVerdictsAreCounted"
	verdict := &verify.Verdict{
		RecoveredPanics: 2,
		Signatures: []verify.SignatureVerdict{
			{Finding: verify.Finding{Outcome: verify.Refused, Reason: reason}},
			{Finding: verify.Finding{Outcome: verify.Refused, Reason: reason}},
			{Finding: verify.Finding{Outcome: verify.CouldNotCheck, Reason: reason}},
			{Finding: verify.Finding{Outcome: verify.Verified, Reason: reason}},
		},
	}
	panics := testutil.ToFloat64(recoveredPanicsTotal)
	observeVerdict(verdict, time.Millisecond)
	if got := testutil.ToFloat64(recoveredPanicsTotal) - panics; got != 2 {
		t.Errorf("%v panics were counted, want 2", got)
	}
	for outcome, want := range map[string]float64{"verified": 1, "refused": 2, "unknown": 1} {
		if got := testutil.ToFloat64(verificationsTotal.WithLabelValues(outcome, reason)); got != want {
			t.Errorf("%v signatures %s, want %v", got, outcome, want)
		}
	}
}
