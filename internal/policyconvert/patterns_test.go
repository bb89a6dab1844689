// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/policyconvert"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/verify"
)

// digestAlone is the note about every policy that compares no names.
const digestAlone = "the original compares the digest alone"

// controller is a ClusterImagePolicy of policy-controller with one authority in YAML's flow style.
func controller(name, glob, authority string) string {
	return fmt.Sprintf(`---
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: %s}
spec: {images: [{glob: %q}], authorities: [%s]}
`, name, glob, authority)
}

const (
	staticKey = "{name: release, ctlog: {}, key: {data: $KEY}}"
	exactly   = "{keyless: {url: 'https://fulcio.sigstore.dev', identities: [{issuer: 'https://oidc.example', subject: a@b.example}]}}"
)

func withKey(authority string) string {
	return strings.ReplaceAll(authority, "$KEY", fmt.Sprintf("%q", pemKey))
}

func TestConvertPolicyController(t *testing.T) {
	one := func(glob, authority string) string { return controller("a", glob, withKey(authority)) }
	tests := map[string]conversion{
		"a key": {
			text: one("a.example/**", staticKey), policies: []string{"a: a.example key release=(one)"}, notes: []string{digestAlone},
		},
		"a key without ctlog has to be in the public log": {
			text:     one("a.example/app", "{key: {data: $KEY}}"),
			policies: []string{"a: a.example/app key authority-0=(one) log (ConfigMap sigstore-root trusted_root.json)"},
			notes:    []string{"kubectl -n assay-system create configmap sigstore-root --from-file=trusted_root.json", digestAlone},
		},
		"a key in a private log": {
			text:     one("a.example/app", "{key: {data: $KEY}, ctlog: {url: 'https://rekor.corp.example'}}"),
			policies: []string{"a: a.example/app key authority-0=(one) log (ConfigMap rekor.corp.example-root trusted_root.json)"},
			notes:    []string{"the trusted root of", digestAlone},
		},
		"a key in a Secret": {
			text:     one("a.example/app", "{ctlog: {}, key: {secretRef: {name: release}}}"),
			policies: []string{"a: a.example/app key release=(Secret release)"},
			notes:    []string{`is in namespace "cosign-system"`, digestAlone},
		},
		"an email address": {
			text:     one("a.example/app:**", exactly),
			policies: []string{"a: a.example/app fulcio https://oidc.example (ConfigMap sigstore-root trusted_root.json) a@b.example"},
			notes:    []string{"create configmap", digestAlone},
		},
		"a URI, and a root of its own": {
			text: one("a.example/app@sha256:**", "{keyless: {trustRootRef: corp, identities: [{issuer: 'https://oidc.example', subject: 'https://git.example/o/r/.github/workflows/x.yml@refs/heads/main'}]}}"),
			policies: []string{"a: a.example/app fulcio https://oidc.example (ConfigMap trustroot-corp trusted_root.json) " +
				"https://git.example/o/r/.github/workflows/x.yml@refs/heads/main"},
			notes: []string{"TrustRoot corp", digestAlone},
		},
		"alternatives": {
			text:     one("index.docker.io/library/nginx", staticKey+","+exactly),
			policies: []string{"a: docker.io/library/nginx key release=(one) fulcio https://oidc.example (ConfigMap sigstore-root trusted_root.json) a@b.example"},
			notes:    []string{"create configmap", digestAlone},
		},
		"a subject that is a regular expression": {
			text:  one("a.example/app", `{keyless: {identities: [{issuer: 'https://oidc.example', subjectRegExp: '^https://git\.example/org/.*'}]}}`),
			notes: []string{`!see if uriPrefix "https://git.example/org/" is what you mean`, "!none of its identities is exact", "!no TrustPolicy covers its images"},
		},
		"a subject that is not anchored": {
			text:  one("a.example/app", `{keyless: {identities: [{issuer: 'https://oidc.example', subjectRegExp: 'git\.example/org/.*'}]}}`),
			notes: []string{`!a TrustPolicy has none: add a signer for each subject`, "!none of its identities is exact", "!do not suffice"},
		},
		"an issuer that is a regular expression": {
			text:     one("a.example/app", `{keyless: {identities: [{issuerRegExp: '.*', subject: a@b.example}]}}, `+staticKey),
			policies: []string{"a: a.example/app key release=(one)"},
			notes:    []string{"!the issuer is the regular expression", "!none of its identities", digestAlone},
		},
		"anyone": {
			text:  one("a.example/app", `{keyless: {url: 'https://fulcio.sigstore.dev'}}`),
			notes: []string{"!it accepts everyone for whom Fulcio certifies a key", "!do not suffice"},
		},
		"any issuer":              {text: one("a.example/app", `{keyless: {identities: [{subject: a@b.example}]}}`), notes: []string{"!accepts any issuer", "!none of its identities", "!do not suffice"}},
		"attestations":            {text: one("a.example/app", `{ctlog: {}, key: {data: $KEY}, attestations: [{name: a, predicateType: vuln}]}`), notes: []string{"!asks for attestations", "!do not suffice"}},
		"timestamps":              {text: one("a.example/app", `{ctlog: {}, key: {data: $KEY}, rfc3161timestamp: {trustRootRef: a}}`), notes: []string{"!asks for timestamps", "!do not suffice"}},
		"a KMS":                   {text: one("a.example/app", `{key: {kms: 'gcpkms://x'}}`), notes: []string{"!export the public key", "!do not suffice"}},
		"another hash":            {text: one("a.example/app", `{key: {data: $KEY, hashAlgorithm: sha512}}`), notes: []string{"!its hash algorithm", "!do not suffice"}},
		"a CA alone":              {text: one("a.example/app", `{keyless: {ca-cert: {data: x}, identities: [{issuer: 'https://a', subject: a@b}]}}`), notes: []string{"!stands alone", "!do not suffice"}},
		"everything passes":       {text: one("a.example/app", "{static: {action: pass}}, "+staticKey), notes: []string{"as the original does"}},
		"nothing passes":          {text: one("a.example/app", "{static: {action: fail}}"), notes: []string{"!it accepts no image", "!do not suffice"}},
		"every image":             {text: one("**", staticKey), notes: []string{"!its wildcards are not those of a scope"}},
		"a part of a name":        {text: one("a.example/app*", staticKey), notes: []string{"!list the repositories"}},
		"a wildcard with a path":  {text: one("*.example/app/**", staticKey), notes: []string{"!list the registries"}},
		"one level":               {text: one("a.example/team/*", staticKey), policies: []string{"a: a.example/team key release=(one)"}, notes: []string{"!further below", digestAlone}},
		"the official repository": {text: one("*", staticKey), policies: []string{"a: docker.io/library key release=(one)"}, notes: []string{"!further below", digestAlone}},
		"policy": {
			text: "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: a}\n" +
				"spec: {images: [{glob: a.example/app}], policy: {type: cue}, authorities: [" + withKey(staticKey) + "]}\n",
			notes: []string{"!no CUE and no Rego"},
		},
		"match and mode": {
			text: "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: a}\n" +
				"spec: {images: [{glob: a.example/app}], mode: warn, match: [{resource: pods}], authorities: [" + withKey(staticKey) + "]}\n",
			policies: []string{"a: a.example/app key release=(one)"},
			notes:    []string{"!match is not carried over", "--enforcement Warn", digestAlone},
		},
		"policies apply together": {
			text: controller("wide", "a.example/**", withKey(staticKey)) + controller("narrow", "a.example/team/**", exactly),
			policies: []string{
				"wide: a.example a.example/team key release=(one)",
				"narrow: a.example/team fulcio https://oidc.example (ConfigMap sigstore-root trusted_root.json) a@b.example",
			},
			notes: []string{digestAlone, "create configmap", digestAlone},
		},
	}
	for name, tt := range tests {
		t.Run(name, tt.run)
	}
}

// kyverno is a ClusterPolicy with one element of verifyImages in YAML's flow style.
func kyverno(images string) string {
	return `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: a}
spec:
  background: false
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages: [{` + images + `}]
`
}

func attestors(sets string) string {
	return withKey("imageReferences: ['a.example/team/*'], attestors: [" + sets + "]")
}

func TestConvertKyverno(t *testing.T) {
	const key = "{keys: {publicKeys: $KEY, rekor: {ignoreTlog: true, url: 'https://rekor.sigstore.dev'}}}"
	const keyless = "{keyless: {issuer: 'https://oidc.example', subject: 'https://git.example/o/x'}}"
	both := strings.ReplaceAll(key, "$KEY", fmt.Sprintf("%q", pemKey+otherPEMKey))
	const signer = "fulcio https://oidc.example (ConfigMap sigstore-root trusted_root.json) https://git.example/o/x"
	tests := map[string]conversion{
		"a key": {
			text: kyverno(attestors("{entries: [" + key + "]}")), policies: []string{"a-r: a.example/team key key=(one)"}, notes: []string{digestAlone},
		},
		"a key in the public log": {
			text:     kyverno(attestors("{entries: [{keys: {publicKeys: $KEY}}]}")),
			policies: []string{"a-r: a.example/team key key=(one) log (ConfigMap sigstore-root trusted_root.json)"},
			notes:    []string{"create configmap", digestAlone},
		},
		"a key in a private log": {
			text:     kyverno(attestors("{entries: [{keys: {publicKeys: $KEY, rekor: {url: 'https://r.example', pubkey: $KEY}}}]}")),
			policies: []string{"a-r: a.example/team key key=(one) log (one)"}, notes: []string{digestAlone},
		},
		"a log without a scheme is not the public one": {
			text:     kyverno(attestors("{entries: [{keys: {publicKeys: $KEY, rekor: {url: rekor.corp.example}}}]}")),
			policies: []string{"a-r: a.example/team key key=(one) log (ConfigMap rekor.corp.example-root trusted_root.json)"},
			notes:    []string{"create configmap", digestAlone},
		},
		"a key in a Secret": {
			text:     kyverno(attestors("{entries: [{keys: {publicKeys: 'k8s://kyverno/release', rekor: {ignoreTlog: true, url: x}}}]}")),
			policies: []string{"a-r: a.example/team key release=(Secret release cosign.pub)"},
			notes:    []string{"namespace \"kyverno\"", digestAlone},
		},
		"all entries": {
			text:     kyverno(attestors("{entries: [" + key + "," + keyless + "]}")),
			policies: []string{"a-r: a.example/team key key=(one)", "a-r-2: a.example/team " + signer},
			notes:    []string{"create configmap", digestAlone},
		},
		"one of several": {
			text:     kyverno(attestors("{count: 1, entries: [" + key + "," + keyless + "]}")),
			policies: []string{"a-r: a.example/team key key=(one) " + signer},
			notes:    []string{"create configmap", digestAlone},
		},
		"each key is an entry": {
			text: kyverno(attestors("{entries: [" + both + "]}")), policies: []string{"a-r: a.example/team key key=(one)", "a-r-2: a.example/team key key-2=(other)"},
			notes: []string{digestAlone},
		},
		"two of three": {
			text:     kyverno(attestors("{count: 2, entries: [" + both + "," + keyless + "]}")),
			policies: []string{"a-r: a.example/team key key=(one) key key-2=(other) " + signer + " 2"},
			notes:    []string{"create configmap", digestAlone},
		},
		"several sets": {
			text:     kyverno(attestors("{entries: [" + key + "]}, {count: 1, entries: [" + keyless + "]}")),
			policies: []string{"a-r: a.example/team key key=(one)", "a-r-2: a.example/team " + signer},
			notes:    []string{digestAlone, "create configmap", digestAlone},
		},
		"claims": {
			text:     kyverno(attestors("{entries: [{keyless: {issuer: 'https://oidc.example', subject: 'https://git.example/o/x', additionalExtensions: {githubWorkflowSha: abc}}}]}")),
			policies: []string{"a-r: a.example/team " + signer + " githubWorkflowSHA=abc"},
			notes:    []string{"create configmap", digestAlone},
		},
		"claims with wildcards": {
			text:  kyverno(attestors("{entries: [{keyless: {issuer: 'https://oidc.example', subject: 'https://git.example/o/x', additionalExtensions: {githubWorkflowSha: 'a*'}}}]}")),
			notes: []string{"!cannot be asked for", "!do not suffice"},
		},
		"a subject with a wildcard": {
			text:  kyverno(attestors("{entries: [{keyless: {issuer: 'https://oidc.example', subject: 'https://git.example/o/*'}}]}")),
			notes: []string{`!see if uriPrefix "https://git.example/o/" is what you mean`, "!do not suffice"},
		},
		"an issuer with a wildcard":  {text: kyverno(attestors("{entries: [{keyless: {issuer: 'https://*', subject: 'a@b.example'}}]}")), notes: []string{"!add a signer for each issuer", "!do not suffice"}},
		"a regular expression":       {text: kyverno(attestors("{entries: [{keyless: {issuer: 'https://a', subjectRegExp: '.*'}}]}")), notes: []string{"!add a signer for each subject", "!do not suffice"}},
		"one of all is left out":     {text: kyverno(attestors("{entries: [" + key + ",{certificates: {cert: x}}]}")), notes: []string{"!names a certificate", "!do not suffice"}},
		"one alternative left out":   {text: kyverno(attestors("{count: 1, entries: [" + key + ",{certificates: {cert: x}}]}")), policies: []string{"a-r: a.example/team key key=(one)"}, notes: []string{"!names a certificate", digestAlone}},
		"annotations":                {text: kyverno(attestors("{entries: [{annotations: {a: b}, keys: {publicKeys: $KEY}}]}")), notes: []string{"!cannot ask for annotations", "!do not suffice"}},
		"variables":                  {text: kyverno(attestors("{entries: [{keys: {publicKeys: '{{ keys.data.x }}'}}]}")), notes: []string{"!variables", "!do not suffice"}},
		"a KMS":                      {text: kyverno(attestors("{entries: [{keys: {kms: 'awskms:///x'}}]}")), notes: []string{"!KMS", "!do not suffice"}},
		"another hash":               {text: kyverno(attestors("{entries: [{keys: {publicKeys: $KEY, signatureAlgorithm: sha512}}]}")), notes: []string{"!signature algorithm", "!do not suffice"}},
		"Notary":                     {text: kyverno("type: Notary, " + attestors("{entries: [{certificates: {cert: x}}]}")), notes: []string{"!signatures of Notary"}},
		"annotations of the element": {text: kyverno("annotations: {a: b}, " + attestors("{entries: ["+key+"]}")), notes: []string{"!annotations are not carried over"}},
		"skipped images": {
			text:     kyverno("skipImageReferences: ['a.example/team/x*'], validate: {deny: {}}, failureAction: Audit, required: false, " + attestors("{entries: ["+key+"]}")),
			policies: []string{"a-r: a.example/team key key=(one)"},
			notes:    []string{"!skipImageReferences", "!validate is not", "--enforcement Audit", "!required: false", digestAlone},
		},
		"attestations alone": {text: kyverno("imageReferences: ['a.example/*'], attestations: [{type: x}]"), notes: []string{"!attestations is not carried over"}},
		"a rule of another kind, and one with conditions": {
			text: strings.Replace(kyverno(attestors("{entries: ["+key+"]}")), "    match: {any: [{resources: {kinds: [Pod]}}]}\n",
				"    match: {any: [{resources: {kinds: [Pod], namespaces: [prod]}}]}\n    exclude: {}\n", 1) + "  - {name: x, validate: {}}\n",
			policies: []string{"a-r: a.example/team key key=(one)"},
			notes:    []string{"!exclude is not carried over", "!match is not carried over", digestAlone, "it verifies no images"},
		},
	}
	for name, tt := range tests {
		t.Run(name, tt.run)
	}
}

// TestConvertPatternsRefused gives policies with members that could narrow what is trusted, and nobody reads.
func TestConvertPatternsRefused(t *testing.T) {
	for text, want := range map[string]string{
		controller("a", "a.example", "{key: {data: x}, unless: y}"):                                          `member "authorities[0].unless" is not known`,
		"apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: a}\nspec: {}\n": "images is empty",
		"apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {}\nspec: {}\n":        "metadata.name is missing",
		"apiVersion: policy.sigstore.dev/v1beta1\nkind: TrustRoot\nmetadata: {name: a}\n":                    `kind "TrustRoot"`,
		"apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {}\n":                                     "metadata.name is missing",
		kyverno("unless: x"): `member "[0].unless" is not known`,
		kyverno("attestors: [{entries: [{keyless: {subjectRegexp: x}}]}]"):                                       "is not known",
		"apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\nspec: {rules: [{name: [], x: 1}]}": "rules[0]: name",
	} {
		c := policyconvert.New(options())
		if err := c.Add("file", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nerror %v, want it to hold %q", text, err, want)
		}
	}
}

// TestConvertPatternIdentity looks at what no summary shows.
func TestConvertPatternIdentity(t *testing.T) {
	policies, _ := convert(t, controller("a", "a.example/**", withKey(staticKey)))
	want := assayv1alpha1.TrustPolicySpec{
		Scopes:            []assayv1alpha1.Scope{"a.example"},
		Keys:              []assayv1alpha1.TrustedKey{{Name: "release", Inline: pemKey}},
		SignedIdentity:    &assayv1alpha1.SignedIdentity{MatchPolicy: assayv1alpha1.MatchRepository},
		UnnamedSignatures: assayv1alpha1.UnnamedSignaturesAccept,
	}
	if diff := cmp.Diff(want, policies[0].Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

// TestPatternSemantics checks that converted policies decide as the originals do about images that several match.
func TestPatternSemantics(t *testing.T) {
	wide, narrow := st.NewKey(t, elliptic.P256()), st.NewKey(t, elliptic.P256())
	policy := func(name, glob string, key *ecdsa.PrivateKey) string {
		return controller(name, glob, fmt.Sprintf("{ctlog: {}, key: {data: %q}}", st.PublicPEM(t, key)))
	}
	policies, _ := convert(t, policy("wide", "a.example/**", wide)+policy("narrow", "a.example/team/**", narrow))
	sign := func(key *ecdsa.PrivateKey, repository string) verify.Signature {
		payload := st.Payload(t, imageDigest.String(), repository)
		return verify.Signature{Type: "sigstore", Content: st.Blob(t, payload, st.Sign(t, key, payload), nil)}
	}
	tests := map[string]struct {
		image      string
		signatures []verify.Signature
		want       string
	}{
		"the wide one":               {"a.example/app:v1", []verify.Signature{sign(wide, "a.example/app")}, "Verified"},
		"the other key":              {"a.example/app:v1", []verify.Signature{sign(narrow, "a.example/app")}, "UntrustedKey"},
		"another repository":         {"a.example/app:v1", []verify.Signature{sign(wide, "a.example/other")}, "IdentityMismatch"},
		"both match, one key signed": {"a.example/team/app:v1", []verify.Signature{sign(narrow, "a.example/team/app")}, "UntrustedKey"},
		"both match, both signed":    {"a.example/team/app:v1", []verify.Signature{sign(narrow, "a.example/team/app"), sign(wide, "a.example/team/app")}, "Verified"},
		"neither matches":            {"b.example/app:v1", []verify.Signature{sign(wide, "b.example/app")}, "NoTrustPolicy"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := check(t, policies, tt.image, tt.signatures...); got != tt.want {
				t.Errorf("reason %s, want %s", got, tt.want)
			}
		})
	}
}

// TestConvertManyScopes says what does not fit into a TrustPolicy.
func TestConvertManyScopes(t *testing.T) {
	var globs, policies strings.Builder
	for i := range 300 {
		fmt.Fprintf(&globs, "{glob: a.example/g%d},", i)
		policies.WriteString(controller(fmt.Sprintf("narrow-%d", i), fmt.Sprintf("b.example/n%d/**", i), withKey(staticKey)))
	}
	many := strings.Replace(controller("many", "GLOB", withKey(staticKey)), `{glob: "GLOB"}`, globs.String(), 1)
	converted, notes := convert(t, many+controller("wide", "b.example/**", withKey(staticKey))+policies.String())
	left, full := 0, 0
	for _, note := range notes {
		switch {
		case strings.Contains(note.Text, "at most 256 scopes") && note.Lost:
			left++
		case strings.Contains(note.Text, "because there are too many") && note.Lost && note.Where == "TrustPolicy wide":
			full++
		}
	}
	if len(converted[0].Spec.Scopes) != 256 || len(converted[1].Spec.Scopes) != 256 || left != 300-256 || full != 1 {
		t.Errorf("%d and %d scopes, %d notes about patterns and %d about scopes", len(converted[0].Spec.Scopes), len(converted[1].Spec.Scopes), left, full)
	}
}
