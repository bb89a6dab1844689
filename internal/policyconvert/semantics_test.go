// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

const sigTime = 1748736000 // 2025-06-01

var imageDigest = digest.FromString("the image")

// signed returns a signature of the image under a name.
func signed(k *pgp.Key, name string) verify.Signature {
	payload := fmt.Appendf(nil, `{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},`+
		`"identity":{"docker-reference":%q}},"optional":{}}`, imageDigest, name)
	return verify.Signature{Type: "atomic", Content: k.Message(k.Standard(pgp.TypeBinary, sigTime), payload)}
}

// check evaluates an image with the TrustPolicies of its most specific scope.
func check(t *testing.T, policies []assayv1alpha1.TrustPolicy, image string, signatures ...verify.Signature) string {
	t.Helper()
	var index imageref.Index[verify.Policy]
	for i := range policies {
		p := verify.Policy{Name: policies[i].Name, RequiredSignatures: int(policies[i].Spec.RequiredSignatures)}
		var files []verify.NamedKeyFile
		for _, key := range policies[i].Spec.Keys {
			file, err := signature.ParseKeyFile(signature.Formats(), []byte(key.Inline))
			if err != nil {
				p.UnavailableKeys = append(p.UnavailableKeys, string(key.Name))
				continue
			}
			files = append(files, verify.NamedKeyFile{Entry: string(key.Name), File: file})
		}
		p.Trust = signature.NewTrust(signature.Formats(), files)
		p.Identity = matcher(t, policies[i].Spec.SignedIdentity)
		for _, text := range policies[i].Spec.Scopes {
			scope, err := imageref.ParseScope(string(text))
			if err != nil {
				t.Fatal(err)
			}
			index.Add(scope, p)
		}
	}
	reference := verify.ParseReference(image)
	if reference.Err != nil {
		t.Fatal(reference.Err)
	}
	applied, _, _ := index.Lookup(reference.Named)
	return verify.New(signature.Formats()...).Check(verify.Input{
		Now:      time.Unix(sigTime, 0).Add(time.Hour),
		Image:    verify.Image{Reference: reference, Manifest: verify.Manifest{Digest: imageDigest}, Signatures: signatures},
		Policies: applied,
	}).Reason
}

func matcher(t *testing.T, signed *assayv1alpha1.SignedIdentity) *imageref.Matcher {
	t.Helper()
	m, err := imageref.NewMatcher(verify.IdentityRule(signed))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSemantics checks that converted policies decide as containers-policy.json(5) says.
func TestSemantics(t *testing.T) {
	byAlice, byBob := signedBy("/keys/alice.gpg", ""), signedBy("/keys/bob.asc", "")
	policies, _ := convert(t, `{"default":[{"type":"reject"}],"transports":{"docker":{
		"*.example.com":                [`+byAlice+`],
		"registry.example.com":         [`+byBob+`],
		"registry.example.com/both":    [`+byAlice+`,`+byBob+`],
		"registry.example.com/either":  [{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/keys/alice.gpg","/keys/bob.asc"]}],
		"registry.example.com/any/app:v1": [`+byAlice+`],
		"docker.io/library/busybox":    [`+byAlice+`],
		"alpine":                       [`+byAlice+`],
		"mirror.example.net/vendor":    [`+signedBy("/keys/alice.gpg", `,"signedIdentity":{"type":"remapIdentity","prefix":"mirror.example.net/vendor","signedPrefix":"vendor.example"}`)+`],
		"repo.example.net":             [`+signedBy("/keys/alice.gpg", `,"signedIdentity":{"type":"matchRepository"}`)+`]
	}}}`)
	tests := map[string]struct {
		image      string
		signatures []verify.Signature
		want       string
	}{
		"a wildcard":                           {"a.example.com/app:v1", []verify.Signature{signed(alice, "a.example.com/app:v1")}, "Verified"},
		"a wildcard, deeper and with a port":   {"b.a.example.com:5000/app:v1", []verify.Signature{signed(alice, "b.a.example.com:5000/app:v1")}, "Verified"},
		"a wildcard is not the domain":         {"example.com/app:v1", []verify.Signature{signed(alice, "example.com/app:v1")}, "NoTrustPolicy"},
		"a wildcard is anchored":               {"badexample.com/app:v1", []verify.Signature{signed(alice, "badexample.com/app:v1")}, "NoTrustPolicy"},
		"a host wins over a wildcard":          {"registry.example.com/app:v1", []verify.Signature{signed(alice, "registry.example.com/app:v1")}, "UntrustedKey"},
		"the key of the host":                  {"registry.example.com/app:v1", []verify.Signature{signed(bob, "registry.example.com/app:v1")}, "Verified"},
		"a host is not the host with a port":   {"registry.example.com:5000/app:v1", []verify.Signature{signed(bob, "registry.example.com:5000/app:v1")}, "UntrustedKey"},
		"AND, one":                             {"registry.example.com/both/app:v1", []verify.Signature{signed(alice, "registry.example.com/both/app:v1")}, "UntrustedKey"},
		"AND, both":                            {"registry.example.com/both/app:v1", []verify.Signature{signed(alice, "registry.example.com/both/app:v1"), signed(bob, "registry.example.com/both/app:v1")}, "Verified"},
		"OR, the second":                       {"registry.example.com/either:v1", []verify.Signature{signed(bob, "registry.example.com/either:v1")}, "Verified"},
		"one tag":                              {"registry.example.com/any/app:v1", []verify.Signature{signed(alice, "registry.example.com/any/app:v1")}, "Verified"},
		"another tag":                          {"registry.example.com/any/app:v2", []verify.Signature{signed(alice, "registry.example.com/any/app:v2")}, "UntrustedKey"},
		"a short image under its full name":    {"busybox:1", []verify.Signature{signed(alice, "docker.io/library/busybox:1")}, "Verified"},
		"a scope that is a short name":         {"alpine:1", []verify.Signature{signed(alice, "alpine:1")}, "NoTrustPolicy"},
		"no signature":                         {"a.example.com/app:v1", nil, "NoSignatures"},
		"another name":                         {"a.example.com/app:v1", []verify.Signature{signed(alice, "a.example.com/app:v2")}, "IdentityMismatch"},
		"remapIdentity":                        {"mirror.example.net/vendor/app:v1", []verify.Signature{signed(alice, "vendor.example/app:v1")}, "Verified"},
		"remapIdentity, not the original name": {"mirror.example.net/vendor/app:v1", []verify.Signature{signed(alice, "mirror.example.net/vendor/app:v1")}, "IdentityMismatch"},
		"matchRepository":                      {"repo.example.net/app:v1", []verify.Signature{signed(alice, "repo.example.net/app:v9")}, "Verified"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := check(t, policies, tt.image, tt.signatures...); got != tt.want {
				t.Errorf("reason %s, want %s", got, tt.want)
			}
		})
	}
}

// TestInlineKeys checks that every key of a file with many armor blocks comes into the TrustPolicy,
// with the revocation beside them and without private keys.
func TestInlineKeys(t *testing.T) {
	policies, notes := convert(t, docker("a.example", signedBy("/keys/many.asc", "")))
	if len(notes) > 0 {
		t.Errorf("notes %+v", notes)
	}
	const image = "a.example/app:v1"
	for i := range 100 {
		want := "Verified"
		if i == 0 {
			want = "KeyRevoked"
		}
		if got := check(t, policies, image, signed(manyKey(i), image)); got != want {
			t.Errorf("key %d: %s, want %s", i, got, want)
		}
	}
	for _, file := range []string{"/keys/private.asc", "/keys/labelled.asc"} {
		policies, _ := convert(t, docker("a.example", signedBy(file, "")))
		inline := policies[0].Spec.Keys[0].Inline
		if want := string(pgp.Armor("PGP PUBLIC KEY BLOCK", files["/keys/alice.gpg"])); inline != want {
			t.Errorf("%s: got %s, want %s", file, inline, want)
		}
	}
}
