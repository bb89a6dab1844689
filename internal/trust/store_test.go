// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

// TestCostlyKeysMakeTheirPolicyInvalid checks that a policy whose keys take too long is
// invalid by itself: others go on, and what is beyond the bound is not parsed.
func TestCostlyKeysMakeTheirPolicyInvalid(t *testing.T) {
	hostile := newPolicy("hostile", "cost 600000", "cost 600001", "cost 1", "cost 2")
	c := newCluster(t, hostile, newPolicy("costly", "cost 600002", "cost 400000"), newPolicy("plain", "cost 3"))
	snapshot := c.snapshot()
	if got := c.format.parsed.Load(); got != 0 {
		t.Errorf("%d files were parsed before anybody needed them", got)
	}
	for name, valid := range map[string]bool{"hostile": false, "costly": true, "plain": true} {
		policies := snapshot.PoliciesFor(imageOf(t, name))
		if len(policies) != 1 || policies[0].Name != name {
			t.Fatalf("policies for an image of %s: %+v", name, policies)
		}
		if err := policies[0].Err; (err == nil) != valid {
			t.Errorf("policy %s: error %v, want valid to be %v", name, err, valid)
		}
	}
	verdict := verify.New(c.format).Check(verify.Input{
		Now: time.Unix(0, 0), Policies: snapshot.PoliciesFor(imageOf(t, "hostile")),
		Image: verify.Image{
			Name: "app", Reference: verify.Reference{Named: imageOf(t, "hostile")},
			Signatures: []verify.Signature{{Type: "test", Content: []byte("a")}},
		},
	})
	if verdict.Outcome != verify.CouldNotCheck || verdict.Reason != assayv1alpha1.ReasonInvalidPolicy {
		t.Errorf("%+v, want an image of the hostile policy not to be checked", verdict.Finding)
	}
	if err := snapshot.Policy("hostile").Err(); err == nil || !strings.Contains(err.Error(), "take too long") {
		t.Errorf("error %v, want it to say what is too much", err)
	}
	// Whoever reports on the files does not read what is beyond the bound either.
	for name, want := range map[string]int{"hostile": 2, "costly": 0, "plain": 0} {
		unread := 0
		policy := snapshot.Policy(name)
		for _, source := range policy.Sources {
			for _, file := range source.Files {
				if _, err := policy.ParsedFile(file); errors.Is(err, trust.ErrOverBudget) {
					unread++
				} else if err != nil {
					t.Errorf("policy %s: %v", name, err)
				}
			}
		}
		if unread != want {
			t.Errorf("policy %s: %d files were not read, want %d", name, unread, want)
		}
	}
	// Two of the hostile one, two of the costly one, one of the plain one.
	if got := c.format.parsed.Load(); got != 5 {
		t.Errorf("%d files were parsed, want 5", got)
	}
}

// TestWhatIsParsedAgain checks that only other bytes are.
func TestWhatIsParsedAgain(t *testing.T) {
	secret := newSecret("keys", map[string]string{"a": "cost 1", "b": "cost 2"})
	policy := readingSecret("team", "keys", "")
	c := newCluster(t, secret, policy, newPolicy("other", "cost 1"))
	use := func(snapshot *trust.Snapshot) *trust.Policy {
		snapshot.PoliciesFor(imageOf(t, "team"))
		snapshot.PoliciesFor(imageOf(t, "other"))
		return snapshot.Policy("team")
	}
	first := use(c.snapshot())
	parsed := func(what string, want int32) {
		t.Helper()
		if got := c.format.parsed.Load(); got != want {
			t.Errorf("%s: %d files were parsed so far, want %d", what, got, want)
		}
	}
	parsed("the same key in a Secret and inline", 2)
	if again := use(c.snapshot()); again != first {
		t.Error("without a change, the policy is another one")
	}

	secret.Labels = map[string]string{"changed": "yes"}
	if again := use(c.changed(secret)); again != first {
		t.Error("after a change of labels, the policy is another one")
	}
	parsed("a change of labels", 2)

	policy.Spec.RequiredSignatures, policy.Generation = 2, 2
	if again := use(c.changed(policy)); again == first || again.Spec.RequiredSignatures != 2 {
		t.Error("after a change of its spec, the policy is the same")
	}
	parsed("a change of the policy", 2)

	secret.Data["b"] = []byte("cost 3")
	second := use(c.changed(secret))
	parsed("a change of a key", 3)
	if second == first || second.Keys().Trust["test"].Len() != 2 {
		t.Errorf("after a change of a key, the policy trusts %v", second.Keys())
	}

	secret.Data["b"] = []byte("cost 2")
	use(c.changed(secret))
	parsed("the former key, which nothing has kept", 4)
}

// TestParsingDelaysNobodyElse checks what goes on while the keys of one policy are parsed.
func TestParsingDelaysNobodyElse(t *testing.T) {
	c := newCluster(t, newPolicy("slow", "wait"), newPolicy("quick", "cost 1"))
	snapshot := c.snapshot()
	slow := imageOf(t, "slow")
	if snapshot.Busy(slow) {
		t.Error("busy before anybody parses")
	}
	result := make(chan []verify.Policy)
	go func() { result <- snapshot.PoliciesFor(slow) }()
	<-c.format.waiting

	if !snapshot.Busy(slow) {
		t.Error("not busy while the keys are parsed")
	}
	if snapshot.Busy(imageOf(t, "quick")) {
		t.Error("busy for an image of another policy")
	}
	if got := snapshot.PoliciesFor(imageOf(t, "quick")); len(got) != 1 || got[0].Err != nil {
		t.Errorf("policies of another image: %+v", got)
	}
	c.store.Invalidate()
	if again := c.snapshot(); again == snapshot || again.Policy("slow") != snapshot.Policy("slow") {
		t.Error("the next snapshot lacks the policy whose keys are parsed")
	}

	close(c.format.release)
	if got := <-result; len(got) != 1 || got[0].Trust["test"].Len() != 1 {
		t.Errorf("policies of the slow image: %+v", got)
	}
	if snapshot.Busy(slow) {
		t.Error("busy after the keys were parsed")
	}
	if got := c.format.parsed.Load(); got != 2 {
		t.Errorf("%d files were parsed, want 2", got)
	}
}

// TestRevokedKeys checks that the keys of all policies count, whatever their spelling, under
// the name of the first.
func TestRevokedKeys(t *testing.T) {
	revoking := func(name string, fingerprints ...string) *assayv1alpha1.TrustPolicy {
		policy := newPolicy(name, "cost 1")
		for _, fingerprint := range fingerprints {
			policy.Spec.RevokedKeys = append(policy.Spec.RevokedKeys, assayv1alpha1.RevokedKey{Fingerprint: assayv1alpha1.Fingerprint(fingerprint)})
		}
		return policy
	}
	upper, lower := strings.Repeat("A1", 20), strings.Repeat("a1", 20)
	b := revoking("b", upper, lower, strings.Repeat("c3", 32))
	c := newCluster(t, b, revoking("a", lower))
	want := map[string]string{upper: "a", strings.Repeat("C3", 32): "b"}
	if diff := cmp.Diff(want, c.snapshot().RevokedKeys()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.Spec.RevokedKeys, b.Generation = nil, 2
	if diff := cmp.Diff(map[string]string{upper: "a"}, c.changed(b).RevokedKeys()); diff != "" {
		t.Errorf("after a change (-want +got):\n%s", diff)
	}
}

// TestSources checks what becomes of sources without keys.
func TestSources(t *testing.T) {
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint(i)] = fmt.Sprint("cost ", i)
	}
	c := newCluster(t,
		newSecret("keys", map[string]string{"b": "cost 2", "a": "cost 1", "broken": "?"}),
		newSecret("empty", nil), newSecret("many", many),
		readingSecret("all", "keys", ""), readingSecret("one", "keys", "b"), readingSecret("no-entry", "keys", "c"),
		readingSecret("no-secret", "gone", ""), readingSecret("no-data", "empty", ""), readingSecret("too-many", "many", ""),
		readingSecret("one-of-many", "many", "64"),
	)
	type file struct{ Location, Reason, Err string }
	missing := func(location, err string) []file {
		return []file{{location, assayv1alpha1.ReasonSourceNotFound, err}}
	}
	tests := map[string]struct {
		files       []file
		unavailable []string
	}{
		"all":         {[]file{{Location: "Secret/keys[a]"}, {Location: "Secret/keys[b]"}, {"Secret/keys[broken]", "", "not a key of the test"}}, []string{"all"}},
		"one":         {[]file{{Location: "Secret/keys[b]"}}, nil},
		"no-entry":    {missing("Secret/keys[c]", "Secret keys has no key c; add it"), []string{"all"}},
		"no-secret":   {missing("Secret/gone", "there is no Secret gone in namespace assay-system; create it"), []string{"all"}},
		"no-data":     {missing("Secret/empty", "Secret empty is empty; add a key"), []string{"all"}},
		"too-many":    {missing("Secret/many", "Secret many has more than 64 keys; name the one to read"), []string{"all"}},
		"one-of-many": {[]file{{Location: "Secret/many[64]"}}, nil},
	}
	snapshot := c.snapshot()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			policy := snapshot.Policy(name)
			var got []file
			for _, f := range policy.Sources[0].Files {
				_, err := f.Parsed()
				text := ""
				if err != nil {
					text = err.Error()
				}
				got = append(got, file{f.Location, f.Reason, text})
			}
			if diff := cmp.Diff(tt.files, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.unavailable, policy.Keys().Unavailable); diff != "" {
				t.Errorf("unavailable (-want +got):\n%s", diff)
			}
		})
	}
}

// TestScopes checks which policies apply, and what becomes of a scope that cannot be used.
func TestScopes(t *testing.T) {
	broken := newPolicy("broken", "cost 1")
	broken.Spec.Scopes = append(broken.Spec.Scopes, "registry.example.com/Team")
	second := newPolicy("a-second", "cost 2")
	second.Spec.Scopes = newPolicy("team").Spec.Scopes
	wide := newPolicy("wide", "cost 3")
	wide.Spec.Scopes = []assayv1alpha1.Scope{"registry.example.com"}
	snapshot := newCluster(t, broken, newPolicy("team", "cost 1"), second, wide).snapshot()
	names := func(image string) (names []string) {
		for _, p := range snapshot.PoliciesFor(imageOf(t, image)) {
			names = append(names, p.Name+" by "+p.Scope)
		}
		return names
	}
	want := map[string][]string{
		"team":   {"a-second by registry.example.com/team", "team by registry.example.com/team"},
		"broken": {"broken by registry.example.com/broken"},
		"else":   {"wide by registry.example.com"},
	}
	for image, policies := range want {
		if diff := cmp.Diff(policies, names(image)); diff != "" {
			t.Errorf("policies of %s (-want +got):\n%s", image, diff)
		}
	}
	if got := snapshot.PoliciesFor(nil); len(got) != 0 || snapshot.Busy(nil) || snapshot.ScopeFor(nil) != "" {
		t.Errorf("policies %+v without a reference", got)
	}
	if err := snapshot.Policy("broken").Err(); err == nil || !strings.HasPrefix(err.Error(), "spec.scopes[1]: ") {
		t.Errorf("error %v, want it to name the scope", err)
	}
	if got := len(snapshot.Policies()); got != 4 || snapshot.Policies()[0].Name != "a-second" {
		t.Errorf("%d policies, want four in order", got)
	}
}

// TestUnreadableCluster checks that a fault of the cache is an error and no empty trust.
func TestUnreadableCluster(t *testing.T) {
	c := newCluster(t, readingSecret("team", "keys", ""))
	before := c.snapshot()
	c.store.Invalidate()
	c.store.Client = broken{c.client}
	if snapshot, err := c.store.Snapshot(t.Context()); !errors.Is(err, errBroken) || snapshot != nil {
		t.Errorf("%v, %v, want the error of the client", snapshot, err)
	}
	c.store.Client = c.client
	if after := c.snapshot(); after == before || after.Policy("team") != before.Policy("team") {
		t.Error("once the cluster can be read again, the policy is another one")
	}
}
