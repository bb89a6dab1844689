// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/imageref"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/verify"
)

func isPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// one is the verdict where one signature and one policy come to the same finding.
func one(f verify.Finding, claimed string) verify.Verdict {
	return verify.Verdict{
		Finding:    f,
		Digest:     appDigest,
		Signatures: []verify.SignatureVerdict{{Finding: f, ClaimedKeyID: claimed}},
		Policies:   []verify.PolicyVerdict{policyVerdict("team", f)},
	}
}

// TestReasons reaches every reason that the package comment names, with one signature
// and one policy.
func TestReasons(t *testing.T) {
	app := payload(appDigest, appReference)
	tests := map[string]struct {
		change func(*verify.Input)
		want   verify.Verdict
	}{
		"Verified": {
			want: verify.Verdict{
				Finding:    isVerified(),
				Digest:     appDigest,
				Signatures: []verify.SignatureVerdict{verifiedBy(alice)},
				Policies:   []verify.PolicyVerdict{policyVerdict("team", isVerified())},
			},
		},
		"UnsupportedType": {
			change: func(in *verify.Input) { in.Image.Signatures[0].Type = "cosign" },
			want:   one(isUnchecked("UnsupportedType"), ""),
		},
		"UnsupportedType, empty": {
			change: func(in *verify.Input) { in.Image.Signatures[0].Type = "" },
			want:   one(isUnchecked("UnsupportedType"), ""),
		},
		"MalformedSignature": {
			change: withContent([]byte("not a signature")),
			want:   one(isRefused("MalformedSignature"), ""),
		},
		"MalformedSignature, empty": {
			change: withContent(nil),
			want:   one(isRefused("MalformedSignature"), ""),
		},
		"UnsupportedSignatureVersion": {
			change: func(in *verify.Input) {
				s := alice.Standard(pgp.TypeBinary, sigTime)
				s.Version = 5
				in.Image.Signatures[0].Content = alice.Message(s, []byte(app))
			},
			want: one(isRefused("UnsupportedSignatureVersion"), "0x"+alice.fingerprint()[24:]),
		},
		"InvalidImage": {
			change: func(in *verify.Input) { in.Image.Name = "sha256-" + otherDigest.Encoded() },
			want: func() verify.Verdict {
				v := one(isRefused("InvalidImage"), alice.claimed())
				v.Digest = ""
				return v
			}(),
		},
		"InvalidImage without policies": {
			change: func(in *verify.Input) {
				in.Image.Name = "sha256-" + otherDigest.Encoded()
				in.Policies = nil
			},
			want: verify.Verdict{
				Finding:    isRefused("InvalidImage"),
				Signatures: []verify.SignatureVerdict{{Finding: isRefused("InvalidImage"), ClaimedKeyID: alice.claimed()}},
			},
		},
		"NoTrustPolicy": {
			change: func(in *verify.Input) { in.Policies = nil },
			want: verify.Verdict{
				Finding:    isUnchecked("NoTrustPolicy"),
				Digest:     appDigest,
				Signatures: []verify.SignatureVerdict{{Finding: isUnchecked("NoTrustPolicy"), ClaimedKeyID: alice.claimed()}},
			},
		},
		"NoTrustPolicy without a reference": {
			change: func(in *verify.Input) {
				in.Image.Reference = verify.Reference{}
				in.Policies = nil
			},
			want: verify.Verdict{
				Finding:    isUnchecked("NoTrustPolicy"),
				Digest:     appDigest,
				Signatures: []verify.SignatureVerdict{{Finding: isUnchecked("NoTrustPolicy"), ClaimedKeyID: alice.claimed()}},
			},
		},
		"NoTrustPolicy, a policy although there is no reference": {
			change: func(in *verify.Input) { in.Image.Reference = verify.Reference{} },
			want:   one(isUnchecked("NoTrustPolicy"), alice.claimed()),
		},
		"InvalidPolicy": {
			change: func(in *verify.Input) { in.Policies[0].Err = errors.New("a scope is empty") },
			want:   one(isUnchecked("InvalidPolicy"), alice.claimed()),
		},
		"InvalidPolicy, no identity rule": {
			change: func(in *verify.Input) { in.Policies[0].Identity = nil },
			want:   one(isUnchecked("InvalidPolicy"), alice.claimed()),
		},
		"KeysUnavailable, none configured": {
			change: func(in *verify.Input) { in.Policies[0].Trust = nil },
			want:   one(isUnchecked("KeysUnavailable"), alice.claimed()),
		},
		"KeysUnavailable, an empty keyring": {
			change: func(in *verify.Input) { in.Policies[0].Trust = trust(t) },
			want:   one(isUnchecked("KeysUnavailable"), alice.claimed()),
		},
		"KeysUnavailable, all unreadable": {
			change: func(in *verify.Input) {
				in.Policies[0].Trust = nil
				in.Policies[0].UnavailableKeys = []string{"staging"}
			},
			want: one(isUnchecked("KeysUnavailable"), alice.claimed()),
		},
		"KeysUnavailable, another one than those that could be read": {
			change: func(in *verify.Input) {
				in.Policies[0].Trust = trust(t, bob)
				in.Policies[0].UnavailableKeys = []string{"staging"}
			},
			want: one(isUnchecked("KeysUnavailable"), alice.claimed()),
		},
		"UntrustedKey": {
			change: func(in *verify.Input) { in.Policies[0].Trust = trust(t, bob) },
			want:   one(isRefused("UntrustedKey"), alice.claimed()),
		},
		"UntrustedKey, not for signing": {
			change: signedBy(t, certifyOnly),
			want:   one(isRefused("UntrustedKey"), certifyOnly.claimed()),
		},
		"WeakAlgorithm, digest": {
			change: func(in *verify.Input) {
				s := alice.Standard(pgp.TypeBinary, sigTime)
				s.Digest = pgp.SHA1
				in.Image.Signatures[0].Content = alice.Message(s, []byte(app))
			},
			want: one(isRefused("WeakAlgorithm"), alice.claimed()),
		},
		"WeakAlgorithm, key": {
			change: signedBy(t, weak),
			want:   one(isRefused("WeakAlgorithm"), weak.claimed()),
		},
		"InvalidSignature": {
			change: func(in *verify.Input) {
				content := string(in.Image.Signatures[0].Content)
				in.Image.Signatures[0].Content = []byte(strings.Replace(content, "app:v1", "app:v2", 1))
			},
			want: one(isRefused("InvalidSignature"), alice.claimed()),
		},
		"InvalidSignature, although keys are unavailable": {
			change: func(in *verify.Input) {
				content := string(in.Image.Signatures[0].Content)
				in.Image.Signatures[0].Content = []byte(strings.Replace(content, "app:v1", "app:v2", 1))
				in.Policies[0].UnavailableKeys = []string{"staging"}
			},
			want: one(isRefused("InvalidSignature"), alice.claimed()),
		},
		"KeyExpired": {
			change: signedBy(t, expired),
			want:   one(isRefused("KeyExpired"), expired.claimed()),
		},
		"KeyRevoked": {
			change: signedBy(t, revoked),
			want:   one(isRefused("KeyRevoked"), revoked.claimed()),
		},
		"SignatureExpired": {
			change: withContent(alice.sign(app, pgp.Sub32(pgp.SubExpires, day))),
			want:   one(isRefused("SignatureExpired"), alice.claimed()),
		},
		"SignatureInFuture": {
			change: withContent(alice.signAt(nowTime+day, app)),
			want: func() verify.Verdict {
				v := one(isRefused("SignatureInFuture"), alice.claimed())
				v.RecheckAt = now.Add(24*time.Hour - 5*time.Minute)
				return v
			}(),
		},
		"PublicKeyIDMismatch": {
			change: func(in *verify.Input) { in.Image.Signatures[0].PublicKeyID = bob.claimed() },
			want:   one(isRefused("PublicKeyIDMismatch"), alice.claimed()),
		},
		"MalformedPayload": {
			change: withContent(alice.sign(`{"critical":{},"optional":{}}`)),
			want:   one(isRefused("MalformedPayload"), alice.claimed()),
		},
		"DigestUnknown": {
			change: func(in *verify.Input) { in.Image.Manifest = verify.Manifest{} },
			want: func() verify.Verdict {
				v := one(isUnchecked("DigestUnknown"), alice.claimed())
				v.Digest = ""
				return v
			}(),
		},
		"DigestMismatch": {
			change: withContent(alice.sign(payload(otherDigest, appReference))),
			want:   one(isRefused("DigestMismatch"), alice.claimed()),
		},
		"DigestMismatch, another algorithm": {
			change: withContent(alice.sign(payload(digest.SHA512.FromString("manifest"), appReference))),
			want:   one(isRefused("DigestMismatch"), alice.claimed()),
		},
		"IdentityMismatch": {
			change: withContent(alice.sign(payload(appDigest, "registry.example.com/team/app:v2"))),
			want:   one(isRefused("IdentityMismatch"), alice.claimed()),
		},
		"NoSignatures": {
			change: func(in *verify.Input) { in.Image.Signatures = nil },
			want: verify.Verdict{
				Finding:  isRefused("NoSignatures"),
				Digest:   appDigest,
				Policies: []verify.PolicyVerdict{policyVerdict("team", isRefused("NoSignatures"))},
			},
		},
		"NoTrustPolicy and no signatures": {
			change: func(in *verify.Input) {
				in.Image.Signatures = nil
				in.Policies = nil
			},
			want: verify.Verdict{Finding: isUnchecked("NoTrustPolicy"), Digest: appDigest},
		},
		"InsufficientSignatures": {
			change: func(in *verify.Input) { in.Policies[0].RequiredSignatures = 2 },
			want: verify.Verdict{
				Finding:    isRefused("InsufficientSignatures"),
				Digest:     appDigest,
				Signatures: []verify.SignatureVerdict{verifiedBy(alice)},
				Policies:   []verify.PolicyVerdict{policyVerdict("team", isRefused("InsufficientSignatures"))},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			if tt.change != nil {
				tt.change(&in)
			}
			compare(t, check(in), tt.want)
		})
	}
}

// withContent gives the first signature another content.
func withContent(content []byte) func(*verify.Input) {
	return func(in *verify.Input) { in.Image.Signatures[0].Content = content }
}

// signedBy lets somebody else sign, whom the policy trusts.
func signedBy(t testing.TB, s signer) func(*verify.Input) {
	return func(in *verify.Input) {
		in.Image.Signatures = []verify.Signature{s.good()}
		in.Policies[0].Trust = trust(t, s)
	}
}

// TestSeveral checks several signatures and policies: what each came to, and the image.
func TestSeveral(t *testing.T) {
	otherImage := atomic(alice.sign(payload(otherDigest, appReference)))
	garbage := atomic([]byte("not a signature"))
	refusedAs := func(reason string, s signer) verify.SignatureVerdict {
		return verify.SignatureVerdict{Finding: isRefused(reason), ClaimedKeyID: s.claimed()}
	}
	isGarbage := verify.SignatureVerdict{Finding: isRefused("MalformedSignature")}
	requiring := func(n int, p verify.Policy) verify.Policy {
		p.RequiredSignatures = n
		return p
	}
	unavailable := policy(t, "staging")
	unavailable.UnavailableKeys = []string{"staging"}

	tests := map[string]struct {
		signatures []verify.Signature
		policies   []verify.Policy
		image      verify.Finding
		want       []verify.SignatureVerdict
		perPolicy  []verify.PolicyVerdict
	}{
		"bad signatures do not hide a good one": {
			signatures: []verify.Signature{garbage, otherImage, bob.good(), revoked.good(), alice.good(), {Type: "cosign"}},
			policies:   []verify.Policy{policy(t, "team", alice, revoked)},
			image:      isVerified(),
			want: []verify.SignatureVerdict{
				isGarbage, refusedAs("DigestMismatch", alice), refusedAs("UntrustedKey", bob),
				refusedAs("KeyRevoked", revoked), verifiedBy(alice), {Finding: isUnchecked("UnsupportedType")},
			},
			perPolicy: []verify.PolicyVerdict{policyVerdict("team", isVerified())},
		},
		"the refusal that came furthest is the image's": {
			signatures: []verify.Signature{garbage, otherImage, bob.good()},
			policies:   []verify.Policy{policy(t, "team", alice)},
			image:      isRefused("DigestMismatch"),
			want:       []verify.SignatureVerdict{isGarbage, refusedAs("DigestMismatch", alice), refusedAs("UntrustedKey", bob)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("team", isRefused("DigestMismatch"))},
		},
		"what could not be checked is not refused": {
			signatures: []verify.Signature{garbage, {Type: "cosign"}},
			policies:   []verify.Policy{policy(t, "team", alice)},
			image:      isUnchecked("UnsupportedType"),
			want:       []verify.SignatureVerdict{isGarbage, {Finding: isUnchecked("UnsupportedType")}},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("team", isUnchecked("UnsupportedType"))},
		},
		"a signature that is there twice counts once": {
			signatures: []verify.Signature{alice.good(), alice.good()},
			policies:   []verify.Policy{requiring(2, policy(t, "team", alice, bob))},
			image:      isRefused("InsufficientSignatures"),
			want:       []verify.SignatureVerdict{verifiedBy(alice), verifiedBy(alice)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("team", isRefused("InsufficientSignatures"))},
		},
		"two subkeys of one primary key count once": {
			signatures: []verify.Signature{firstSubkey.good(), secondSubkey.good()},
			policies:   []verify.Policy{requiring(2, policy(t, "team", firstSubkey, alice))},
			image:      isRefused("InsufficientSignatures"),
			want:       []verify.SignatureVerdict{verifiedBy(firstSubkey), verifiedBy(secondSubkey)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("team", isRefused("InsufficientSignatures"))},
		},
		"as many keys as are asked for": {
			signatures: []verify.Signature{firstSubkey.good(), garbage, alice.good(), bob.good()},
			policies:   []verify.Policy{requiring(3, policy(t, "team", firstSubkey, alice, bob, carol))},
			image:      isVerified(),
			want:       []verify.SignatureVerdict{verifiedBy(firstSubkey), isGarbage, verifiedBy(alice), verifiedBy(bob)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("team", isVerified())},
		},
		"too few keys, and one signature that could not be checked": {
			signatures: []verify.Signature{alice.good(), {Type: "cosign"}},
			policies:   []verify.Policy{requiring(2, policy(t, "team", alice))},
			image:      isUnchecked("UnsupportedType"),
			want:       []verify.SignatureVerdict{verifiedBy(alice), {Finding: isUnchecked("UnsupportedType")}},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("team", isUnchecked("UnsupportedType"))},
		},
		"required below 1 is 1": {
			signatures: []verify.Signature{bob.good()},
			policies:   []verify.Policy{requiring(-1, policy(t, "team", alice))},
			image:      isRefused("UntrustedKey"),
			want:       []verify.SignatureVerdict{refusedAs("UntrustedKey", bob)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("team", isRefused("UntrustedKey"))},
		},
		"every policy must be satisfied": {
			signatures: []verify.Signature{alice.good()},
			policies:   []verify.Policy{policy(t, "team", alice), policy(t, "security", bob)},
			image:      isRefused("UntrustedKey"),
			want:       []verify.SignatureVerdict{verifiedBy(alice)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("security", isRefused("UntrustedKey")), policyVerdict("team", isVerified())},
		},
		"every policy is satisfied, each by a signature of its own": {
			signatures: []verify.Signature{alice.good(), bob.good()},
			policies:   []verify.Policy{policy(t, "team", alice), policy(t, "security", bob)},
			image:      isVerified(),
			want:       []verify.SignatureVerdict{verifiedBy(alice), verifiedBy(bob)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("security", isVerified()), policyVerdict("team", isVerified())},
		},
		"one policy's keys are unavailable": {
			signatures: []verify.Signature{alice.good()},
			policies:   []verify.Policy{policy(t, "team", alice), unavailable},
			image:      isUnchecked("KeysUnavailable"),
			want:       []verify.SignatureVerdict{verifiedBy(alice)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("staging", isUnchecked("KeysUnavailable")), policyVerdict("team", isVerified())},
		},
		"a refusal is final, whatever could not be checked": {
			signatures: []verify.Signature{bob.good()},
			policies:   []verify.Policy{policy(t, "team", alice), unavailable},
			image:      isRefused("UntrustedKey"),
			want:       []verify.SignatureVerdict{{Finding: isUnchecked("KeysUnavailable"), ClaimedKeyID: bob.claimed()}},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("staging", isUnchecked("KeysUnavailable")), policyVerdict("team", isRefused("UntrustedKey"))},
		},
		"a signature is refused when every policy refuses it": {
			signatures: []verify.Signature{expired.good()},
			policies:   []verify.Policy{policy(t, "a", alice), policy(t, "b", expired)},
			image:      isRefused("UntrustedKey"),
			want:       []verify.SignatureVerdict{refusedAs("KeyExpired", expired)},
			perPolicy:  []verify.PolicyVerdict{policyVerdict("a", isRefused("UntrustedKey")), policyVerdict("b", isRefused("KeyExpired"))},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			in.Image.Signatures, in.Policies = tt.signatures, tt.policies
			got := check(in)
			compare(t, got, verify.Verdict{Finding: tt.image, Digest: appDigest, Signatures: tt.want, Policies: tt.perPolicy})
			want := 0
			for i := range tt.want {
				if tt.want[i].Claims != nil {
					want++
				}
			}
			if got.VerifiedSignatures() != want {
				t.Errorf("%d verified signatures, want %d", got.VerifiedSignatures(), want)
			}
		})
	}
}

// TestZeroValues checks that nothing is verified by default.
func TestZeroValues(t *testing.T) {
	if v := new(verify.Verdict); v.Outcome == verify.Verified || v.VerifiedSignatures() != 0 {
		t.Errorf("the zero Verdict is %s", v.Outcome)
	}
	compare(t, check(verify.Input{}), verify.Verdict{Finding: isUnchecked("NoTrustPolicy")})
	compare(t, check(verify.Input{Policies: []verify.Policy{{}}}), verify.Verdict{
		Finding:  isRefused("NoSignatures"),
		Policies: []verify.PolicyVerdict{{Finding: isRefused("NoSignatures")}},
	})
	in := input(t)
	in.Policies[0].Identity = new(imageref.Matcher)
	compare(t, check(in), one(isRefused("IdentityMismatch"), alice.claimed()))
}

func TestOutcome(t *testing.T) {
	type result struct{ Text, Complete, Failed string }
	tests := map[verify.Outcome]result{
		verify.Verified:      {"verified", "True", "False"},
		verify.Refused:       {"refused", "False", "True"},
		verify.CouldNotCheck: {"could not be checked", "Unknown", "Unknown"},
		verify.Outcome(99):   {"could not be checked", "Unknown", "Unknown"},
	}
	for outcome, want := range tests {
		complete, failed := outcome.Conditions()
		if diff := cmp.Diff(want, result{outcome.String(), complete, failed}); diff != "" {
			t.Errorf("outcome %d (-want +got):\n%s", outcome, diff)
		}
	}
}
