// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/verify"
)

// TestOrder checks that no order of policies, keys and signatures changes a verdict. The
// verdicts on signatures come in the order of the signatures.
func TestOrder(t *testing.T) {
	signatures := []verify.Signature{
		atomic([]byte("not a signature")), alice.good(), bob.good(), expiring.good(), {Type: "cosign"},
	}
	signers := []signer{alice, expiring, revoked}
	policies := []verify.Policy{policy(t, "a"), policy(t, "b", bob), policy(t, "c", carol)}
	policies[2].UnavailableKeys = []string{"staging"}
	newInput := func() verify.Input {
		in := input(t)
		in.Image.Signatures, in.Policies = signatures, policies
		in.Policies[0].Trust = trust(t, signers...)
		in.Policies[0].RequiredSignatures = 2
		return in
	}
	want := check(newInput())
	if want.Reason != "KeysUnavailable" || want.VerifiedSignatures() != 3 {
		t.Fatalf("%+v is not the verdict that this test is about", want)
	}
	permutations(len(signatures), func(order []int) {
		in := newInput()
		in.Image.Signatures = permuted(signatures, order)
		wantPermuted := want
		wantPermuted.Signatures = permuted(want.Signatures, order)
		if diff := cmp.Diff(wantPermuted, check(in)); diff != "" {
			t.Errorf("signatures in the order %v (-want +got):\n%s", order, diff)
		}
	})
	permutations(len(policies), func(order []int) {
		in := newInput()
		in.Policies = permuted(policies, order)
		in.Policies[slices.Index(order, 0)].Trust = trust(t, permuted(signers, order)...)
		if diff := cmp.Diff(want, check(in)); diff != "" {
			t.Errorf("policies and keys in the order %v (-want +got):\n%s", order, diff)
		}
	})
}

// permutations calls visit with every order of the numbers below n.
func permutations(n int, visit func([]int)) {
	order := make([]int, 0, n)
	var extend func()
	extend = func() {
		if len(order) == n {
			visit(slices.Clone(order))
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				order = append(order, i)
				extend()
				order = order[:len(order)-1]
			}
		}
	}
	extend()
}

func permuted[T any](list []T, order []int) []T {
	out := make([]T, len(list))
	for to, from := range order {
		out[to] = list[from]
	}
	return out
}
