// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trustpolicy

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// TestReadyMessages checks what is said of keys and signers together.
func TestReadyMessages(t *testing.T) {
	key := func(reason string) assayv1alpha1.KeyStatus {
		return assayv1alpha1.KeyStatus{Name: "key", Reason: reason, Usable: reason == ""}
	}
	signer := func(reason string) assayv1alpha1.SignerStatus {
		return assayv1alpha1.SignerStatus{Name: "signer", Reason: reason, Usable: reason == ""}
	}
	type keys = []assayv1alpha1.KeyStatus
	type signers = []assayv1alpha1.SignerStatus
	tests := map[string]struct {
		keys    keys
		signers signers
		reason  string
		message string
	}{
		"a key":             {keys{key("")}, nil, "KeysUsable", "the key can verify signatures"},
		"a signer":          {nil, signers{signer("")}, "KeysUsable", "the signer can verify signatures"},
		"two signers":       {nil, signers{signer(""), signer("")}, "KeysUsable", "all 2 signers can verify signatures"},
		"both":              {keys{key("")}, signers{signer("")}, "KeysUsable", "all 2 keys and signers can verify signatures"},
		"only the key":      {keys{key("")}, signers{signer("Bad")}, "SomeKeysUnusable", "1 of 2 keys and signers can verify signatures; not usable: signer (Bad)"},
		"neither":           {keys{key("Old")}, signers{signer("Bad")}, "NoUsableKeys", "no key or signer can verify signatures: key (Old), signer (Bad)"},
		"no signer":         {nil, signers{signer("Bad")}, "NoUsableKeys", "no signer can verify signatures: signer (Bad)"},
		"more than listed":  {nil, signers{signer("A"), signer("B"), signer("C"), signer("D"), signer("E")}, "NoUsableKeys", "no signer can verify signatures: signer (A), signer (B), signer (C), signer (D) and 1 more"},
		"nothing was found": {nil, nil, "NoUsableKeys", "the sources in spec.keys hold revocations only; add a key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := readyCondition(nil, newEntries(tt.keys, tt.signers))
			if got.Reason != tt.reason || got.Message != tt.message {
				t.Errorf("%s: %q, want %s: %q", got.Reason, got.Message, tt.reason, tt.message)
			}
		})
	}
}

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
		err  error
		keys []assayv1alpha1.KeyStatus
		want string // The reason; empty for none.
	}{
		"ready":                         {nil, unusable(""), ""},
		"ready, but for some keys":      {nil, unusable("", assayv1alpha1.ReasonKeyExpired), ""},
		"a missing source":              {nil, unusable(assayv1alpha1.ReasonSourceNotFound), ""},
		"a missing and a broken source": {nil, unusable(assayv1alpha1.ReasonMalformedKey, assayv1alpha1.ReasonSourceNotFound), ""},
		"a broken source":               {nil, unusable(assayv1alpha1.ReasonMalformedKey), assayv1alpha1.ReasonNoUsableKeys},
		"revocations only":              {nil, nil, assayv1alpha1.ReasonNoUsableKeys},
		"invalid":                       {invalid, unusable(""), assayv1alpha1.ReasonInvalidPolicy},
		"invalid, and a missing source": {invalid, unusable(assayv1alpha1.ReasonSourceNotFound), assayv1alpha1.ReasonInvalidPolicy},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found := newEntries(tt.keys, nil)
			ready := readyCondition(tt.err, found)
			got := stalledCondition(&ready, found)
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
