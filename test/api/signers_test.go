// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/internal/sigstore"
)

// Parts of signers.
const (
	rootRef   = `trustedRoot: {configMapRef: {name: sigstore-root, key: trusted_root.json}}`
	issuer    = `oidcIssuer: "https://token.actions.githubusercontent.com"`
	byEmail   = `subject: {email: dev@example.com}`
	companyCA = `caCertificates: {secretRef: {name: company-ca}}`
)

// fulcioOf is spec.signers with one entry of kind fulcio.
func fulcioOf(members ...string) string {
	return "{keys: null, signers: [{name: ci, fulcio: {" + strings.Join(members, ", ") + "}}]}"
}

// pkiOf is spec.signers with one entry of kind pki.
func pkiOf(members ...string) string {
	return "{keys: null, signers: [{name: ci, pki: {" + strings.Join(members, ", ") + "}}]}"
}

// subjectOf is a signer with a subject of a quoted value.
func subjectOf(kind, value string) string {
	return fulcioOf(rootRef, issuer, fmt.Sprintf("subject: {%s: %q}", kind, value))
}

func logOf(log string) string {
	return `keys: [{name: a, inline: x, transparencyLog: {` + log + `}}]`
}

func TestInvalidSigners(t *testing.T) {
	const (
		signer    = "spec.signers[0]"
		fulcio    = signer + ".fulcio"
		subject   = fulcio + ".subject"
		roots     = "give either trustedRoot, or both caCertificates and rekorKeys"
		oneSource = "give exactly one of secretRef, configMapRef and inline"
		noPrefix  = "a prefix is scheme://host/path"
		noURI     = "a URI has a scheme"
		noEmail   = "an email address is name@domain"
		noHost    = "a hostname is a DNS name"
	)
	tests := map[string]struct {
		edit    string
		field   string
		message string
	}{
		"neither keys nor signers": {`keys: null`, "spec", "give keys, signers or both"},
		"empty signers":            {`{keys: null, signers: []}`, "spec.signers", "should have at least 1 items"},
		"too many signers": {`signers: [` + numbered("{name: n%d, fulcio: {"+rootRef+", "+issuer+", "+byEmail+"}},", 65) + `]`,
			"spec.signers", "must have at most 64 items"},
		"signer without kind": {`signers: [{name: a}]`, signer, "give either fulcio or pki"},
		"signer of two kinds": {`signers: [{name: a, fulcio: {` + rootRef + `, ` + issuer + `, ` + byEmail + `}, pki: {` + companyCA + `, ` + byEmail + `}}]`, signer, "give either fulcio or pki"},
		"signer without name": {`signers: [{pki: {` + companyCA + `, ` + byEmail + `}}]`, signer + ".name", "Required value"},
		"signers of one name": {`signers: [{name: a, pki: {` + companyCA + `, ` + byEmail + `}}, {name: a, pki: {` + companyCA + `, ` + byEmail + `}}]`, "spec.signers[1]", "Duplicate value"},
		"name of a key":       {`signers: [{name: release, pki: {` + companyCA + `, ` + byEmail + `}}]`, "spec", "a key and a signer have the same name"},

		"no roots":              {fulcioOf(issuer, byEmail), fulcio, roots},
		"roots of both kinds":   {fulcioOf(rootRef, companyCA, `rekorKeys: {inline: x}`, issuer, byEmail), fulcio, roots},
		"root and keys":         {fulcioOf(rootRef, `rekorKeys: {inline: x}`, issuer, byEmail), fulcio, roots},
		"CA without log":        {fulcioOf(companyCA, issuer, byEmail), fulcio, roots},
		"log without CA":        {fulcioOf(`rekorKeys: {inline: x}`, issuer, byEmail), fulcio, roots},
		"root without source":   {fulcioOf(`trustedRoot: {}`, issuer, byEmail), fulcio + ".trustedRoot", oneSource},
		"root of two sources":   {fulcioOf(`trustedRoot: {inline: x, secretRef: {name: a}}`, issuer, byEmail), fulcio + ".trustedRoot", oneSource},
		"empty inline root":     {fulcioOf(`trustedRoot: {inline: ""}`, issuer, byEmail), fulcio + ".trustedRoot.inline", "should be at least 1 chars long"},
		"long inline root":      {fulcioOf(`trustedRoot: {inline: `+strings.Repeat("a", 65537)+`}`, issuer, byEmail), fulcio + ".trustedRoot.inline", "Too long"},
		"no issuer":             {fulcioOf(rootRef, byEmail), fulcio + ".oidcIssuer", "Required value"},
		"issuer without scheme": {fulcioOf(rootRef, `oidcIssuer: accounts.google.com`, byEmail), fulcio + ".oidcIssuer", "an issuer is a URL"},
		"issuer with blank":     {fulcioOf(rootRef, `oidcIssuer: "https://a b"`, byEmail), fulcio + ".oidcIssuer", "an issuer is a URL"},
		"regexp as issuer":      {fulcioOf(rootRef, `oidcIssuer: "^https://.*"`, byEmail), fulcio + ".oidcIssuer", "an issuer is a URL"},
		"no subject":            {fulcioOf(rootRef, issuer), subject, "Required value"},
		"empty subject":         {fulcioOf(rootRef, issuer, `subject: {}`), subject, "give exactly one of email, uri, uriPrefix and username"},
		"two subjects":          {fulcioOf(rootRef, issuer, `subject: {email: a@example.com, uri: "https://a/b"}`), subject, "give exactly one of"},
		"email without at":      {subjectOf("email", "example.com"), subject + ".email", noEmail},
		"email with two at":     {subjectOf("email", "a@b@example.com"), subject + ".email", noEmail},
		"email with wildcard":   {subjectOf("email", "*@example.com"), subject + ".email", noEmail},
		"email with blank":      {subjectOf("email", "a b@example.com"), subject + ".email", noEmail},
		"long email":            {subjectOf("email", "a@"+strings.Repeat("b", 320)), subject + ".email", "Too long"},
		"uri without scheme":    {subjectOf("uri", "github.com/org/repo"), subject + ".uri", noURI},
		"regexp as uri":         {subjectOf("uri", "^https://github.com/org"), subject + ".uri", noURI},
		"glob as uri":           {subjectOf("uri", "https://github.com/org/*"), subject + ".uri", noURI},
		"long uri":              {subjectOf("uri", "https://"+strings.Repeat("b", 1024)), subject + ".uri", "Too long"},
		"prefix in a name":      {subjectOf("uriPrefix", "https://github.com/org"), subject + ".uriPrefix", noPrefix},
		"prefix in a ref":       {subjectOf("uriPrefix", "https://github.com/org/a.yml@refs"), subject + ".uriPrefix", noPrefix},
		"prefix, only a scheme": {subjectOf("uriPrefix", "https://"), subject + ".uriPrefix", noPrefix},
		"prefix, no host":       {subjectOf("uriPrefix", "https:///"), subject + ".uriPrefix", noPrefix},
		"prefix, no path":       {subjectOf("uriPrefix", "https://github.com"), subject + ".uriPrefix", noPrefix},
		"prefix, host and at":   {subjectOf("uriPrefix", "https://github.com@"), subject + ".uriPrefix", noPrefix},
		"prefix, user name":     {subjectOf("uriPrefix", "https://github.com@example.com/"), subject + ".uriPrefix", noPrefix},
		"prefix, glob":          {subjectOf("uriPrefix", "https://github.com/*/"), subject + ".uriPrefix", noPrefix},
		"empty username":        {subjectOf("username", ""), subject + ".username", "should be at least 1 chars long"},
		"unknown claim":         {fulcioOf(rootRef, issuer, byEmail, `claims: [{name: repository, value: a}]`), fulcio + ".claims[0].name", "Unsupported value"},
		"claim without value":   {fulcioOf(rootRef, issuer, byEmail, `claims: [{name: buildTrigger}]`), fulcio + ".claims[0].value", "Required value"},
		"empty claim":           {fulcioOf(rootRef, issuer, byEmail, `claims: [{name: buildTrigger, value: ""}]`), fulcio + ".claims[0].value", "should be at least 1 chars long"},
		"claim twice":           {fulcioOf(rootRef, issuer, byEmail, `claims: [{name: buildTrigger, value: a}, {name: buildTrigger, value: b}]`), fulcio + ".claims[1]", "Duplicate value"},

		"pki without CA":      {pkiOf(byEmail), signer + ".pki.caCertificates", "Required value"},
		"pki without source":  {pkiOf(`caCertificates: {}`, byEmail), signer + ".pki.caCertificates", oneSource},
		"pki without subject": {pkiOf(companyCA), signer + ".pki.subject", "Required value"},
		"pki, empty subject":  {pkiOf(companyCA, `subject: {}`), signer + ".pki.subject", "give email, hostname or both"},
		"wildcard host":       {pkiOf(companyCA, `subject: {hostname: "*.example.com"}`), signer + ".pki.subject.hostname", noHost},
		"host with port":      {pkiOf(companyCA, `subject: {hostname: "example.com:443"}`), signer + ".pki.subject.hostname", noHost},
		"host and dot":        {pkiOf(companyCA, `subject: {hostname: example.com.}`), signer + ".pki.subject.hostname", noHost},

		"log of nothing":     {logOf(``), "spec.keys[0].transparencyLog", "give either trustedRoot or rekorKeys"},
		"log of two kinds":   {logOf(rootRef + `, rekorKeys: {inline: x}`), "spec.keys[0].transparencyLog", "give either trustedRoot or rekorKeys"},
		"log without source": {logOf(`rekorKeys: {}`), "spec.keys[0].transparencyLog.rekorKeys", oneSource},

		"unknown unnamedSignatures": {`unnamedSignatures: Allow`, "spec.unnamedSignatures", "Unsupported value"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := dryCreate(t, policyResource, policy(t, tt.edit))
			refusedFor(t, err, []string{tt.field}, tt.message)
		})
	}
}

// TestValidSigners checks that what is given is stored as it is.
func TestValidSigners(t *testing.T) {
	tests := map[string]string{
		"email":           fulcioOf(rootRef, issuer, byEmail),
		"private Fulcio":  fulcioOf(`caCertificates: {inline: x}`, `rekorKeys: {secretRef: {name: rekor}}`, `oidcIssuer: "http://issuer.internal:8080/a"`, byEmail),
		"workflow":        subjectOf("uri", "https://github.com/org/repo/.github/workflows/release.yml@refs/heads/main"),
		"SPIFFE":          subjectOf("uri", "spiffe://example.com/ns/a/sa/b"),
		"organization":    subjectOf("uriPrefix", "https://github.com/org/"),
		"host":            subjectOf("uriPrefix", "https://github.com/"),
		"any ref":         subjectOf("uriPrefix", "https://github.com/org/repo/.github/workflows/release.yml@"),
		"username":        subjectOf("username", "user!example.com"),
		"pki, two names":  pkiOf(companyCA, `intermediates: {inline: x}`, `subject: {email: a@example.com, hostname: Signer.example.com}`),
		"pki, host":       pkiOf(companyCA, `subject: {hostname: localhost}`),
		"log by root":     logOf(rootRef),
		"log by keys":     logOf(`rekorKeys: {secretRef: {name: rekor}}`),
		"keys and signer": `signers: [{name: company, pki: {` + companyCA + `, ` + byEmail + `}}]`,
		"unnamed":         `unnamedSignatures: Accept`,
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			o := policy(t, edit)
			got, err := dryCreate(t, policyResource, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, member := range []string{"keys", "signers"} {
				want, _ := yaml.Marshal(o["spec"].(map[string]any)[member])
				have, _ := yaml.Marshal(got.Object["spec"].(map[string]any)[member])
				if diff := cmp.Diff(string(want), string(have)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", member, diff)
				}
			}
		})
	}
}

// TestClaims checks that the server accepts every claim that the verifier knows, all at once.
func TestClaims(t *testing.T) {
	var claims []string
	for _, name := range sigstore.ClaimNames() {
		claims = append(claims, fmt.Sprintf("{name: %s, value: x}", name))
	}
	edit := fulcioOf(rootRef, issuer, byEmail, "claims: ["+strings.Join(claims, ", ")+"]")
	if _, err := dryCreate(t, policyResource, policy(t, edit)); err != nil {
		t.Error(err)
	}
}

// TestLargestSigners checks that the rules of the largest policy with signers cost less than the server
// allows.
func TestLargestSigners(t *testing.T) {
	o := policy(t, "{}")
	spec := o["spec"].(map[string]any)
	var keys, signers, claims []any
	for _, name := range sigstore.ClaimNames() {
		claims = append(claims, map[string]any{"name": name, "value": strings.Repeat("a", 256)})
	}
	source := func() map[string]any { return map[string]any{"inline": strings.Repeat("a", 1024)} }
	for i := range 64 {
		keys = append(keys, map[string]any{
			"name": fmt.Sprintf("key-%058d", i), "inline": strings.Repeat("a", 1024), "transparencyLog": map[string]any{"rekorKeys": source()},
		})
		prefix := "https://" + strings.Repeat("a", 200) + "/" + strings.Repeat("b/", 400)
		signers = append(signers, map[string]any{"name": fmt.Sprintf("signer-%056d", i), "fulcio": map[string]any{
			"caCertificates": source(), "rekorKeys": source(), "oidcIssuer": "https://" + strings.Repeat("a", 1016),
			"subject": map[string]any{"uriPrefix": prefix}, "claims": claims,
		}})
	}
	spec["keys"], spec["signers"] = keys, signers
	if _, err := dryCreate(t, policyResource, o); err != nil {
		t.Error(err)
	}
}
