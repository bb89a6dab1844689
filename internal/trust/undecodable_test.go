// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"strings"
	"testing"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/objectjson"
)

// TestUndecodablePolicy checks a policy of which a value cannot be read: nothing is verified by it, and
// what can be read of it counts.
func TestUndecodablePolicy(t *testing.T) {
	fingerprint := strings.Repeat("A", 40)
	const list = `{"items":[{"metadata":{"name":"newer","uid":"u","generation":1},"spec":{` +
		`"keys":{"name":"a"},"scopes":["registry.example.com/newer"],"revokedKeys":[{"fingerprint":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}}]}`
	var newer *assayv1alpha1.TrustPolicy
	_, err := objectjson.DecodeList(strings.NewReader(list), func() *assayv1alpha1.TrustPolicy { return &assayv1alpha1.TrustPolicy{} },
		func(p *assayv1alpha1.TrustPolicy) { newer = p })
	if err != nil {
		t.Fatal(err)
	}
	snapshot := newCluster(t, newer, newPolicy("plain", "cost 3")).snapshot()
	policies := snapshot.PoliciesFor(imageOf(t, "newer"))
	if len(policies) != 1 || policies[0].Err == nil || !strings.Contains(policies[0].Err.Error(), "spec.keys is of another type") {
		t.Errorf("policies %+v, want one that is invalid", policies)
	}
	if snapshot.RevokedKeys()[fingerprint] != "newer" {
		t.Errorf("revoked keys %v, want that of the policy", snapshot.RevokedKeys())
	}
	if policies := snapshot.PoliciesFor(imageOf(t, "plain")); len(policies) != 1 || policies[0].Err != nil {
		t.Errorf("policies %+v, want one that is valid", policies)
	}
}
