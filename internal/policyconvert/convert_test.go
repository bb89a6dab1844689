// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/policyconvert"
)

const keyTime = 1735689600 // 2025-01-01

var (
	alice = pgp.Ed25519(4, keyTime, "convert alice")
	bob   = pgp.Ed25519(4, keyTime, "convert bob")

	// files are those that keyPath finds.
	files = map[string][]byte{
		"/keys/alice.gpg": alice.Simple("Alice <alice@example.com>"),
		"/keys/bob.asc":   pgp.Armor("PGP PUBLIC KEY BLOCK", bob.Simple("Bob <bob@example.com>")),
		"/keys/text":      []byte("root:x:0:0:root:/root:/bin/bash\n"),
		"/keys/private.asc": append(pgp.Armor("PGP PUBLIC KEY BLOCK", alice.Simple("Alice <alice@example.com>")),
			pgp.Armor("PGP PRIVATE KEY BLOCK", []byte{0xc5, 1, 4})...),
		"/keys/colon.asc": slices.Concat(pgp.Armor("PGP PUBLIC KEY BLOCK", bob.Simple("Bob <bob@example.com>")), []byte(":"),
			pgp.Armor("PGP PUBLIC KEY BLOCK", bob.Direct(bob.Standard(pgp.TypeKeyRevocation, keyTime)))),
		"/keys/cut.gpg":  append(bob.Simple("Bob <bob@example.com>"), alice.Simple("Alice <alice@example.com>")[:100]...),
		"/keys/many.asc": many(),
		// A private key under the label of a public one, behind a public one.
		"/keys/labelled.asc": pgp.Armor("PGP PUBLIC KEY BLOCK", append(alice.Simple("Alice <alice@example.com>"), 0xc5, 1, 4)),
	}
)

// many is a file of a hundred keys, each in a block of its own, some of them without a line break
// before the next, and a revocation of the first.
func many() []byte {
	var file []byte
	for i := range 100 {
		block := pgp.Armor("PGP PUBLIC KEY BLOCK", manyKey(i).Simple(fmt.Sprint(i)))
		if i%3 == 0 {
			block = bytes.TrimRight(block, "\n")
		}
		file = append(file, block...)
	}
	first := manyKey(0)
	return append(file, pgp.Armor("PGP PUBLIC KEY BLOCK", first.Direct(first.Standard(pgp.TypeKeyRevocation, keyTime)))...)
}

func manyKey(i int) *pgp.Key { return pgp.Ed25519(4, keyTime, fmt.Sprint("convert many ", i)) }

func readFile(path string) ([]byte, error) {
	data, ok := files[path]
	if !ok {
		return nil, errors.New("no such file")
	}
	return data, nil
}

func options() policyconvert.Options {
	return policyconvert.Options{ReadFile: readFile, Namespace: "assay-system"}
}

// convert converts one file that is right.
func convert(t *testing.T, text string) ([]assayv1alpha1.TrustPolicy, []policyconvert.Note) {
	t.Helper()
	c := policyconvert.New(options())
	if err := c.Add("file", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return c.Result()
}

// signedBy is a requirement by key files, with more members.
func signedBy(path, more string) string {
	return fmt.Sprintf(`{"type":"signedBy","keyType":"GPGKeys","keyPath":%q%s}`, path, more)
}

// docker is a policy with one scope.
func docker(scope, requirements string) string {
	return fmt.Sprintf(`{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{%q:[%s]}}}`, scope, requirements)
}

// summary is what the tests compare of a TrustPolicy.
func summary(p *assayv1alpha1.TrustPolicy) string {
	var keys []string
	for _, key := range p.Spec.Keys {
		switch {
		case key.SecretRef != nil:
			keys = append(keys, string(key.Name)+"=Secret/"+key.SecretRef.Name)
		default:
			keys = append(keys, string(key.Name)+"=inline")
		}
	}
	text := p.Name + ": " + strings.Trim(fmt.Sprint(p.Spec.Scopes), "[]") + " by " + strings.Join(keys, " ")
	if s := p.Spec.SignedIdentity; s != nil {
		text += " as " + string(s.MatchPolicy)
	}
	return text
}

func TestConvert(t *testing.T) {
	alice := signedBy("/keys/alice.gpg", "")
	bob := signedBy("/keys/bob.asc", "")
	tests := map[string]struct {
		text     string
		policies []string
		notes    []string // Parts, in order; "!" begins what is lost.
	}{
		"a repository": {
			text:     docker("registry.example.com:5000/team/app", alice),
			policies: []string{"registry.example.com-5000-team-app: registry.example.com:5000/team/app by alice=inline"},
		},
		"a wildcard": {
			text:     docker("*.example.com", alice),
			policies: []string{"any.example.com: *.example.com by alice=inline"},
		},
		"requirements are AND": {
			text: docker("a.example", alice+","+bob),
			policies: []string{
				"a.example: a.example by alice=inline",
				"a.example-2: a.example by bob=inline",
			},
		},
		"keyPaths are OR": {
			text:     docker("a.example", `{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/keys/alice.gpg","/keys/bob.asc"]}`),
			policies: []string{"a.example: a.example by alice=inline bob=inline"},
		},
		"keyData": {
			text: docker("a.example", fmt.Sprintf(`{"type":"signedBy","keyType":"GPGKeys","keyData":%q}`,
				base64.StdEncoding.EncodeToString(files["/keys/alice.gpg"]))),
			policies: []string{"a.example: a.example by key=inline"},
		},
		"insecureAcceptAnything beside others asks for nothing": {
			text:     docker("a.example", `{"type":"insecureAcceptAnything"},`+alice),
			policies: []string{"a.example: a.example by alice=inline"},
		},
		"insecureAcceptAnything alone": {
			text:  docker("a.example", `{"type":"insecureAcceptAnything"}`),
			notes: []string{"as the original does"},
		},
		"insecureAcceptAnything below a scope that asks": {
			text: `{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{
				"a.example/open":[{"type":"insecureAcceptAnything"}], "a.example":[` + alice + `]}}}`,
			policies: []string{"a.example: a.example by alice=inline"},
			notes:    []string{`!the TrustPolicies for scope "a.example" apply`},
		},
		"reject below a scope that trusts": {
			text: `{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{
				"b.a.example:5000/x":[{"type":"reject"}], "*.example":[` + alice + `]}}}`,
			policies: []string{"any.example: *.example by alice=inline"},
			notes:    []string{`!the TrustPolicies for scope "*.example" apply`},
		},
		"reject beside others refuses all":    {text: docker("a.example", alice+`,{"type":"reject"}`), notes: []string{"!reject is not carried over"}},
		"signedBaseLayer refuses all":         {text: docker("a.example", alice+`,{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}`), notes: []string{"!signedBaseLayer is not carried over"}},
		"another type of keys refuses all":    {text: docker("a.example", `{"type":"signedBy","keyType":"X509Certificates","keyPath":"/x"}`), notes: []string{"!keyType X509Certificates is not carried over"}},
		"sigstoreSigned that the API lacks":   {text: docker("a.example", `{"type":"sigstoreSigned","pki":{"caRootsPath":"/x","subjectHostname":"*.example"}}`), notes: []string{"!sigstoreSigned is not carried over"}},
		"a short name applies to no image":    {text: docker("busybox", alice), notes: []string{`!left out: it applies to no image: scope "busybox": write it as "docker.io/library/busybox"`}},
		"acceptance that applies to no image": {text: docker("containers-storage", `{"type":"insecureAcceptAnything"}`), notes: []string{"left out: it applies to no image"}},
		"index.docker.io applies to no image": {text: docker("index.docker.io/library", alice), notes: []string{"!left out: it applies to no image"}},
		"a slash at the end":                  {text: docker("a.example/", alice), notes: []string{"!left out: it applies to no image"}},
		"a wildcard with a port":              {text: docker("*.example.com:5000", alice), notes: []string{`!a wildcard with a port applies to no image in containers-policy.json(5); "*.example.com" covers every port`}},
		"a host in capitals without a dot": {
			text:     docker("REGISTRY/app", alice),
			policies: []string{"registry-443-app: registry:443/app by alice=inline"},
			notes:    []string{`written as "registry:443/app"`},
		},
		"a default port": {
			text:     docker("a.example:443/app:v1", alice),
			policies: []string{"a.example-app-v1: a.example/app:v1 by alice=inline"},
			notes:    []string{`written as "a.example/app:v1"`},
		},
		"a port that is none":                    {text: docker("a.example:99999", alice), notes: []string{"!left out: it applies to no image"}},
		"tag and digest":                         {text: docker("a.example/b:v1@sha256:"+strings.Repeat("0", 64), alice), notes: []string{"!left out"}},
		"a scope that is too long":               {text: docker("a.example/"+strings.Repeat("a", 600), alice), notes: []string{"!longer than 512 bytes"}},
		"other transports":                       {text: `{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker-daemon":{"":[{"type":"reject"}]}}}`, notes: []string{"left out: a cluster pulls"}},
		"the default rejects":                    {text: `{"default":[{"type":"reject"}]}`, notes: []string{"!reject is not carried over"}},
		"docker has a default of its own":        {text: `{"default":[{"type":"reject"}],"transports":{"docker":{"":[{"type":"insecureAcceptAnything"}]}}}`},
		"a default of docker that asks for keys": {text: docker("", alice), notes: []string{"!signedBy is not carried over: a TrustPolicy has scopes"}},
		"sigstoreSigned that the API lacks, beside others": {
			text:     docker("a.example", alice+`,{"type":"sigstoreSigned","pki":{"caRootsPath":"/x","subjectHostname":"*.example"}}`),
			policies: []string{"a.example: a.example by alice=inline"},
			notes:    []string{"!the other requirements of the scope are carried over"},
		},
		"a host in capitals": {
			text:     docker("Registry.Example.com:5000/app", alice),
			policies: []string{"registry.example.com-5000-app: registry.example.com:5000/app by alice=inline"},
			notes:    []string{`written as "registry.example.com:5000/app"`},
		},
		"a key that is not there": {
			text:     docker("a.example", signedBy("/etc/pki/RPM-GPG-KEY redhat", "")),
			policies: []string{"a.example: a.example by rpm-gpg-key-redhat=Secret/rpm-gpg-key-redhat"},
			notes: []string{
				"to create Secret rpm-gpg-key-redhat: kubectl -n assay-system create secret generic rpm-gpg-key-redhat --from-file='/etc/pki/RPM-GPG-KEY redhat'",
				"!is not inline: no such file",
			},
		},
		"a file that holds no key":            {text: docker("a.example", signedBy("/keys/text", "")), policies: []string{"a.example: a.example by text=Secret/text"}, notes: []string{"", "!holds no OpenPGP public key"}},
		"a private key is not copied":         {text: docker("a.example", signedBy("/keys/private.asc", "")), policies: []string{"a.example: a.example by private=inline"}, notes: []string{"!is inline without some of it: a private key block was skipped"}},
		"a private key is not copied, hidden": {text: docker("a.example", signedBy("/keys/labelled.asc", "")), policies: []string{"a.example: a.example by labelled=inline"}, notes: []string{"!is inline without some of it: a private key was skipped"}},
		"a revocation that is not in force":   {text: docker("a.example", signedBy("/keys/colon.asc", "")), policies: []string{"a.example: a.example by colon=inline"}, notes: []string{"is inline without some of it: a revocation was skipped"}},
		"a damaged file":                      {text: docker("a.example", signedBy("/keys/cut.gpg", "")), policies: []string{"a.example: a.example by cut=Secret/cut.gpg"}, notes: []string{"", "!is not inline: the key file is damaged"}},
		"names that would be the same": {
			text: `{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{"a.example/b":[` + alice + `],"a.example-b":[` + bob + `],"a.example/b_c":[` + bob + `]}}}`,
			policies: []string{
				"a.example-b: a.example/b by alice=inline",
				"a.example-b-2: a.example-b by bob=inline",
				"a.example-b-c: a.example/b_c by bob=inline",
			},
		},
		"ClusterImagePolicy": {
			text:     clusterImagePolicy("ClusterImagePolicy", "name: team", "PublicKey", "matchPolicy: MatchRepository"),
			policies: []string{"team: a.example/team *.b.example by key=inline as MatchRepository"},
			notes:    []string{`!scope "busybox" is left out`},
		},
		"ImagePolicy": {
			text:     clusterImagePolicy("ImagePolicy", "{name: team, namespace: shop}", "PublicKey", ""),
			policies: []string{"shop-team: a.example/team *.b.example by key=inline"},
			notes:    []string{`!scope "busybox" is left out`, "!for the Pods of its namespace"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			policies, notes := convert(t, tt.text)
			var got []string
			for i := range policies {
				got = append(got, summary(&policies[i]))
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
			again, _ := convert(t, tt.text)
			if diff := cmp.Diff(policies, again); diff != "" {
				t.Errorf("a second time (-first +second):\n%s", diff)
			}
		})
	}
}

func clusterImagePolicy(kind, metadata, policyType, identity string) string {
	if strings.HasPrefix(metadata, "name") {
		metadata = "{" + metadata + "}"
	}
	return fmt.Sprintf(`# A comment before the document.
---
apiVersion: config.openshift.io/v1
kind: %s
metadata: %s
spec:
  scopes: [a.example/team, "*.b.example", busybox, a.example/team]
  policy:
    rootOfTrust:
      policyType: %s
      publicKey: {keyData: %s}
    signedIdentity: {%s}
---
`, kind, metadata, policyType, base64Of(pemKey), identity)
}

// TestConvertIdentities converts every signedIdentity.
func TestConvertIdentities(t *testing.T) {
	tests := map[string]*assayv1alpha1.SignedIdentity{
		`{"type":"matchRepoDigestOrExact"}`: nil,
		`{"type":"matchExact"}`:             {MatchPolicy: assayv1alpha1.MatchExact},
		`{"type":"matchRepository"}`:        {MatchPolicy: assayv1alpha1.MatchRepository},
		`{"type":"exactReference","dockerReference":"b.example/c:v1"}`: {
			MatchPolicy: assayv1alpha1.ExactReference, ExactReference: &assayv1alpha1.ExactReferenceIdentity{Reference: "b.example/c:v1"},
		},
		// The tag does not count and the API does not take one.
		`{"type":"exactRepository","dockerRepository":"b.example/c:v1"}`: {
			MatchPolicy: assayv1alpha1.ExactRepository, ExactRepository: &assayv1alpha1.ExactRepositoryIdentity{Repository: "b.example/c"},
		},
		`{"type":"remapIdentity","prefix":"a.example","signedPrefix":"b.example/c"}`: {
			MatchPolicy: assayv1alpha1.RemapIdentity, RemapIdentity: &assayv1alpha1.RemapIdentityRule{Prefix: "a.example", SignedPrefix: "b.example/c"},
		},
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			policies, notes := convert(t, docker("a.example", signedBy("/keys/alice.gpg", `,"signedIdentity":`+text)))
			if len(policies) != 1 || len(notes) != 0 {
				t.Fatalf("%d TrustPolicies and the notes %+v", len(policies), notes)
			}
			if diff := cmp.Diff(want, policies[0].Spec.SignedIdentity); diff != "" {
				t.Errorf("signedIdentity (-want +got):\n%s", diff)
			}
		})
	}
	policies, notes := convert(t, docker("a.example", signedBy("/keys/alice.gpg", `,"signedIdentity":{"type":"remapIdentity","prefix":"busybox","signedPrefix":"b.example"}`)))
	if len(policies) != 0 || len(notes) != 1 || !notes[0].Lost || !strings.Contains(notes[0].Text, "written in full") {
		t.Errorf("a prefix that is a short name: %d TrustPolicies and the notes %+v", len(policies), notes)
	}
}

// TestConvertOpenShiftIdentities converts every signedIdentity of OpenShift.
func TestConvertOpenShiftIdentities(t *testing.T) {
	tests := map[string]*assayv1alpha1.SignedIdentity{
		"": nil,
		"signedIdentity: {matchPolicy: MatchRepoDigestOrExact}": nil,
		"signedIdentity: {matchPolicy: MatchRepository}":        {MatchPolicy: assayv1alpha1.MatchRepository},
		"signedIdentity: {matchPolicy: ExactRepository, exactRepository: {repository: b.example/c}}": {
			MatchPolicy: assayv1alpha1.ExactRepository, ExactRepository: &assayv1alpha1.ExactRepositoryIdentity{Repository: "b.example/c"},
		},
		"signedIdentity: {matchPolicy: RemapIdentity, remapIdentity: {prefix: a.example, signedPrefix: b.example/c}}": {
			MatchPolicy: assayv1alpha1.RemapIdentity, RemapIdentity: &assayv1alpha1.RemapIdentityRule{Prefix: "a.example", SignedPrefix: "b.example/c"},
		},
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			policies, _ := convert(t, openShiftSpec("scopes: [a.example], policy: {rootOfTrust: {policyType: PublicKey, publicKey: {keyData: "+base64Of(pemKey)+"}}, "+text+"}"))
			if len(policies) != 1 {
				t.Fatalf("%d TrustPolicies", len(policies))
			}
			if diff := cmp.Diff(want, policies[0].Spec.SignedIdentity); diff != "" {
				t.Errorf("signedIdentity (-want +got):\n%s", diff)
			}
		})
	}
}

// openShiftSpec is a ClusterImagePolicy with a spec in YAML's flow style.
func openShiftSpec(spec string) string {
	return "apiVersion: config.openshift.io/v1\nkind: ClusterImagePolicy\nmetadata: {name: a}\nspec: {" + spec + "}\n"
}

// TestConvertSecrets names files in Secrets when none may be read.
func TestConvertSecrets(t *testing.T) {
	c := policyconvert.New(policyconvert.Options{Namespace: "trust", Enforcement: assayv1alpha1.EnforcementAudit})
	text := `{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{
		"a.example":[` + signedBy("/one/release.asc", "") + `],
		"b.example":[` + signedBy("/one/release.asc", "") + `],
		"c.example":[` + signedBy("/two/release.asc", "") + `]}}}`
	if err := c.Add("file", []byte(text)); err != nil {
		t.Fatal(err)
	}
	policies, notes := c.Result()
	var got []string
	for i := range policies {
		got = append(got, summary(&policies[i]))
		if policies[i].Spec.Enforcement != assayv1alpha1.EnforcementAudit {
			t.Errorf("%s: enforcement %q", policies[i].Name, policies[i].Spec.Enforcement)
		}
	}
	want := []string{
		"a.example: a.example by release=Secret/release.asc",
		"b.example: b.example by release=Secret/release.asc",
		"c.example: c.example by release=Secret/release.asc-2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("TrustPolicies (-want +got):\n%s", diff)
	}
	for _, note := range notes {
		if note.Lost || !strings.Contains(note.Text, "kubectl -n trust create secret generic release.asc") {
			t.Errorf("note %+v", note)
		}
	}
}

// TestConvertRefused gives files that their own readers would refuse, and hostile ones.
func TestConvertRefused(t *testing.T) {
	one := func(requirement string) string { return docker("a.example", requirement) }
	tests := map[string]struct{ text, want string }{
		"nothing":                             {"", "the file is empty"},
		"only comments":                       {"# nothing\n---\n", "the file is empty"},
		"no default":                          {`{"transports":{}}`, "default is missing"},
		"an unknown member":                   {`{"default":[{"type":"reject"}],"Transports":{}}`, `member "Transports" is not known`},
		"a member twice":                      {`{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}`, "duplicate member"},
		"a scope twice":                       {`{"default":[{"type":"reject"}],"transports":{"docker":{"a.example":[{"type":"reject"}],"a\u002eexample":[{"type":"reject"}]}}}`, "duplicate member"},
		"more after it":                       {`{"default":[{"type":"reject"}]} {}`, "more text"},
		"no requirements":                     {one(""), "the list of requirements is empty"},
		"an unknown requirement":              {one(`{"type":"signedby"}`), `type "signedby" is not known`},
		"a requirement that is a list":        {one(`[]`), "an array where an object should be"},
		"an unknown member of reject":         {one(`{"type":"reject","unless":"x"}`), `member "unless" is not known`},
		"an unknown member of signedBy":       {one(signedBy("/keys/bob.asc", `,"KeyData":"x"`)), `member "KeyData" is not known`},
		"no key":                              {one(`{"type":"signedBy","keyType":"GPGKeys"}`), "exactly one of keyPath, keyPaths and keyData"},
		"two sources of keys":                 {one(signedBy("/keys/bob.asc", `,"keyPaths":[]`)), "exactly one of keyPath, keyPaths and keyData"},
		"an empty list of keys":               {one(`{"type":"signedBy","keyType":"GPGKeys","keyPaths":[]}`), "is empty"},
		"an empty path":                       {one(`{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/keys/bob.asc",""]}`), "a path of a key is empty"},
		"keyData that is no base64":           {one(`{"type":"signedBy","keyType":"GPGKeys","keyData":"!"}`), "keyData is not base64"},
		"an unknown type of keys":             {one(`{"type":"signedBy","keyType":"PGP","keyPath":"/x"}`), `keyType "PGP" is not known`},
		"null for a path":                     {one(`{"type":"signedBy","keyType":"GPGKeys","keyPath":null}`), "keyPath: "},
		"an unknown identity":                 {one(signedBy("/keys/bob.asc", `,"signedIdentity":{"type":"any"}`)), `type "any" is not known`},
		"an identity without its name":        {one(signedBy("/keys/bob.asc", `,"signedIdentity":{"type":"exactReference"}`)), "dockerReference is missing"},
		"deep nesting":                        {strings.Repeat(`{"default":`, 100), "nested more than"},
		"deep nesting in YAML":                {strings.Repeat("[", 5000), ""},
		"an alias bomb":                       {aliasBomb(), ""},
		"too large":                           {strings.Repeat(" ", policyconvert.MaxSize+1), "larger than"},
		"another kind":                        {"apiVersion: v1\nkind: Pod\n", `kind "Pod" of "v1" is not converted`},
		"a duplicate in YAML":                 {"apiVersion: config.openshift.io/v1\nkind: ClusterImagePolicy\nkind: Pod\n", "neither JSON nor YAML"},
		"no scopes":                           {openShiftSpec("policy: {rootOfTrust: {policyType: PKI}}"), "scopes: between 1 and 256"},
		"an unknown root of trust":            {openShiftSpec("scopes: [a.example], policy: {rootOfTrust: {policyType: GPG}}"), `policyType "GPG" is not known`},
		"an unknown member of the spec":       {openShiftSpec("scopes: [a.example], except: [b]"), `member "except" is not known`},
		"a member of the spec in capitals":    {openShiftSpec("Scopes: [a.example]"), `member "Scopes" is not known`},
		"scopes that are no list":             {openShiftSpec("scopes: a.example"), `spec: "json: cannot unmarshal string`},
		"an unknown member of rootOfTrust":    {openShiftSpec("scopes: [a.example], policy: {rootOfTrust: {policyType: PKI, unless: x}}"), `member "policy.rootOfTrust.unless" is not known`},
		"an unknown member of signedIdentity": {openShiftSpec("scopes: [a.example], policy: {signedIdentity: {matchpolicy: MatchRepository}}"), `member "policy.signedIdentity.matchpolicy" is not known`},
		"an unknown matchPolicy":              {openShiftSpec("scopes: [a.example], policy: {signedIdentity: {matchPolicy: Any}}"), "signedIdentity: "},
		"ExactRepository without its name":    {openShiftSpec("scopes: [a.example], policy: {signedIdentity: {matchPolicy: ExactRepository}}"), "signedIdentity: "},
		"no name":                             {"apiVersion: config.openshift.io/v1\nkind: ClusterImagePolicy\nmetadata: {}\n", "metadata.name is missing"},
		"a name that is no text":              {"apiVersion: config.openshift.io/v1\nkind: ClusterImagePolicy\nmetadata: {name: 1}\n", `metadata: "json: cannot unmarshal number`},
		"an unknown member of metadata":       {"apiVersion: config.openshift.io/v1\nkind: ClusterImagePolicy\nmetadata: {name: a, for: b}\n", `metadata: member "for" is not known`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := policyconvert.New(options())
			err := c.Add("file", []byte(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), "file: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to hold %q", err, tt.want)
			}
			if policies, notes := c.Result(); len(policies)+len(notes) > 0 {
				t.Errorf("refused, with the result %+v %+v", policies, notes)
			}
		})
	}
}

// aliasBomb is YAML that would grow to a gigabyte.
func aliasBomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	return b.String()
}
