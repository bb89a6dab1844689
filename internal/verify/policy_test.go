// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/verify"
)

// TestRevokedKeys checks that no signature by a key that any TrustPolicy lists as revoked is
// accepted: by its primary key or the subkey that signed, under every policy, and no other key.
func TestRevokedKeys(t *testing.T) {
	sub := strings.TrimPrefix(firstSubkey.claimed(), "0x")
	tests := map[string]struct {
		signer  signer
		revoked string
		reason  string
	}{
		"the primary key":    {alice, alice.fingerprint(), "KeyRevoked"},
		"the signing subkey": {firstSubkey, sub, "KeyRevoked"},
		"its primary key":    {firstSubkey, firstSubkey.fingerprint(), "KeyRevoked"},
		"another key":        {alice, bob.fingerprint(), "Verified"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			signedBy(t, tt.signer)(&in)
			in.Policies = append(in.Policies, policy(t, "second", tt.signer))
			in.RevokedKeys = map[string]string{tt.revoked: "security"}
			got := check(in)
			if got.Reason != tt.reason {
				t.Fatalf("%s: %s, want %s", got.Reason, got.Message, tt.reason)
			}
			if tt.reason == "KeyRevoked" && !strings.Contains(got.Message, "TrustPolicy security lists the key in revokedKeys") {
				t.Errorf("the message %q does not name the policy", got.Message)
			}
			for _, p := range got.Policies {
				if p.Reason != tt.reason {
					t.Errorf("under policy %s: %s, want %s", p.Name, p.Reason, tt.reason)
				}
			}
		})
	}
}

func TestIdentityRule(t *testing.T) {
	tests := map[string]struct {
		in   *assayv1alpha1.SignedIdentity
		want imageref.Rule
	}{
		"none": {nil, imageref.Rule{}},
		"a repository": {
			&assayv1alpha1.SignedIdentity{MatchPolicy: assayv1alpha1.MatchRepository},
			imageref.Rule{Match: imageref.MatchRepository},
		},
		"an exact reference": {
			&assayv1alpha1.SignedIdentity{
				MatchPolicy:    assayv1alpha1.ExactReference,
				ExactReference: &assayv1alpha1.ExactReferenceIdentity{Reference: "registry.example.com/app:v1"},
			},
			imageref.Rule{Match: imageref.ExactReference, DockerReference: "registry.example.com/app:v1"},
		},
		"an exact repository": {
			&assayv1alpha1.SignedIdentity{
				MatchPolicy:     assayv1alpha1.ExactRepository,
				ExactRepository: &assayv1alpha1.ExactRepositoryIdentity{Repository: "registry.example.com/app"},
			},
			imageref.Rule{Match: imageref.ExactRepository, DockerRepository: "registry.example.com/app"},
		},
		"a prefix": {
			&assayv1alpha1.SignedIdentity{
				MatchPolicy:   assayv1alpha1.RemapIdentity,
				RemapIdentity: &assayv1alpha1.RemapIdentityRule{Prefix: "mirror.example.com", SignedPrefix: "vendor.example.com"},
			},
			imageref.Rule{Match: imageref.RemapIdentity, Prefix: "mirror.example.com", SignedPrefix: "vendor.example.com"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, verify.IdentityRule(tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestErrorText checks that the error of a format is its detail, which conditions show.
func TestErrorText(t *testing.T) {
	if got := (&verify.Error{Reason: "KeyExpired", Detail: "the key is expired"}).Error(); got != "the key is expired" {
		t.Errorf("%q", got)
	}
}
