// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/verify"
)

// heavySignature is a message compressed with BZIP2.
func heavySignature(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../openpgp/testdata/messages/bzip2.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(data, []byte("\n\n"))
	content, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestHeavySignaturesShareABudget checks that many signatures that take long to read cost an
// image its own verdict on them alone: a good signature behind them is verified, and what is
// over budget could not be checked.
func TestHeavySignaturesShareABudget(t *testing.T) {
	const heavySteps = 8 // maxHeavySteps: the vector takes one step.
	heavy := atomic(heavySignature(t))
	in := input(t)
	in.Image.Signatures = nil
	for range 127 {
		in.Image.Signatures = append(in.Image.Signatures, heavy)
	}
	in.Image.Signatures = append(in.Image.Signatures, alice.good())
	got := check(in)
	if got.Outcome != verify.Verified || got.Signatures[127].Outcome != verify.Verified {
		t.Errorf("%s (%s): a good signature behind heavy ones is not verified", got.Outcome, got.Reason)
	}
	reasons := map[string]int{}
	for _, s := range got.Signatures[:127] {
		reasons[s.Reason]++
		if s.Reason == "OverBudget" && s.Outcome != verify.CouldNotCheck {
			t.Errorf("what is over budget is %s", s.Outcome)
		}
	}
	if reasons["OverBudget"] != 127-heavySteps || len(reasons) != 2 {
		t.Errorf("%v, want %d over budget and the others checked", reasons, 127-heavySteps)
	}
}

// TestQuickEffort checks that a quick effort verifies what good signatures within it suffice for,
// says what it did not look at, and verifies nothing that all effort does not.
func TestQuickEffort(t *testing.T) {
	const affordable = 10_000 / 2_500 // maxQuickCost, and each takes a little more than costly says.
	cheap := input(t)
	expensive := input(t)
	for name, trusted := range expensive.Policies[0].Trust {
		expensive.Policies[0].Trust[name] = costly{trusted, 2_400}
	}
	heavy := atomic(heavySignature(t))
	many := slices.Repeat([]verify.Signature{bob.good()}, affordable)
	cases := map[string]struct {
		in                verify.Input
		signatures        []verify.Signature
		quick, full       verify.Outcome
		incomplete, never bool
	}{
		"usual":                   {cheap, []verify.Signature{alice.good(), bob.good()}, verify.Verified, verify.Verified, false, false},
		"refused":                 {cheap, []verify.Signature{bob.good()}, verify.Refused, verify.Refused, false, false},
		"none":                    {cheap, nil, verify.Refused, verify.Refused, false, false},
		"heavy":                   {cheap, []verify.Signature{heavy}, verify.CouldNotCheck, verify.Refused, true, false},
		"heavy before a good one": {cheap, []verify.Signature{heavy, alice.good()}, verify.Verified, verify.Verified, true, false},
		"more heavy ones than are read": {
			cheap, slices.Repeat([]verify.Signature{heavy}, 9), verify.CouldNotCheck, verify.CouldNotCheck, true, true,
		},
		"within the cost":                     {expensive, append(many[1:], alice.good()), verify.Verified, verify.Verified, false, false},
		"a good one before many that cost":    {expensive, append([]verify.Signature{alice.good()}, many...), verify.Verified, verify.Verified, true, false},
		"a good one behind too many":          {expensive, append(many[:affordable:affordable], alice.good()), verify.CouldNotCheck, verify.Verified, true, false},
		"none good and more than are checked": {expensive, append(many[:affordable:affordable], many...), verify.CouldNotCheck, verify.Refused, true, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := c.in
			in.Image.Signatures = c.signatures
			full := check(in)
			in.Effort = verify.QuickEffort
			quick := check(in)
			if quick.Outcome != c.quick || quick.Incomplete != c.incomplete {
				t.Errorf("quick: %s (%s), incomplete: %v, want %s, %v", quick.Outcome, quick.Reason, quick.Incomplete, c.quick, c.incomplete)
			}
			if full.Outcome != c.full || full.Incomplete != c.never {
				t.Errorf("in full: %s (%s), incomplete: %v, want %s, %v", full.Outcome, full.Reason, full.Incomplete, c.full, c.never)
			}
			for i := range quick.Signatures {
				f := quick.Signatures[i].Finding
				if f != full.Signatures[i].Finding && (f.Reason != "OverBudget" || f.Outcome != verify.CouldNotCheck) {
					t.Errorf("signature %d is %+v, and in full %+v", i, f, full.Signatures[i].Finding)
				}
			}
			if !quick.Incomplete {
				if diff := cmp.Diff(full, quick); diff != "" {
					t.Errorf("a complete verdict differs with the effort (-full +quick):\n%s", diff)
				}
			}
		})
	}
}

// TestCost checks that a verdict states what the keys that were tried cost.
func TestCost(t *testing.T) {
	in := input(t)
	in.Image.Signatures = []verify.Signature{bob.good()}
	if got := check(in).Cost; got != 0 {
		t.Errorf("the verdict cost %d, and no key was tried", got)
	}
	in.Image.Signatures = []verify.Signature{alice.good()}
	one := check(in).Cost
	in.Image.Signatures = slices.Repeat(in.Image.Signatures, 3)
	if got := check(in).Cost; one <= 0 || got != 3*one {
		t.Errorf("three signatures cost %d, and one %d", got, one)
	}
}

// TestUnsupportedAlgorithmHidesNoRefusal checks that the reason of an image is the one that
// helps when one of its signatures cannot be checked by this version.
func TestUnsupportedAlgorithmHidesNoRefusal(t *testing.T) {
	claim := *alice.Key
	claim.Algorithm = 99
	unsupported := atomic(signer{Key: &claim, primary: alice.primary}.sign(payload(appDigest, appReference)))
	in := input(t)
	in.Image.Signatures = []verify.Signature{unsupported}
	alone := check(in)
	if alone.Reason != "UnsupportedAlgorithm" || alone.Outcome != verify.CouldNotCheck {
		t.Fatalf("%s (%s): %s", alone.Outcome, alone.Reason, alone.Message)
	}
	in.Image.Signatures = append(in.Image.Signatures, bob.good())
	if both := check(in); both.Reason != "UntrustedKey" || both.Outcome != verify.Refused {
		t.Errorf("%s (%s), want refused (UntrustedKey)", both.Outcome, both.Reason)
	}
}

// costly is trust in alice whose keys take long to try.
type costly struct {
	verify.Trust
	cost int
}

func (c costly) Authenticate(m verify.Message, at verify.Circumstances) (verify.Signed, error) {
	if !at.Spend(c.cost) {
		return nil, &verify.Error{Reason: "OverBudget", Detail: "it takes too long", Unsupported: true}
	}
	return c.Trust.Authenticate(m, at)
}

// TestCostlyKeysAreBounded checks that keys that take long to try bound how many signatures of
// an image are checked, and that what is not checked is neither trusted nor refused.
func TestCostlyKeysAreBounded(t *testing.T) {
	const affordable = 250_000 / 20_000 // maxCost.
	in := input(t)
	for name, trusted := range in.Policies[0].Trust {
		in.Policies[0].Trust[name] = costly{trusted, 20_000}
	}
	in.Image.Signatures = nil
	for range 100 {
		in.Image.Signatures = append(in.Image.Signatures, bob.good())
	}
	got := check(in)
	reasons := map[string]int{}
	for _, s := range got.Signatures {
		reasons[s.Reason]++
		if s.Reason == "OverBudget" && s.Outcome != verify.CouldNotCheck {
			t.Errorf("what is over budget is %s", s.Outcome)
		}
	}
	if reasons["UntrustedKey"] != affordable || reasons["OverBudget"] != 100-affordable {
		t.Errorf("%v, want %d checked and the others over budget", reasons, affordable)
	}
	if got.Outcome == verify.Verified {
		t.Error("an image is verified by signatures that nobody trusts")
	}
	in.Image.Signatures[0] = alice.good()
	if got := check(in); got.Outcome != verify.Verified {
		t.Errorf("%s (%s): a good signature within the bound is not verified", got.Outcome, got.Reason)
	}
}
