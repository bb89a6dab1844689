// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/trust"
)

// policies is a reader of TrustPolicies.
type policies []assayv1alpha1.TrustPolicy

func (p policies) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("there are only TrustPolicies")
}

func (p policies) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*assayv1alpha1.TrustPolicyList).Items = p
	return nil
}

// TestStoredScopes reads a policy that was stored when scopes had several spellings. It verifies nothing, and covers what
// it covered.
func TestStoredScopes(t *testing.T) {
	list := make(policies, 1)
	list[0].Name = "stored"
	list[0].Spec.Scopes = append(list[0].Spec.Scopes, "registry.example.com:443/shop", "Registry.example.com:0443/shop", "registry.example.com:0")
	snapshot, err := (&trust.Store{Client: list}).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	image, err := imageref.ParseImage("registry.example.com/shop/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	if got := snapshot.ScopeFor(image); got != "registry.example.com/shop" {
		t.Errorf("%s is in scope %q", image, got)
	}
	policy := snapshot.Policy("stored")
	if len(policy.Scopes) != 1 {
		t.Errorf("scopes %v, want one", policy.Scopes)
	}
	if err := policy.Err(); err == nil || !strings.Contains(err.Error(), `write it as "registry.example.com/shop"`) {
		t.Errorf("the policy can be used: %v", err)
	}
}
