// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"testing"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/trust"
)

// TestIdentities checks that whatever may change the result of a signature changes the identity of
// its policy or that of the revoked keys, and that nothing else does.
func TestIdentities(t *testing.T) {
	secret := newSecret("keys", map[string]string{"a": "cost 1"})
	team, other := readingSecret("team", "keys", ""), newPolicy("other", "cost 2")
	c := newCluster(t, secret, team, other)
	ids := func(snapshot *trust.Snapshot) [3]uint64 {
		return [3]uint64{
			snapshot.PoliciesFor(imageOf(t, "team"))[0].ID, snapshot.PoliciesFor(imageOf(t, "other"))[0].ID, snapshot.RevokedKeysID(),
		}
	}
	last := ids(c.snapshot())
	if last[0] == 0 || last[1] == 0 || last[2] == 0 || last[0] == last[1] {
		t.Errorf("identities %v, want three that are set, and another one for each policy", last)
	}
	check := func(what string, now [3]uint64, changed ...bool) {
		t.Helper()
		for i := range now {
			if (now[i] != last[i]) != changed[i] {
				t.Errorf("%s: identities %v, before %v, want them to change: %v", what, now, last, changed)
			}
		}
		last = now
	}
	check("nothing", ids(c.snapshot()), false, false, false)
	secret.Labels = map[string]string{"a": "b"}
	check("a label", ids(c.changed(secret)), false, false, false)
	secret.Data["a"] = []byte("cost 3")
	check("a key", ids(c.changed(secret)), true, false, false)
	other.Spec.ExpiredKeys, other.Generation = assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry, 2
	check("a spec", ids(c.changed(other)), false, true, false)
	other.Spec.RevokedKeys, other.Generation = []assayv1alpha1.RevokedKey{{Fingerprint: "AA"}}, 3
	check("a revoked key", ids(c.changed(other)), false, true, true)
	other.Spec.RevokedKeys, other.Generation = nil, 4
	check("a revoked key less", ids(c.changed(other)), false, true, true)
}
