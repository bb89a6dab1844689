// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/verify"
)

// TestMessages checks the words of the messages that are this package's own.
func TestMessages(t *testing.T) {
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("é%03d", i))
	}
	tests := map[string]struct {
		change    func(*verify.Input)
		image     string
		signature string // Empty when it is the same.
	}{
		"verified": {
			image:     "signed by 1 trusted key; TrustPolicy team requires 1",
			signature: "signed by alice (0x" + alice.fingerprint() + "), trusted by TrustPolicy team",
		},
		"verified by a key without a user ID": {
			change: func(in *verify.Input) {
				key := pgp.Ed25519(4, keyTime, "verify nameless")
				s := newSigner(key, key.Certificate(key.Direct(key.Standard(pgp.TypeDirectKey, keyTime, pgp.Flags(pgp.FlagSign)))), "")
				signedBy(t, s)(in)
				in.Policies[0].Label = "--trusted-key"
			},
			image: "signed by 1 trusted key; --trusted-key requires 1",
			signature: "signed by 0x" + strings.TrimPrefix(newSigner(pgp.Ed25519(4, keyTime, "verify nameless"), nil, "").claimed(), "0x") +
				", trusted by --trusted-key",
		},
		"verified for two policies": {
			change:    func(in *verify.Input) { in.Policies = append(in.Policies, policy(t, "security", alice, bob)) },
			image:     "the signatures satisfy all 2 TrustPolicies that apply",
			signature: "signed by alice (0x" + alice.fingerprint() + "), trusted by TrustPolicy security",
		},
		"verified by two keys": {
			change: func(in *verify.Input) {
				in.Image.Signatures = append(in.Image.Signatures, bob.good())
				in.Policies[0].Trust = trust(t, alice, bob)
			},
			image:     "signed by 2 trusted keys; TrustPolicy team requires 1",
			signature: "signed by alice (0x" + alice.fingerprint() + "), trusted by TrustPolicy team",
		},
		"too few keys": {
			change:    func(in *verify.Input) { in.Policies[0].RequiredSignatures = 3 },
			image:     "signed by 1 trusted key; TrustPolicy team requires 3",
			signature: "signed by alice (0x" + alice.fingerprint() + "), trusted by TrustPolicy team",
		},
		"unknown key": {
			change: func(in *verify.Input) { in.Policies[0].Trust = trust(t, bob) },
			image:  "TrustPolicy team does not have key " + alice.claimed() + ", which the signature names; add the key if you trust its owner",
		},
		"altered content": {
			change: func(in *verify.Input) {
				content := string(in.Image.Signatures[0].Content)
				in.Image.Signatures[0].Content = []byte(strings.Replace(content, "app:v1", "app:v2", 1))
			},
			image: "the signature is not valid: content or signature was altered (key 0x" + alice.fingerprint() + ")",
		},
		"an expired key": {
			change: signedBy(t, expired),
			image:  "the key is expired (key 0x" + expired.fingerprint() + ")",
		},
		"no keys": {
			change: func(in *verify.Input) { in.Policies[0].Trust = nil },
			image:  "TrustPolicy team has no keys",
		},
		"unavailable keys": {
			change: func(in *verify.Input) {
				in.Policies[0].Trust = nil
				in.Policies[0].UnavailableKeys = []string{"next", "staging"}
			},
			image: "no available key of TrustPolicy team verifies the signature; unavailable: next, staging",
		},
		"many unavailable keys, cut between two characters": {
			change: func(in *verify.Input) {
				in.Policies[0].Trust = nil
				in.Policies[0].UnavailableKeys = many
			},
			image: strings.ToValidUTF8(("no available key of TrustPolicy team verifies the signature; unavailable: " +
				strings.Join(many, ", "))[:verify.MaxMessageLength-len("…")], "") + "…",
		},
		"an invalid policy": {
			change: func(in *verify.Input) { in.Policies[0].Err = errors.New("scopes[0]: a scope is empty") },
			image:  "TrustPolicy team cannot be applied: scopes[0]: a scope is empty",
		},
		"a policy without a rule for names": {
			change: func(in *verify.Input) { in.Policies[0].Identity = nil },
			image:  "TrustPolicy team cannot be applied: it has no rule for signed names",
		},
		"another digest": {
			change: withContent(alice.sign(payload(otherDigest, appReference))),
			image:  "the signature is for " + otherDigest.String() + ", and the image is " + appDigest.String(),
		},
		"another name": {
			change: withContent(alice.sign(payload(appDigest, "registry.example.com/team/app:v2"))),
			image:  `the signature is for "registry.example.com/team/app:v2", but MatchRepoDigestOrExact expects "registry.example.com/team/app:v1"`,
		},
		"two other names, and a signature for another image": {
			change: func(in *verify.Input) {
				in.Image.Signatures = []verify.Signature{
					atomic(alice.sign(payload(appDigest, "registry.example.com/team/app:v1.1"))),
					atomic(alice.sign(payload(appDigest, "registry.example.com/team/app:latest"))),
					atomic(alice.sign(payload(otherDigest, "registry.example.com/team/app:old"))),
					atomic(alice.sign(payload(appDigest, "registry.example.com/team/app:latest"), pgp.Sub32(pgp.SubExpires, 1<<30))),
				}
			},
			image: `the image is signed as "registry.example.com/team/app:latest", "registry.example.com/team/app:v1.1", ` +
				`but MatchRepoDigestOrExact expects "registry.example.com/team/app:v1"`,
			signature: `the signature is for "registry.example.com/team/app:v1.1", but MatchRepoDigestOrExact expects "registry.example.com/team/app:v1"`,
		},
		"an index, the images of which are signed": {
			change: func(in *verify.Input) {
				in.Image.Manifest = verify.Manifest{Digest: appDigest, Index: true}
				in.Image.Signatures[0].Content = alice.sign(payload(otherDigest, appReference))
			},
			image: "the signature is for " + otherDigest.String() + ", and the image is " + appDigest.String() +
				"; the image is an index of images by platform: sign the index itself, or every image that it lists",
		},
		"an index without signatures": {
			change: func(in *verify.Input) { in.Image.Manifest.Index, in.Image.Signatures = true, nil },
			image: "the image has no signatures; TrustPolicy team requires 1" +
				"; the image is an index of images by platform: sign the index itself, or every image that it lists",
		},
		"keys of another format": {
			change: func(in *verify.Input) {
				in.Policies[0].Trust = map[string]verify.Trust{"other": in.Policies[0].Trust["atomic"], "atomic": trust(t)["atomic"]}
			},
			image: "TrustPolicy team has no key for signatures of format atomic, only for other; add key " + alice.claimed() +
				", which the signature names, if you trust its owner",
		},
		"a name that would write on the terminal": {
			change: withContent(alice.sign(payload(appDigest, "app\x1b[2J\u202e"))),
			image: `the signed docker-reference is invalid: "app\x1b[2J\u202e" is not an image reference: ` +
				"want [host[:port]/]path[:tag][@digest]",
		},
		"no signatures": {
			change: func(in *verify.Input) { in.Image.Signatures = nil },
			image:  "the image has no signatures; TrustPolicy team requires 1",
		},
		"no policy": {
			change:    func(in *verify.Input) { in.Policies = nil },
			image:     "no TrustPolicy has a scope that covers dockerImageReference; create one",
			signature: "no TrustPolicy applies to the image",
		},
		"no policy and no reference": {
			change: func(in *verify.Input) {
				in.Image.Reference = verify.Reference{}
				in.Policies = nil
			},
			image:     "no TrustPolicy can apply because dockerImageReference is empty; set it to the image's pull reference",
			signature: "no TrustPolicy applies to the image",
		},
		"a policy without a reference": {
			change: func(in *verify.Input) { in.Image.Reference = verify.Reference{} },
			image:  "dockerImageReference is empty, so that the signed name cannot be compared",
		},
		"an unknown type": {
			change: func(in *verify.Input) { in.Image.Signatures[0].Type = "cosign" },
			image:  "signatures of this type are not verified; supported types: AtomicImageV1, atomic, sigstore",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			tt.change = orNothing(tt.change)
			tt.change(&in)
			got := check(in)
			checkMessages(t, &got)
			if got.Message != tt.image {
				t.Errorf("image:\n got %q\nwant %q", got.Message, tt.image)
			}
			want := tt.signature
			if want == "" {
				want = tt.image
			}
			if len(got.Signatures) > 0 && got.Signatures[0].Message != want {
				t.Errorf("signature:\n got %q\nwant %q", got.Signatures[0].Message, want)
			}
		})
	}
}

func orNothing(change func(*verify.Input)) func(*verify.Input) {
	if change == nil {
		return func(*verify.Input) {}
	}
	return change
}

// TestListedNamesAreBounded checks that a message about many names fits its bound, lists the first
// in order and counts the others, and goes on saying what would match.
func TestListedNamesAreBounded(t *testing.T) {
	in := input(t)
	in.Image.Signatures = nil
	for i := range 100 {
		in.Image.Signatures = append(in.Image.Signatures, atomic(alice.sign(payload(appDigest, fmt.Sprintf("%s-%02d", appReference, i)))))
	}
	got := check(in)
	checkMessages(t, &got)
	for _, want := range []string{`signed as "registry.example.com/team/app:v1-00", "registry.example.com/team/app:v1-01", `, " more, but ", `expects "` + appReference + `"`} {
		if !strings.Contains(got.Message, want) {
			t.Errorf("message %q, want %q in it", got.Message, want)
		}
	}
}

// TestMessagesAreBounded checks that no text of the author of a key, a signature or an
// object gets into a message as it is, or without a bound.
func TestMessagesAreBounded(t *testing.T) {
	nasty := strings.Repeat("\x1b]0;\u202e\u0000ä\xff\n", 200)
	key := pgp.Ed25519(4, keyTime, "verify nasty")
	s := newSigner(key, key.Simple(nasty), nasty)

	tests := map[string]func(*verify.Input){
		"user ID":     func(*verify.Input) {},
		"reference":   func(in *verify.Input) { in.Image.Reference = verify.ParseReference(nasty) },
		"name":        func(in *verify.Input) { in.Image.Name = "sha256-" + nasty },
		"manifest":    func(in *verify.Input) { in.Image.Manifest = verify.ParseManifest([]byte(`{"`+nasty+`":1}`), nasty) },
		"type":        func(in *verify.Input) { in.Image.Signatures[0].Type = nasty },
		"key ID":      func(in *verify.Input) { in.Image.Signatures[0].PublicKeyID = nasty },
		"payload":     func(in *verify.Input) { in.Image.Signatures[0].Content = s.sign(nasty) },
		"signed name": func(in *verify.Input) { in.Image.Signatures[0].Content = s.sign(payload(appDigest, nasty)) },
		"signed digest": func(in *verify.Input) {
			in.Image.Signatures[0].Content = s.sign(strings.Replace(payload(appDigest, appReference), "sha256:", "\u202e", 1))
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			signedBy(t, s)(&in)
			change(&in)
			got := check(in)
			checkMessages(t, &got)
		})
	}
}
