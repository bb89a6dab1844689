// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/verify"
)

const testReference = "registry.example.com/team/app"

var (
	testNow      = st.Time.Add(24 * time.Hour)
	testManifest = []byte(`{"schemaVersion":2}`)
	testDigest   = digest.FromBytes(testManifest)
)

// fingerprint returns the fingerprint of a key as the decision has it.
func fingerprint(t *testing.T, key crypto.Signer) string {
	t.Helper()
	return strings.ToUpper(hex.EncodeToString(st.Digest(crypto.SHA256, st.SPKI(t, key))))
}

// blob returns a signature of cosign for the image.
func blob(t *testing.T, key crypto.Signer, payload []byte) []byte {
	t.Helper()
	return st.Blob(t, payload, st.Sign(t, key, payload), nil)
}

// envelope returns a bundle with an in-toto statement.
func envelope(t *testing.T, key crypto.Signer, statement []byte) []byte {
	t.Helper()
	return st.JSON(t, st.Envelope(st.Bundle03, statement, st.Sign(t, key, st.PAE(statement)),
		st.Object{"publicKey": st.Object{"hint": "hint"}}))
}

// messageBundle returns a bundle with a signature over the manifest.
func messageBundle(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	return st.JSON(t, st.Message(st.Bundle03, testManifest, st.SignHash(t, key, crypto.SHA256, testManifest),
		st.Object{"publicKey": st.Object{"hint": "hint"}}))
}

// statement returns an in-toto statement of a signature about subjects.
func statement(t *testing.T, subjects ...st.Object) []byte {
	t.Helper()
	return st.JSON(t, st.Object{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": st.PredicateSign, "subject": subjects,
	})
}

func subject(name string, digests st.Object) st.Object {
	return st.Object{"name": name, "digest": digests}
}

func keys(t *testing.T, signers ...crypto.Signer) verify.KeyFile {
	t.Helper()
	var data []byte
	for _, key := range signers {
		data = append(data, st.PublicPEM(t, key)...)
	}
	if !(Format{}).IsKeyFile(data) {
		t.Error("the file is not recognized")
	}
	file, err := Format{}.ParseKeyFile(data)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func trusting(t *testing.T, signers ...crypto.Signer) verify.Trust {
	t.Helper()
	return Format{}.NewTrust([]verify.NamedKeyFile{{Entry: "release", File: keys(t, signers...)}})
}

func authenticate(t *testing.T, trust verify.Trust, content []byte) (verify.Signed, error) {
	t.Helper()
	m, err := Format{}.Parse(content, &verify.Budget{})
	if err != nil {
		t.Fatal(err)
	}
	return trust.Authenticate(m, verify.Circumstances{Now: testNow, Digest: testDigest})
}

// TestStatement checks what each form of a signature states, and which of several statements
// counts.
func TestStatement(t *testing.T) {
	key := st.NewKey(t, elliptic.P256())
	hexDigest := testDigest.Encoded()
	other := strings.Repeat("a", 64)
	sha512 := hex.EncodeToString(st.Digest(crypto.SHA512, testManifest))
	tests := map[string]struct {
		content []byte
		digest  string
		name    string
		claim   [2]string
	}{
		"payload of cosign": {
			content: blob(t, key, st.Payload(t, testDigest.String(), testReference)),
			digest:  hexDigest, name: testReference, claim: [2]string{"critical.identity.docker-reference", testReference},
		},
		"signature over the manifest": {
			content: messageBundle(t, key),
			digest:  hexDigest, claim: [2]string{"messageDigest", testDigest.String()},
		},
		"statement without a name": {
			content: envelope(t, key, st.Statement(t, st.PredicateSign, hexDigest)),
			digest:  hexDigest, claim: [2]string{"predicateType", st.PredicateSign},
		},
		"several subjects": {
			content: envelope(t, key, statement(t, subject("a", st.Object{"sha256": other}), subject("b", st.Object{"sha256": hexDigest}),
				subject("c", st.Object{"sha256": hexDigest}))),
			digest: hexDigest, name: "b", claim: [2]string{"subject.1.name", "b"},
		},
		"several digests": {
			content: envelope(t, key, statement(t, subject("a", st.Object{"sha512": sha512, "sha256": hexDigest}))),
			digest:  hexDigest, name: "a", claim: [2]string{"subject.name", "a"},
		},
		"several images, none of them this one": {
			content: envelope(t, key, statement(t, subject("a", st.Object{"sha512": sha512}), subject("b", st.Object{"sha256": other}),
				subject("c", st.Object{"sha256": strings.Repeat("b", 64)}))),
			digest: other, name: "b", claim: [2]string{"subject.2.name", "c"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signed, err := authenticate(t, trusting(t, key), tt.content)
			if err != nil {
				t.Fatal(err)
			}
			wantSigner := &verify.Signer{
				ID:           verify.SignerID{Entry: "release", Key: fingerprint(t, key)},
				Fingerprints: []string{fingerprint(t, key)},
			}
			if diff := cmp.Diff(wantSigner, signed.Signer()); diff != "" {
				t.Errorf("signer (-want +got):\n%s", diff)
			}
			if until := signed.ValidUntil(); !until.IsZero() {
				t.Errorf("valid until %s, want forever", until)
			}
			got, err := signed.Statement()
			if err != nil {
				t.Fatal(err)
			}
			want := &verify.Statement{Digest: digest.Digest("sha256:" + tt.digest), Name: tt.name, Claims: got.Claims}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("statement (-want +got):\n%s", diff)
			}
			if got.Claims[tt.claim[0]] != tt.claim[1] {
				t.Errorf("claims %v, want %s to be %s", got.Claims, tt.claim[0], tt.claim[1])
			}
		})
	}
}

// TestErrors checks the reasons of signatures that are parsed and not accepted.
func TestErrors(t *testing.T) {
	key, stranger, ed := st.NewKey(t, elliptic.P256()), st.NewKey(t, elliptic.P256()), st.NewEd25519(t)
	good := blob(t, key, st.Payload(t, testDigest.String(), testReference))
	hexDigest := testDigest.Encoded()
	tests := map[string]struct {
		trust   verify.Trust
		content []byte
		want    verify.Error
	}{
		"another key": {trusting(t, stranger, ed), good, verify.Error{Reason: assayv1alpha1.ReasonUntrustedKey, UnknownKey: true, NeedsKey: true}},
		"altered": {
			trusting(t, key), st.Blob(t, st.Payload(t, testDigest.String(), "registry.example.com/other"), st.Sign(t, key, []byte("x")), nil),
			verify.Error{Reason: assayv1alpha1.ReasonUntrustedKey, UnknownKey: true, NeedsKey: true},
		},
		"payload of another type": {
			trusting(t, key), blob(t, key, []byte(`{"critical":{}}`)), verify.Error{Reason: assayv1alpha1.ReasonMalformedPayload},
		},
		"an attestation": {
			trusting(t, key), envelope(t, key, st.Statement(t, "https://slsa.dev/provenance/v1", hexDigest)),
			verify.Error{Reason: assayv1alpha1.ReasonNotASignature},
		},
		"only sha512": {
			trusting(t, key), envelope(t, key, statement(t, subject("a", st.Object{"sha512": strings.Repeat("a", 128)}))),
			verify.Error{Reason: assayv1alpha1.ReasonUnsupportedAlgorithm, Unsupported: true},
		},
		"over the manifest, by a key that signs no digest": {
			trusting(t, ed), st.JSON(t, st.Message(st.Bundle03, testManifest, st.Sign(t, ed, testManifest), st.Object{"publicKey": st.Object{"hint": "hint"}})),
			verify.Error{Reason: assayv1alpha1.ReasonUnsupportedAlgorithm, Unsupported: true},
		},
		"no keys": {Format{}.NewTrust(nil), good, verify.Error{Reason: assayv1alpha1.ReasonInvalidPolicy, Unsupported: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signed, err := authenticate(t, tt.trust, tt.content)
			var got *verify.Error
			if !errors.As(err, &got) || signed != nil {
				t.Fatalf("%v, %v, want an error", signed, err)
			}
			if got.Detail == "" {
				t.Error("there is no detail")
			}
			want := tt.want
			want.Detail = got.Detail
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseErrors checks the reasons of content that is not a signature.
func TestParseErrors(t *testing.T) {
	tests := map[string]struct {
		content string
		reason  string
	}{
		"empty":                  {"", assayv1alpha1.ReasonMalformedSignature},
		"text":                   {"this is no signature", assayv1alpha1.ReasonMalformedSignature},
		"a later bundle":         {`{"mediaType":"application/vnd.dev.sigstore.bundle.v9.9+json"}`, assayv1alpha1.ReasonUnsupportedSignatureVersion},
		"another attachment":     {"\x00sigstore-json\n" + `{"mimeType":"text/spdx+json","payload":"e30=","annotations":{}}`, assayv1alpha1.ReasonNotASignature},
		"an OpenPGP signed file": {"\x90\x0d\x03", assayv1alpha1.ReasonMalformedSignature},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Format{}.Parse([]byte(tt.content), &verify.Budget{})
			var got *verify.Error
			if !errors.As(err, &got) || m != nil {
				t.Fatalf("%v, %v, want an error", m, err)
			}
			if got.Reason != tt.reason || got.Detail == "" || got.Unsupported {
				t.Errorf("%+v, want the reason %s", got, tt.reason)
			}
		})
	}
}

// TestReasonsAreOnesThatTheChecksKnow checks that every code of package internal/sigstore has
// a reason that stands in the table of checks, and that only what could not be checked is not
// refused.
func TestReasonsAreOnesThatTheChecksKnow(t *testing.T) {
	known := map[string]bool{}
	for _, check := range verify.Checks() {
		for _, reason := range check.Reasons {
			known[reason] = true
		}
	}
	for code := range sigstore.MalformedPayload + 2 {
		if reason := reasonOf(code); !known[reason] {
			t.Errorf("code %s: no check ends with the reason %s", code, reason)
		}
		if got := convertError(&sigstore.Error{Code: code}); got.Unsupported != code.Unchecked() {
			t.Errorf("code %s: %+v", code, got)
		}
	}
}

// TestErrorsOfOtherTypes checks that an error that says nothing is a refusal.
func TestErrorsOfOtherTypes(t *testing.T) {
	got := convertError(errors.New("something else"))
	if got.Reason != assayv1alpha1.ReasonMalformedSignature || got.NeedsKey || got.Unsupported {
		t.Errorf("%+v, want a refusal", got)
	}
}

// TestForeignValues checks that what another format has parsed is refused and not taken for
// trust.
func TestForeignValues(t *testing.T) {
	trust := Format{}.NewTrust([]verify.NamedKeyFile{{Entry: "other", File: foreign{}}})
	if trust.Len() != 0 {
		t.Errorf("%d keys from a file of another format", trust.Len())
	}
	if signed, err := trust.Authenticate(foreign{}, verify.Circumstances{}); err == nil {
		t.Errorf("a message of another format is signed by %+v", signed.Signer())
	}
	if keys := trust.Keys(foreign{}, testNow); keys != nil {
		t.Errorf("a file of another format has the keys %+v", keys)
	}
}

// foreign stands for values of another format.
type foreign struct{}

func (foreign) UnverifiedKeyID() string { return "" }
func (foreign) Problems() []string      { return nil }
func (foreign) Cost() int               { return 0 }
