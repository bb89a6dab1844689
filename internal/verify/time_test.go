// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/verify"
)

// TestTime checks what the passing of time does to a verdict, and that RecheckAt tells
// when: just before it the verdict is the same, and then it is another.
func TestTime(t *testing.T) {
	app := payload(appDigest, appReference)
	keyEnd := time.Unix(nowTime+day, 0).UTC()
	tests := map[string]struct {
		signer  signer
		content []byte
		change  func(*verify.Input)

		before, after string // Reasons.
		recheckAt     time.Time
	}{
		"the key expires": {
			signer: expiring, before: "Verified", after: "KeyExpired", recheckAt: keyEnd,
		},
		"the key expires, and signatures before that stay accepted": {
			signer: expiring, before: "Verified", after: "Verified",
			change: func(in *verify.Input) { in.Policies[0].AcceptBeforeExpiry = true },
		},
		"the key has expired, and signatures before that stay accepted": {
			signer: expired, before: "Verified", after: "Verified",
			change: func(in *verify.Input) { in.Policies[0].AcceptBeforeExpiry = true },
		},
		"the key was expired when it signed": {
			signer: expired, content: expired.signAt(nowTime-day+1, app), before: "KeyExpired", after: "KeyExpired",
			change: func(in *verify.Input) { in.Policies[0].AcceptBeforeExpiry = true },
		},
		"the signature expires": {
			signer: alice, content: alice.sign(app, pgp.Sub32(pgp.SubExpires, nowTime-sigTime+60)),
			before: "Verified", after: "SignatureExpired", recheckAt: now.Add(time.Minute),
		},
		"the signature expires before the key": {
			signer: expiring, content: expiring.sign(app, pgp.Sub32(pgp.SubExpires, nowTime-sigTime+60)),
			before: "Verified", after: "SignatureExpired", recheckAt: now.Add(time.Minute),
		},
		"the signature's time comes": {
			signer: alice, content: alice.signAt(nowTime+day, app),
			before: "SignatureInFuture", after: "Verified", recheckAt: now.Add(24*time.Hour - 5*time.Minute),
		},
		"the signature is within the clock skew": {
			signer: alice, content: alice.signAt(nowTime+5*60, app), before: "Verified", after: "Verified",
		},
		"the payload is refused, and the key expires": {
			signer: expiring, content: expiring.sign("{}"), before: "MalformedPayload", after: "KeyExpired", recheckAt: keyEnd,
		},
		"the digest is refused, and the key expires": {
			signer: expiring, content: expiring.sign(payload(otherDigest, appReference)),
			before: "DigestMismatch", after: "KeyExpired", recheckAt: keyEnd,
		},
		"the name is refused, and the key expires": {
			signer: expiring, content: expiring.sign(payload(appDigest, "example.com/app")),
			before: "IdentityMismatch", after: "KeyExpired", recheckAt: keyEnd,
		},
		"another key is asked for, and the key expires": {
			signer: expiring, before: "PublicKeyIDMismatch", after: "KeyExpired", recheckAt: keyEnd,
			change: func(in *verify.Input) { in.Image.Signatures[0].PublicKeyID = alice.claimed() },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			signedBy(t, tt.signer)(&in)
			if tt.content != nil {
				in.Image.Signatures[0].Content = tt.content
			}
			if tt.change != nil {
				tt.change(&in)
			}
			first := check(in)
			if first.Reason != tt.before || !first.RecheckAt.Equal(tt.recheckAt) {
				t.Errorf("now: %s (%s), to be checked at %s; want %s at %s", first.Reason, first.Message, first.RecheckAt, tt.before, tt.recheckAt)
			}
			in.Now = now.Add(10 * 365 * 24 * time.Hour)
			if !tt.recheckAt.IsZero() {
				in.Now = tt.recheckAt.Add(-time.Nanosecond)
				if v := check(in); v.Reason != tt.before {
					t.Errorf("just before: %s (%s), want %s", v.Reason, v.Message, tt.before)
				}
				in.Now = tt.recheckAt
			}
			if v := check(in); v.Reason != tt.after {
				t.Errorf("then: %s (%s), want %s", v.Reason, v.Message, tt.after)
			}
		})
	}
}

// TestRecheckAtIsTheEarliest checks that of several times the first one counts, wherever
// it stands.
func TestRecheckAtIsTheEarliest(t *testing.T) {
	app := payload(appDigest, appReference)
	signatures := []verify.Signature{
		alice.good(), expiring.good(),
		atomic(alice.sign(app, pgp.Sub32(pgp.SubExpires, nowTime-sigTime+3600))),
		atomic(alice.signAt(nowTime+2*day, app)),
	}
	permutations(len(signatures), func(order []int) {
		in := input(t)
		in.Image.Signatures = permuted(signatures, order)
		in.Policies = []verify.Policy{policy(t, "a", alice), policy(t, "b", alice, expiring)}
		if got, want := check(in).RecheckAt, now.Add(time.Hour); !got.Equal(want) {
			t.Errorf("signatures in the order %v: RecheckAt %s, want %s", order, got, want)
		}
	})
	for _, knowing := range []string{"a", "c"} {
		in := input(t)
		in.Image.Signatures = []verify.Signature{expiring.good()}
		in.Policies = []verify.Policy{policy(t, knowing, expiring), policy(t, "b", alice)}
		if got, want := check(in).RecheckAt, now.Add(24*time.Hour); !got.Equal(want) {
			t.Errorf("policy %s has the key: RecheckAt %s, want %s", knowing, got, want)
		}
	}
}

// TestCreated checks which time a verified signature is from.
func TestCreated(t *testing.T) {
	withTimestamp := func(timestamp string) string {
		return strings.Replace(payload(appDigest, appReference), `"optional":{}`, fmt.Sprintf(`"optional":{"timestamp":%s}`, timestamp), 1)
	}
	tests := map[string]struct {
		payload string
		want    time.Time
	}{
		"the claim":                          {withTimestamp("1483228800"), time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)},
		"no claim, so the packet's":          {payload(appDigest, appReference), time.Unix(sigTime, 0).UTC()},
		"a claim that RFC 3339 cannot write": {withTimestamp("9467000000000"), time.Unix(sigTime, 0).UTC()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			in.Image.Signatures[0].Content = alice.sign(tt.payload)
			v := check(in)
			if v.Outcome != verify.Verified {
				t.Fatalf("%s: %s", v.Reason, v.Message)
			}
			if got := v.Signatures[0].Claims.Created; got != tt.want {
				t.Errorf("created %s, want %s", got, tt.want)
			}
		})
	}
}
