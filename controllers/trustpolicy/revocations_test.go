// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trustpolicy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/verify"
)

// fingerprint makes one of a number.
func fingerprint(n int) string { return fmt.Sprintf("%040X", n) }

func seenBefore(numbers ...int) (seen []assayv1alpha1.SeenRevocation) {
	for _, n := range numbers {
		seen = append(seen, assayv1alpha1.SeenRevocation{Fingerprint: assayv1alpha1.Fingerprint(fingerprint(n)), Name: "old"})
	}
	return seen
}

func TestRevocations(t *testing.T) {
	primary := verify.KeyStatus{Fingerprint: fingerprint(1), Unrevoked: []string{fingerprint(1), fingerprint(2)}}
	revokedSubkey := verify.KeyStatus{Fingerprint: fingerprint(1), Unrevoked: []string{fingerprint(1)}, Revoked: []string{fingerprint(2)}}
	revoked := verify.KeyStatus{Fingerprint: fingerprint(1), Revoked: []string{fingerprint(1)}}
	remembered := func(n int, name string) assayv1alpha1.SeenRevocation {
		return assayv1alpha1.SeenRevocation{Fingerprint: assayv1alpha1.Fingerprint(fingerprint(n)), Name: assayv1alpha1.EntryName(name)}
	}
	tests := map[string]struct {
		previous   []assayv1alpha1.SeenRevocation
		listed     map[string]string
		keys       []verify.KeyStatus
		lost       string // What the message names.
		remembered []assayv1alpha1.SeenRevocation
	}{
		"nothing":                {},
		"never revoked":          {keys: []verify.KeyStatus{primary}},
		"revoked now":            {keys: []verify.KeyStatus{revoked}, remembered: []assayv1alpha1.SeenRevocation{remembered(1, "new")}},
		"revoked as before":      {previous: seenBefore(1), keys: []verify.KeyStatus{revoked}, remembered: seenBefore(1)},
		"gone with its key":      {previous: seenBefore(1), remembered: seenBefore(1)},
		"lost":                   {previous: seenBefore(1), keys: []verify.KeyStatus{primary}, lost: "new (0x" + fingerprint(1) + ");", remembered: seenBefore(1)},
		"of a subkey, lost":      {previous: seenBefore(2), keys: []verify.KeyStatus{primary}, lost: "new (0x" + fingerprint(2) + ");", remembered: seenBefore(2)},
		"of a subkey, still":     {previous: seenBefore(2), keys: []verify.KeyStatus{revokedSubkey}, remembered: seenBefore(2)},
		"of both, lost for one":  {previous: seenBefore(1, 2), keys: []verify.KeyStatus{revokedSubkey}, lost: "new (0x" + fingerprint(1) + ");", remembered: seenBefore(1, 2)},
		"lost and listed":        {previous: seenBefore(1), listed: map[string]string{fingerprint(1): "p"}, keys: []verify.KeyStatus{primary}, remembered: seenBefore(1)},
		"of a subkey, listed":    {previous: seenBefore(2), listed: map[string]string{fingerprint(2): "p"}, keys: []verify.KeyStatus{primary}, remembered: seenBefore(2)},
		"of a subkey of listed":  {previous: seenBefore(2), listed: map[string]string{fingerprint(1): "p"}, keys: []verify.KeyStatus{primary}, remembered: seenBefore(2)},
		"listed and revoked too": {listed: map[string]string{fingerprint(1): "p"}, keys: []verify.KeyStatus{revoked}, remembered: []assayv1alpha1.SeenRevocation{remembered(1, "new")}},
		"in order": {
			previous: seenBefore(2), keys: []verify.KeyStatus{revoked}, remembered: []assayv1alpha1.SeenRevocation{remembered(1, "new"), remembered(2, "old")},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRevocations(tt.previous, tt.listed)
			lost := false
			for i := range tt.keys {
				lost = r.add("new", &tt.keys[i]) || lost
			}
			condition := r.condition()
			if (condition != nil) != (tt.lost != "") || lost != (tt.lost != "") {
				t.Errorf("condition %+v, lost %v, want %q", condition, lost, tt.lost)
			}
			if condition != nil && !strings.Contains(condition.Message, "now: "+tt.lost) {
				t.Errorf("message %q, want it to name %s alone", condition.Message, tt.lost)
			}
			if diff := cmp.Diff(tt.remembered, r.remembered()); diff != "" {
				t.Errorf("remembered (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRevocationsAreBounded checks that the status stays within its schema, and that what was
// seen first is not forgotten for what comes later.
func TestRevocationsAreBounded(t *testing.T) {
	var previous []assayv1alpha1.SeenRevocation
	for n := range maxRevocations - 1 {
		previous = append(previous, seenBefore(1000+n)...)
	}
	r := newRevocations(previous, nil)
	key := verify.KeyStatus{Fingerprint: fingerprint(1), Revoked: []string{fingerprint(1), fingerprint(2), fingerprint(3)}}
	for n := range maxRevocations - 1 {
		key.Unrevoked = append(key.Unrevoked, fingerprint(1000+n))
	}
	r.add("new", &key)
	got := r.remembered()
	if len(got) != maxRevocations || string(got[0].Fingerprint) != fingerprint(1) || string(got[1].Fingerprint) != fingerprint(1000) {
		t.Errorf("%d are remembered, the first %v, want %d", len(got), got[:2], maxRevocations)
	}
	message := r.condition().Message
	if want := fmt.Sprintf("and %d more; ", maxRevocations-1-maxListedKeys); len(message) > maxMessageLength || !strings.Contains(message, want) {
		t.Errorf("message %q (%d bytes), want %q in it", message, len(message), want)
	}
}
