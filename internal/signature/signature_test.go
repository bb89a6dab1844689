// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package signature_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/imageref"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

const (
	made      = 1735689600 // 2025-01-01
	signedAt  = 1748736000 // 2025-06-01
	reference = "registry.example.com/team/app:v1"

	imageDigest = digest.Digest("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	otherDigest = digest.Digest("sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210")
)

var now = time.Unix(1767225600, 0).UTC() // 2026-01-01

// formats are those of the product and one more, which takes one line.
func formats() []verify.Format { return append(signature.Formats(), toy{}) }

// toyKey makes the key of a name.
func toyKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("toy " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.SeedSize:])
}

// toyKeys is a file of the keys of names.
func toyKeys(t *testing.T, oneOwner bool, names ...string) []byte {
	t.Helper()
	file := toyKeyFile{OneOwner: oneOwner}
	for _, name := range names {
		file.Keys = append(file.Keys, public(toyKey(name)))
	}
	return encode(t, file)
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// toySign makes a signature by the key of a name.
func toySign(t *testing.T, name string, d digest.Digest, signedName string) verify.Signature {
	t.Helper()
	key := toyKey(name)
	statement := encode(t, toyStatement{Digest: d, Name: signedName, Created: time.Unix(signedAt, 0).UTC()})
	return verify.Signature{Type: "ToyV1", Content: encode(t, toySignature{
		Statement: statement, Signature: ed25519.Sign(key, statement), Fingerprint: toyFingerprint(public(key)),
	})}
}

func openPGPKey(name string) *pgp.Key { return pgp.Ed25519(4, made, "signature "+name) }

// openPGPSign makes an atomic signature by the key of a name.
func openPGPSign(name string) verify.Signature {
	key := openPGPKey(name)
	payload := fmt.Sprintf(`{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},`+
		`"identity":{"docker-reference":%q}},"optional":{}}`, imageDigest, reference)
	return verify.Signature{Type: "atomic", Content: key.Message(key.Standard(pgp.TypeBinary, signedAt), []byte(payload))}
}

// policy trusts the keys of files, each in an entry of its own: a, b and so on.
func policy(t *testing.T, files ...[]byte) verify.Policy {
	t.Helper()
	var named []verify.NamedKeyFile
	for i, data := range files {
		file, err := signature.ParseKeyFile(formats(), data)
		if err != nil {
			t.Fatal(err)
		}
		named = append(named, verify.NamedKeyFile{Entry: string(rune('a' + i)), File: file})
	}
	matcher, err := imageref.NewMatcher(imageref.Rule{})
	if err != nil {
		t.Fatal(err)
	}
	return verify.Policy{Name: "team", Trust: signature.NewTrust(formats(), named), Identity: matcher}
}

func check(p verify.Policy, revoked map[string]string, signatures ...verify.Signature) verify.Verdict {
	return verify.New(formats()...).Check(verify.Input{
		Now: now, Policies: []verify.Policy{p}, RevokedKeys: revoked,
		Image: verify.Image{
			Name: "app", Reference: verify.ParseReference(reference),
			Manifest: verify.Manifest{Digest: imageDigest}, Signatures: signatures,
		},
	})
}

// TestToyVerifies checks the whole verdict on a signature of a format that the decision does
// not know.
func TestToyVerifies(t *testing.T) {
	got := check(policy(t, toyKeys(t, false, "alice")), nil, toySign(t, "alice", imageDigest, reference))
	fingerprint := "0x" + toyFingerprint(public(toyKey("alice")))
	finding := func(message string) verify.Finding {
		return verify.Finding{Outcome: verify.Verified, Reason: "Verified", Message: message}
	}
	want := verify.Verdict{
		Finding: finding("signed by 1 trusted key; TrustPolicy team requires 1"),
		Digest:  imageDigest,
		Signatures: []verify.SignatureVerdict{{
			Finding:      finding("signed by a (" + fingerprint + "), trusted by TrustPolicy team"),
			ClaimedKeyID: fingerprint,
			Claims: &verify.Claims{
				Identity: reference, Signed: map[string]string{"digest": imageDigest.String(), "name": reference},
				Created: time.Unix(signedAt, 0).UTC(), PublicKeyID: fingerprint,
				Subject: verify.Entity{CommonName: "a"}, Issuer: verify.Entity{CommonName: "a"},
			},
		}},
		Policies: []verify.PolicyVerdict{{Finding: finding("signed by 1 trusted key; TrustPolicy team requires 1"), Name: "team"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

// TestToyIsRefused checks that a format passes every check that the decision makes for all.
func TestToyIsRefused(t *testing.T) {
	trusted := policy(t, toyKeys(t, false, "alice"))
	good := toySign(t, "alice", imageDigest, reference)
	altered := good
	altered.Content = []byte(strings.Replace(string(good.Content), `"statement":"`, `"statement":"AAAA`, 1))
	asked := good
	asked.PublicKeyID = "0x0123456789ABCDEF"
	fingerprint := toyFingerprint(public(toyKey("alice")))
	unavailable := trusted
	unavailable.UnavailableKeys = []string{"b"}
	tests := map[string]struct {
		policy    verify.Policy
		signature verify.Signature
		revoked   map[string]string
		want      verify.Outcome
		reason    string
	}{
		"malformed":          {trusted, verify.Signature{Type: "toy", Content: []byte("{}")}, nil, verify.Refused, "MalformedSignature"},
		"of another format":  {trusted, verify.Signature{Type: "atomic", Content: good.Content}, nil, verify.Refused, "MalformedSignature"},
		"of no format":       {trusted, verify.Signature{Type: "toys", Content: good.Content}, nil, verify.CouldNotCheck, "UnsupportedType"},
		"by a stranger":      {trusted, toySign(t, "mallory", imageDigest, reference), nil, verify.Refused, "UntrustedKey"},
		"by a missing key":   {unavailable, toySign(t, "bob", imageDigest, reference), nil, verify.CouldNotCheck, "KeysUnavailable"},
		"without toy keys":   {policy(t, openPGPKey("alice").Simple("alice")), good, nil, verify.Refused, "UntrustedKey"},
		"altered":            {trusted, altered, nil, verify.Refused, "InvalidSignature"},
		"by a revoked key":   {trusted, good, map[string]string{fingerprint: "other"}, verify.Refused, "KeyRevoked"},
		"by another key":     {trusted, asked, nil, verify.Refused, "PublicKeyIDMismatch"},
		"of no digest":       {trusted, toySign(t, "alice", "", reference), nil, verify.Refused, "MalformedPayload"},
		"of another digest":  {trusted, toySign(t, "alice", otherDigest, reference), nil, verify.Refused, "DigestMismatch"},
		"of another name":    {trusted, toySign(t, "alice", imageDigest, "registry.example.com/team/app:v2"), nil, verify.Refused, "IdentityMismatch"},
		"of no name":         {trusted, toySign(t, "alice", imageDigest, ""), nil, verify.Refused, "IdentityMismatch"},
		"right (to compare)": {trusted, good, nil, verify.Verified, "Verified"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := check(tt.policy, tt.revoked, tt.signature)
			if got.Outcome != tt.want || got.Reason != tt.reason || got.Message == "" {
				t.Errorf("%+v, want %s (%s)", got.Finding, tt.want, tt.reason)
			}
			if (got.Signatures[0].Claims != nil) != (tt.want == verify.Verified) {
				t.Errorf("claims %+v of a signature that is %s", got.Signatures[0].Claims, tt.want)
			}
		})
	}
}

// TestSignersAcrossFormats counts signers in policies that have keys of both formats, in
// every order of the signatures.
func TestSignersAcrossFormats(t *testing.T) {
	openPGP := openPGPKey("alice").Simple("alice")
	toyBy := func(name string) verify.Signature { return toySign(t, name, imageDigest, reference) }
	tests := map[string]struct {
		policy     verify.Policy
		signatures []verify.Signature
		signers    int
	}{
		"one of each format":                {policy(t, openPGP, toyKeys(t, false, "bob")), []verify.Signature{openPGPSign("alice"), toyBy("bob")}, 2},
		"one of each format and a stranger": {policy(t, openPGP, toyKeys(t, false, "bob")), []verify.Signature{openPGPSign("alice"), toyBy("bob"), toyBy("mallory")}, 2},
		"one of one format":                 {policy(t, openPGP, toyKeys(t, false, "bob")), []verify.Signature{openPGPSign("mallory"), toyBy("bob")}, 1},
		"one key twice":                     {policy(t, toyKeys(t, false, "bob")), []verify.Signature{toyBy("bob"), toyBy("bob")}, 1},
		"one key in two entries":            {policy(t, toyKeys(t, false, "bob"), toyKeys(t, false, "bob")), []verify.Signature{toyBy("bob"), toyBy("bob")}, 1},
		"two keys in one entry":             {policy(t, toyKeys(t, false, "bob", "carol")), []verify.Signature{toyBy("bob"), toyBy("carol")}, 2},
		"two keys of one owner":             {policy(t, toyKeys(t, true, "bob", "carol")), []verify.Signature{toyBy("bob"), toyBy("carol")}, 1},
		"two owners":                        {policy(t, toyKeys(t, true, "bob"), toyKeys(t, true, "carol")), []verify.Signature{toyBy("bob"), toyBy("carol")}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for range tt.signatures {
				tt.signatures = append(tt.signatures[1:], tt.signatures[0])
				for required := 1; required <= 3; required++ {
					tt.policy.RequiredSignatures = required
					got := check(tt.policy, nil, slices.Clone(tt.signatures)...)
					if want := required <= tt.signers; (got.Outcome == verify.Verified) != want {
						t.Errorf("%d required: %+v, want verified to be %v", required, got.Finding, want)
					}
				}
			}
		})
	}
}

// TestKeyFilesAreToldApart checks that the content of a key file tells its format, and that
// what is of none is explained by the first.
func TestKeyFilesAreToldApart(t *testing.T) {
	file, err := signature.ParseKeyFile(formats(), toyKeys(t, false, "alice"))
	if _, ok := file.(*toyKeyFile); !ok || err != nil {
		t.Errorf("a file of toy keys is a %T, %v", file, err)
	}
	file, err = signature.ParseKeyFile(formats(), openPGPKey("alice").Simple("alice"))
	if _, ok := file.(*toyKeyFile); ok || err != nil {
		t.Errorf("a file of OpenPGP keys is a %T, %v", file, err)
	}
	if _, err = signature.ParseKeyFile(formats(), []byte(toyKeyFilePrefix+`"none"}`)); err == nil || !strings.Contains(err.Error(), "toy") {
		t.Errorf("a broken file of toy keys: %v, want the error of its format", err)
	}
	if file, err = signature.ParseKeyFile(formats(), []byte("<html>")); err == nil || file == nil {
		t.Errorf("HTML is a %T, %v, want an error and a file with a cost", file, err)
	}
}

// TestFormatsDoNotOverlap checks what verify.New asks for.
func TestFormatsDoNotOverlap(t *testing.T) {
	seen := map[string]string{}
	for _, format := range formats() {
		for _, name := range append(format.Types(), "name "+format.Name()) {
			if other, ok := seen[name]; ok {
				t.Errorf("%s is of %s and of %s", name, other, format.Name())
			}
			seen[name] = format.Name()
		}
	}
}
