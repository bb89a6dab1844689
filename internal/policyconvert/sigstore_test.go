// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/policyconvert"
)

// Two public keys, and a CA whose private key is lost.
const (
	pemKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0yODihIfzrOUUsh4Rcz8XMhShdAA
p7YcLYIwQCzMnfRYURrYoowfH7p39rwcy4/b3gOrQCypVgEtYqsamRZevA==
-----END PUBLIC KEY-----
`
	otherPEMKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpqPwLcje94pqsi60SJLeffnlH6ne
OSJxXAp0zka+7haew2vks+usHk7EmUGmcHELlot2vPI9krXIqLrd2JLLsw==
-----END PUBLIC KEY-----
`
	pemCA = `-----BEGIN CERTIFICATE-----
MIIBnTCCAUOgAwIBAgIUZZ1lQqd84LzFBHJobmoamG6TeuQwCgYIKoZIzj0EAwIw
IzEUMBIGA1UECgwLZXhhbXBsZS5jb20xCzAJBgNVBAMMAkNBMCAXDTI2MTEyODAx
NDAwMVoYDzIxMjYxMTA0MDE0MDAxWjAjMRQwEgYDVQQKDAtleGFtcGxlLmNvbTEL
MAkGA1UEAwwCQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATTI4OKEh/Os5RS
yHhFzPxcyFKF0ACnthwtgjBALMyd9FhRGtiijB8funf2vBzLj9veA6tALKlWAS1i
qxqZFl68o1MwUTAdBgNVHQ4EFgQU1vUnlqvZe+BHkjM+y93TGTlfhPQwHwYDVR0j
BBgwFoAU1vUnlqvZe+BHkjM+y93TGTlfhPQwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNIADBFAiEApnZAUvLdkv7cNxTIrCKHe3Yas4NcmnScDiQmBAkaEnUC
IBMOcvKhm3cBrd7J/lnTmRaFhuoVAcXbjRoAhkjdA6+Y
-----END CERTIFICATE-----
`
)

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// describe is what the tests compare of keys and signers.
func describe(p *assayv1alpha1.TrustPolicy) string {
	parts := []string{p.Name + ":"}
	for _, scope := range p.Spec.Scopes {
		parts = append(parts, string(scope))
	}
	for _, key := range p.Spec.Keys {
		text := "key " + string(key.Name) + "=" + describeSource(&assayv1alpha1.TrustSource{SecretRef: key.SecretRef, ConfigMapRef: key.ConfigMapRef, Inline: key.Inline})
		if log := key.TransparencyLog; log != nil {
			text += " log " + describeSource(log.TrustedRoot) + describeSource(log.RekorKeys)
		}
		parts = append(parts, text)
	}
	for _, signer := range p.Spec.Signers {
		if f := signer.Fulcio; f != nil {
			text := fmt.Sprintf("fulcio %s %s %s%s%s%s", f.OIDCIssuer, describeSource(f.TrustedRoot)+describeSource(f.CACertificates)+describeSource(f.RekorKeys),
				f.Subject.Email, f.Subject.URI, f.Subject.URIPrefix, f.Subject.Username)
			for _, claim := range f.Claims {
				text += " " + string(claim.Name) + "=" + claim.Value
			}
			parts = append(parts, text)
		}
		if k := signer.PKI; k != nil {
			parts = append(parts, fmt.Sprintf("pki %s%s %s %s", describeSource(&k.CACertificates), describeSource(k.Intermediates), k.Subject.Email, k.Subject.Hostname))
		}
	}
	if n := p.Spec.RequiredSignatures; n != 0 {
		parts = append(parts, fmt.Sprint(n))
	}
	return strings.Join(parts, " ")
}

func describeSource(s *assayv1alpha1.TrustSource) string {
	switch {
	case s == nil:
		return ""
	case s.SecretRef != nil:
		return "(Secret " + s.SecretRef.Name + strings.TrimRight(" "+s.SecretRef.Key, " ") + ")"
	case s.ConfigMapRef != nil:
		return "(ConfigMap " + s.ConfigMapRef.Name + " " + s.ConfigMapRef.Key + ")"
	}
	switch s.Inline {
	case pemKey:
		return "(one)"
	case otherPEMKey:
		return "(other)"
	case pemCA:
		return "(CA)"
	case pemKey + otherPEMKey:
		return "(both)"
	default:
		return "(?)"
	}
}

type conversion struct {
	text     string
	policies []string
	notes    []string // Parts, in order; "!" begins what is lost.
}

func (tt conversion) run(t *testing.T) {
	t.Helper()
	policies, notes := convert(t, tt.text)
	var got []string
	for i := range policies {
		got = append(got, describe(&policies[i]))
	}
	if diff := cmp.Diff(tt.policies, got); diff != "" {
		t.Errorf("TrustPolicies (-want +got):\n%s", diff)
	}
	if len(notes) != len(tt.notes) {
		t.Fatalf("notes %+v, want %q", notes, tt.notes)
	}
	for i, want := range tt.notes {
		part, lost := strings.CutPrefix(want, "!")
		if !strings.Contains(notes[i].Text, part) || notes[i].Lost != lost || notes[i].Where == "" {
			t.Errorf("note %+v, want %q", notes[i], want)
		}
	}
}

// sigstoreSigned is a policy with one scope and one requirement of sigstore.
func sigstoreSigned(members string) string {
	return docker("a.example", `{"type":"sigstoreSigned",`+members+`}`)
}

func TestConvertSigstoreSigned(t *testing.T) {
	files["/keys/one.pub"], files["/keys/other.pub"], files["/keys/ca.pem"] = []byte(pemKey), []byte(otherPEMKey), []byte(pemCA)
	files["/keys/both.pub"] = []byte("a comment\n" + pemKey + otherPEMKey)
	files["/keys/cosign.key"] = []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
	tests := map[string]conversion{
		"keyPath": {text: sigstoreSigned(`"keyPath":"/keys/one.pub"`), policies: []string{"a.example: a.example key one=(one)"}},
		"keyData": {text: sigstoreSigned(`"keyData":"` + base64Of(pemKey) + `"`), policies: []string{"a.example: a.example key key=(one)"}},
		"keyPaths and keyDatas are OR": {
			text:     sigstoreSigned(`"keyPaths":["/keys/one.pub","/keys/other.pub"]`),
			policies: []string{"a.example: a.example key one=(one) key other=(other)"},
		},
		"keyDatas": {
			text:     sigstoreSigned(`"keyDatas":["` + base64Of(pemKey) + `","` + base64Of(otherPEMKey) + `"]`),
			policies: []string{"a.example: a.example key key=(one) key key-2=(other)"},
		},
		"a log": {
			text:     sigstoreSigned(`"keyPath":"/keys/one.pub","rekorPublicKeyPath":"/keys/other.pub"`),
			policies: []string{"a.example: a.example key one=(one) log (other)"},
		},
		"several logs": {
			text:     sigstoreSigned(`"keyPath":"/keys/one.pub","rekorPublicKeyPaths":["/keys/one.pub","/keys/other.pub"]`),
			policies: []string{"a.example: a.example key one=(one) log (both)"},
		},
		"the first key of a file alone": {
			text:     sigstoreSigned(`"keyPath":"/keys/both.pub"`),
			policies: []string{"a.example: a.example key both=(one)"},
			notes:    []string{"only the first public key is written"},
		},
		"a private key is not copied": {
			text:     sigstoreSigned(`"keyPath":"/keys/cosign.key"`),
			policies: []string{"a.example: a.example key cosign=(Secret cosign)"},
			notes:    []string{"every key of a file counts", "!is not inline: a PEM block is no PUBLIC KEY"},
		},
		"fulcio": {
			text:     sigstoreSigned(`"fulcio":{"caPath":"/keys/ca.pem","oidcIssuer":"https://oidc.example","subjectEmail":"a@b.example"},"rekorPublicKeyData":"` + base64Of(pemKey) + `"`),
			policies: []string{"a.example: a.example fulcio https://oidc.example (CA)(one) a@b.example"},
		},
		"pki": {
			text:     sigstoreSigned(`"pki":{"caRootsData":"` + base64Of(pemCA) + `","caIntermediatesPath":"/keys/ca.pem","subjectEmail":"a@b.example","subjectHostname":"b.example"}`),
			policies: []string{"a.example: a.example pki (CA)(CA) a@b.example b.example"},
		},
		"a name that the API does not take": {
			text:  sigstoreSigned(`"pki":{"caRootsPath":"/keys/ca.pem","subjectHostname":"*.b.example"}`),
			notes: []string{`!sigstoreSigned is not carried over`},
		},
		"an issuer that the API does not take": {
			text:  sigstoreSigned(`"fulcio":{"caPath":"/keys/ca.pem","oidcIssuer":"oidc","subjectEmail":"a@b.example"},"rekorPublicKeyPath":"/keys/one.pub"`),
			notes: []string{`!is no URL`},
		},
		"both kinds of signatures": {
			text:     docker("a.example", signedBy("/keys/alice.gpg", "")+`,{"type":"sigstoreSigned","keyPath":"/keys/one.pub"}`),
			policies: []string{"a.example: a.example key alice=(?)", "a.example-2: a.example key one=(one)"},
		},
	}
	for name, tt := range tests {
		t.Run(name, tt.run)
	}
	c := policyconvert.New(policyconvert.Options{Namespace: "trust"})
	if err := c.Add("file", []byte(sigstoreSigned(`"keyPath":"/keys/one.pub","rekorPublicKeyPaths":["/a/x.pub","/a/y.pub"]`))); err != nil {
		t.Fatal(err)
	}
	policies, notes := c.Result()
	const want = "a.example: a.example key one=(Secret one) log (Secret rekor-keys)"
	if got := describe(&policies[0]); got != want {
		t.Errorf("without files %q, want %q", got, want)
	}
	if len(notes) != 2 || !strings.Contains(notes[0].Text, "kubectl -n trust create secret generic rekor-keys --from-file=/a/x.pub --from-file=/a/y.pub") {
		t.Errorf("notes %+v", notes)
	}
}

func TestConvertSigstoreSignedRefused(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"no root":            {`"signedIdentity":{"type":"matchExact"}`, "exactly one of keyPath"},
		"two roots":          {`"keyPath":"/x","keyPaths":["/y"]`, "exactly one of keyPath"},
		"two logs":           {`"keyPath":"/x","rekorPublicKeyPath":"/x","rekorPublicKeyPaths":["/y"]`, "at most one of rekor"},
		"fulcio, no log":     {`"fulcio":{"caPath":"/x","oidcIssuer":"https://a","subjectEmail":"a@b"}`, "needs the key of a transparency log"},
		"fulcio, no CA":      {`"fulcio":{"oidcIssuer":"https://a","subjectEmail":"a@b"},"rekorPublicKeyPath":"/x"`, "no CA certificates"},
		"fulcio, two CAs":    {`"fulcio":{"caPath":"/x","caData":"eA==","oidcIssuer":"https://a","subjectEmail":"a@b"},"rekorPublicKeyPath":"/x"`, "exclude each other"},
		"fulcio, no subject": {`"fulcio":{"caPath":"/x","oidcIssuer":"https://a"},"rekorPublicKeyPath":"/x"`, "an email address"},
		"pki, a log":         {`"pki":{"caRootsPath":"/x","subjectEmail":"a@b"},"rekorPublicKeyPath":"/x"`, "pki has no transparency log"},
		"pki, no subject":    {`"pki":{"caRootsPath":"/x"}`, "an email address or a host name"},
		"pki, no CA":         {`"pki":{"subjectEmail":"a@b"}`, "no CA certificates"},
		"pki, two CAs":       {`"pki":{"caRootsPath":"/x","caRootsData":"eA==","subjectEmail":"a@b"}`, "exclude each other"},
		"an unknown member":  {`"keyPath":"/x","unless":"y"`, `member "unless" is not known`},
		"another case":       {`"keypath":"/x"`, `member "keypath" is not known`},
		"not base64":         {`"keyData":"!"`, "illegal base64"},
		"an identity":        {`"keyPath":"/x","signedIdentity":{"type":"matchExact","unless":"y"}`, `member "unless" is not known`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := policyconvert.New(options())
			if err := c.Add("file", []byte(sigstoreSigned(tt.text))); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to hold %q", err, tt.want)
			}
		})
	}
}

func TestConvertOpenShiftRoots(t *testing.T) {
	spec := func(root string) string {
		return openShiftSpec("scopes: [a.example], policy: {rootOfTrust: {" + root + "}}")
	}
	key, ca := base64Of(pemKey), base64Of(pemCA)
	tests := map[string]conversion{
		"PublicKey": {
			text:     spec("policyType: PublicKey, publicKey: {keyData: " + key + "}"),
			policies: []string{"a: a.example key key=(one)"},
		},
		"PublicKey in a log": {
			text:     spec("policyType: PublicKey, publicKey: {keyData: " + key + ", rekorKeyData: " + base64Of(otherPEMKey) + "}"),
			policies: []string{"a: a.example key key=(one) log (other)"},
		},
		"FulcioCAWithRekor": {
			text: spec("policyType: FulcioCAWithRekor, fulcioCAWithRekor: {fulcioCAData: " + ca + ", rekorKeyData: " + key +
				", fulcioSubject: {oidcIssuer: 'https://oidc.example', signedEmail: a@b.example}}"),
			policies: []string{"a: a.example fulcio https://oidc.example (CA)(one) a@b.example"},
		},
		"PKI": {
			text:     spec("policyType: PKI, pki: {caRootsData: " + ca + ", caIntermediatesData: " + ca + ", pkiCertificateSubject: {email: a@b.example}}"),
			policies: []string{"a: a.example pki (CA)(CA) a@b.example "},
		},
		"a key that is none": {
			text:     spec("policyType: PublicKey, publicKey: {keyData: eA==}"),
			policies: []string{"a: a.example key key=(Secret key)"},
			notes:    []string{"!there is no PEM block PUBLIC KEY; put the PEM blocks PUBLIC KEY into Secret key"},
		},
		"a subject that the API does not take": {
			text:  spec("policyType: PKI, pki: {caRootsData: " + ca + ", pkiCertificateSubject: {hostname: '*.example'}}"),
			notes: []string{"!the root of trust is not carried over"},
		},
	}
	for name, tt := range tests {
		t.Run(name, tt.run)
	}
	for text, want := range map[string]string{
		"policyType: PublicKey":                              "needs its root",
		"policyType: PKI":                                    "needs its root",
		"policyType: FulcioCAWithRekor":                      "needs its root",
		"policyType: PKI, pki: {caRootsData: " + ca + "}":    "an email address or a host name",
		"policyType: PKI, pki: {}, publicKey: {keyData: ''}": "exactly one of publicKey",
	} {
		if err := policyconvert.New(options()).Add("file", []byte(spec(text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want it to hold %q", text, err, want)
		}
	}
}
