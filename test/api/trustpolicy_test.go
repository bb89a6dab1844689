// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/internal/imageref"
)

// policy returns a valid TrustPolicy in which the members of spec that edit gives take
// the place of those that are there. null removes one.
func policy(t *testing.T, edit string) map[string]any {
	t.Helper()
	o := object(t, `
apiVersion: assay.dev/v1alpha1
kind: TrustPolicy
metadata: {name: team}
spec:
  scopes: [registry.example.com/team]
  keys: [{name: release, secretRef: {name: release-keys}}]
`)
	spec := o["spec"].(map[string]any)
	for name, value := range object(t, edit) {
		if spec[name] = value; value == nil {
			delete(spec, name)
		}
	}
	return o
}

// numbered returns n times the format, each time with another number.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestInvalidTrustPolicies(t *testing.T) {
	const (
		oneSource = "give exactly one of secretRef, configMapRef and inline"
		prefix    = "spec.signedIdentity.remapIdentity.prefix"
		badPrefix = "a prefix is a host[:port], namespace or repository"

		fingerprint = "A123456789A123456789A123456789A123456789"
	)
	remap := func(prefix, signed string) string {
		return fmt.Sprintf(`signedIdentity: {matchPolicy: RemapIdentity, remapIdentity: {prefix: %q, signedPrefix: %q}}`, prefix, signed)
	}
	exact := func(reference string) string {
		return fmt.Sprintf(`signedIdentity: {matchPolicy: ExactReference, exactReference: {reference: %q}}`, reference)
	}
	repository := func(repository string) string {
		return fmt.Sprintf(`signedIdentity: {matchPolicy: ExactRepository, exactRepository: {repository: %q}}`, repository)
	}
	tests := map[string]struct {
		edit    string
		field   string
		message string
	}{
		"no scopes":       {`scopes: null`, "spec.scopes", "Required value"},
		"empty scopes":    {`scopes: []`, "spec.scopes", "should have at least 1 items"},
		"same scope":      {`scopes: [a.example.com, a.example.com]`, "spec.scopes[1]", "Duplicate value"},
		"empty scope":     {`scopes: ["a.example.com", ""]`, "spec.scopes[1]", "should be at least 1 chars long"},
		"too long scope":  {`scopes: ["a.example.com/` + strings.Repeat("a", 500) + `"]`, "spec.scopes[0]", "Too long"},
		"scopes text":     {`scopes: a.example.com`, "spec.scopes", "must be of type array"},
		"too many scopes": {`scopes: [` + numbered("n%d.example.com,", 257) + `]`, "spec.scopes", "must have at most 256 items"},

		"empty keys":          {`keys: []`, "spec.keys", "should have at least 1 items"},
		"key without source":  {`keys: [{name: a}]`, "spec.keys[0]", oneSource},
		"key of two sources":  {`keys: [{name: a, inline: x, secretRef: {name: b}}]`, "spec.keys[0]", oneSource},
		"key of all sources":  {`keys: [{name: a, inline: x, secretRef: {name: b}, configMapRef: {name: b}}]`, "spec.keys[0]", oneSource},
		"key without name":    {`keys: [{inline: x}]`, "spec.keys[0].name", "Required value"},
		"keys of one name":    {`keys: [{name: a, inline: x}, {name: a, inline: z}]`, "spec.keys[1]", "Duplicate value"},
		"odd name of a key":   {`keys: [{name: "a b", inline: x}]`, "spec.keys[0].name", "should match"},
		"long name of a key":  {`keys: [{name: ` + strings.Repeat("a", 64) + `, inline: x}]`, "spec.keys[0].name", "Too long"},
		"empty inline key":    {`keys: [{name: a, inline: ""}]`, "spec.keys[0].inline", "should be at least 1 chars long"},
		"long inline key":     {`keys: [{name: a, inline: ` + strings.Repeat("a", 65537) + `}]`, "spec.keys[0].inline", "Too long"},
		"secret without name": {`keys: [{name: a, secretRef: {key: b}}]`, "spec.keys[0].secretRef.name", "Required value"},
		"empty key in source": {`keys: [{name: a, configMapRef: {name: b, key: ""}}]`, "spec.keys[0].configMapRef.key", "should be at least 1 chars long"},

		"revoked key, short":        {`revokedKeys: [{fingerprint: 0123456789abcdef}]`, "spec.revokedKeys[0].fingerprint", "should be at least 40 chars long"},
		"revoked key, odd length":   {`revokedKeys: [{fingerprint: "` + strings.Repeat("a", 48) + `"}]`, "spec.revokedKeys[0].fingerprint", "40 or 64 hexadecimal digits"},
		"revoked key, with prefix":  {`revokedKeys: [{fingerprint: "0x` + strings.Repeat("a", 40) + `"}]`, "spec.revokedKeys[0].fingerprint", "without 0x and spaces"},
		"revoked key in lower case": {`revokedKeys: [{fingerprint: ` + fingerprint + `}, {fingerprint: ` + strings.ToLower(fingerprint) + `}]`, "spec.revokedKeys", "a fingerprint is listed twice"},
		"too many revoked keys":     {`revokedKeys: [` + numbered("{fingerprint: a%039d},", 257) + `]`, "spec.revokedKeys", "must have at most 256 items"},

		"unknown rule":                {`signedIdentity: {matchPolicy: MatchAll}`, "spec.signedIdentity.matchPolicy", "Unsupported value"},
		"no reference":                {`signedIdentity: {matchPolicy: ExactReference}`, "spec.signedIdentity", "exactReference is for matchPolicy ExactReference, and needed there"},
		"reference for another":       {`signedIdentity: {matchPolicy: MatchExact, exactReference: {reference: "a.example.com/b:v1"}}`, "spec.signedIdentity", "exactReference is for"},
		"reference without rule":      {`signedIdentity: {exactReference: {reference: "a.example.com/b:v1"}}`, "spec.signedIdentity", "exactReference is for"},
		"reference without tag":       {exact("a.example.com/b"), "spec.signedIdentity.exactReference.reference", "a tag or a digest is needed"},
		"reference is host and port":  {exact("a.example.com:5000"), "spec.signedIdentity.exactReference.reference", "a tag or a digest is needed"},
		"reference with a port only":  {exact("a.example.com:5000/b"), "spec.signedIdentity.exactReference.reference", "a tag or a digest is needed"},
		"reference with upper case":   {exact("a.example.com/B:v1"), "spec.signedIdentity.exactReference.reference", "a reference is"},
		"reference with a scheme":     {exact("https://a.example.com/b:v1"), "spec.signedIdentity.exactReference.reference", "a reference is"},
		"reference, short digest":     {exact("a.example.com/b@sha256:0123"), "spec.signedIdentity.exactReference.reference", "a reference is"},
		"reference, odd digest":       {exact("a.example.com/b@md5:" + strings.Repeat("0", 64)), "spec.signedIdentity.exactReference.reference", "a reference is"},
		"no repository":               {`signedIdentity: {matchPolicy: ExactRepository}`, "spec.signedIdentity", "exactRepository is for matchPolicy ExactRepository, and needed there"},
		"repository for another":      {`signedIdentity: {matchPolicy: MatchRepository, exactRepository: {repository: a.example.com/b}}`, "spec.signedIdentity", "exactRepository is for"},
		"repository with tag":         {repository("a.example.com/b:v1"), "spec.signedIdentity.exactRepository.repository", "a repository is"},
		"repository with slash":       {repository("a.example.com/b/"), "spec.signedIdentity.exactRepository.repository", "a repository is"},
		"repository is host and port": {repository("a.example.com:5000"), "spec.signedIdentity.exactRepository.repository", "a repository is"},
		"no remap":                    {`signedIdentity: {matchPolicy: RemapIdentity}`, "spec.signedIdentity", "remapIdentity is for matchPolicy RemapIdentity, and needed there"},
		"remap for another":           {`signedIdentity: {remapIdentity: {prefix: a.example.com, signedPrefix: b.example.com}}`, "spec.signedIdentity", "remapIdentity is for"},
		"remap without signedPrefix":  {`signedIdentity: {matchPolicy: RemapIdentity, remapIdentity: {prefix: a.example.com}}`, "spec.signedIdentity.remapIdentity.signedPrefix", "Required value"},
		"prefix with slash":           {remap("a.example.com/", "b.example.com"), prefix, badPrefix},
		"prefix with tag":             {remap("a.example.com/b:v1", "b.example.com"), prefix, badPrefix},
		"prefix with digest":          {remap("a.example.com/b@sha256:"+strings.Repeat("0", 64), "b.example.com"), prefix, badPrefix},
		"prefix with a scheme":        {remap("http://a.example.com", "b.example.com"), prefix, badPrefix},
		"prefix with wildcard":        {remap("*.example.com", "b.example.com"), prefix, badPrefix},
		"prefix that is not in full":  {remap("busybox", "b.example.com"), prefix, "docker.io/library/busybox for busybox"},
		"former name of docker.io":    {remap("index.docker.io/library", "b.example.com"), prefix, "docker.io for index.docker.io"},
		"signedPrefix with slash":     {remap("a.example.com", "b.example.com/"), "spec.signedIdentity.remapIdentity.signedPrefix", badPrefix},
		"signedPrefix not in full":    {remap("a.example.com", "library"), "spec.signedIdentity.remapIdentity.signedPrefix", "docker.io/library/busybox for busybox"},
		"no signatures required":      {`requiredSignatures: 0`, "spec.requiredSignatures", "should be greater than or equal to 1"},
		"too many required":           {`requiredSignatures: 65`, "spec.requiredSignatures", "should be less than or equal to 64"},
		"text as requiredSignatures":  {`requiredSignatures: "1"`, "spec.requiredSignatures", "must be of type integer"},
		"unknown expiredKeys":         {`expiredKeys: Accept`, "spec.expiredKeys", "Unsupported value"},
		"unknown enforcement":         {`enforcement: enforce`, "spec.enforcement", "Unsupported value"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := dryCreate(t, policyResource, policy(t, tt.edit))
			refusedFor(t, err, []string{tt.field}, tt.message)
		})
	}
}

func TestTrustPolicyWithoutSpec(t *testing.T) {
	o := policy(t, "{}")
	delete(o, "spec")
	_, err := dryCreate(t, policyResource, o)
	refusedFor(t, err, []string{"spec"}, "Required value")
}

func TestTrustPolicyWithUnknownField(t *testing.T) {
	_, err := dryCreate(t, policyResource, policy(t, `requiredSignature: 2`))
	if err == nil || !strings.Contains(err.Error(), `unknown field "spec.requiredSignature"`) {
		t.Errorf("create: %v, want the unknown field named", err)
	}
}

// The server and the matcher have to agree on what a scope is: what only the server
// accepts would never become ready, and what only the matcher accepts cannot be written.
func TestScopes(t *testing.T) {
	sha256, sha512 := "sha256:"+strings.Repeat("0a", 32), "sha512:"+strings.Repeat("0a", 64)
	const (
		form     = "a scope is host[:port]"
		inFull   = "a scope begins with the name of the registry"
		subnames = "an IP address has none"
		port     = "a port is at most 65535"
		address  = "a host that is an IP address"
		long     = "a host has at most 253 characters"
	)
	tests := map[string]struct {
		scope   string
		message string // empty means accepted
	}{
		"registry":                       {"registry.example.com", ""},
		"registry with port":             {"registry.example.com:5000", ""},
		"registry without dots":          {"registry:5000", ""},
		"localhost":                      {"localhost", ""},
		"localhost with port":            {"localhost:5000", ""},
		"localhost with path":            {"localhost/team/app", ""},
		"IPv4 address":                   {"10.0.0.1:5000/team", ""},
		"IPv6 address":                   {"[2001:db8::1]:5000/team", ""},
		"namespace":                      {"registry.example.com/team", ""},
		"repository":                     {"docker.io/library/busybox", ""},
		"deep repository":                {"registry.example.com:5000/a/b/c/d/e", ""},
		"separators":                     {"registry.example.com/a.b/c_d/e__f/g-h/i--j", ""},
		"tag":                            {"registry.example.com/team/app:v1.0_x-Y", ""},
		"tag behind port":                {"registry.example.com:5000/team/app:5000", ""},
		"digest":                         {"registry.example.com/team/app@" + sha256, ""},
		"digest, SHA-512":                {"registry.example.com/team/app@" + sha512, ""},
		"wildcard":                       {"*.example.com", ""},
		"wildcard with port":             {"*.example.com:5000", ""},
		"wildcard of top-level domain":   {"*.com", ""},
		"host of 253 characters":         {strings.Repeat("a", 245) + ".example:5000/team", ""},
		"wildcard of 253 characters":     {"*." + strings.Repeat("a", 243) + ".example:5000", ""},
		"host of 254 characters":         {strings.Repeat("a", 246) + ".example/team", long},
		"wildcard of 254 characters":     {"*." + strings.Repeat("a", 244) + ".example", long},
		"scheme":                         {"https://registry.example.com", form},
		"slash at the end":               {"registry.example.com/team/", form},
		"slash after the registry":       {"registry.example.com/", form},
		"two slashes":                    {"registry.example.com//team", form},
		"slash at the start":             {"/registry.example.com", form},
		"blank":                          {"registry.example.com/my team", form},
		"blank at the end":               {"registry.example.com ", form},
		"line break at the end":          {"registry.example.com\n", form},
		"upper-case repository":          {"registry.example.com/Team", form},
		"upper-case registry":            {"Registry.example.com/team", form},
		"upper-case wildcard":            {"*.Example.com", form},
		"star":                           {"*", form},
		"star and dot":                   {"*.", form},
		"star within a label":            {"*example.com", form},
		"star in the middle":             {"a.*.example.com", form},
		"two stars":                      {"*.*.example.com", form},
		"wildcard with path":             {"*.example.com/team", form},
		"star in the path":               {"registry.example.com/*", form},
		"wildcard of addresses":          {"*.0.0.1", subnames},
		"wildcard of addresses, port":    {"*.0.0.1:5000", subnames},
		"dots in sequence":               {"registry..example.com", form},
		"dot at the end":                 {"registry.example.com.", form},
		"hyphen at the start":            {"-registry.example.com", form},
		"port without digits":            {"registry.example.com:/team", form},
		"tag without path":               {"registry.example.com:v1", form},
		"empty tag":                      {"registry.example.com/team/app:", form},
		"long tag":                       {"registry.example.com/team/app:" + strings.Repeat("a", 129), form},
		"tag and digest":                 {"registry.example.com/team/app:v1@" + sha256, form},
		"short digest":                   {"registry.example.com/team/app@sha256:0a", form},
		"digest in upper case":           {"registry.example.com/team/app@" + strings.ToUpper(sha256), form},
		"digest, SHA-256 for SHA-512":    {"registry.example.com/team/app@" + strings.Replace(sha256, "256", "512", 1), form},
		"repository that is not whole":   {"busybox", inFull},
		"namespace that is not whole":    {"library/busybox", inFull},
		"reference that is not whole":    {"library/busybox:latest", inFull},
		"former name of docker.io":       {"index.docker.io/library/busybox", inFull},
		"former name of docker.io only":  {"index.docker.io", inFull},
		"letters that are not ASCII":     {"registry.example.com/tëam", form},
		"port 80":                        {"registry.example.com:80/team", ""},
		"port 443 that makes a host":     {"registry:443/team", ""},
		"largest port":                   {"registry.example.com:65535", ""},
		"tag that looks like a port":     {"registry.example.com/team/app:70000", ""},
		"tag that looks like a default":  {"registry.example.com/team/app:443", ""},
		"namespace of Docker Hub":        {"docker.io/team", ""},
		"port with zeros":                {"registry.example.com:05000/team", form},
		"port 0":                         {"registry.example.com:0", form},
		"port of six digits":             {"registry.example.com:100000", form},
		"port too large":                 {"registry.example.com:65536/team", port},
		"wildcard, port too large":       {"*.example.com:65536", port},
		"wildcard, port with zeros":      {"*.example.com:05000", form},
		"default port":                   {"registry.example.com:443", port},
		"default port and path":          {"registry.example.com:443/team", port},
		"default port, with zeros":       {"registry.example.com:0443/team", form},
		"default port of localhost":      {"localhost:443/team", port},
		"default port of IPv6":           {"[2001:db8::1]:443/team", port},
		"default port of a wildcard":     {"*.example.com:443", port},
		"Docker Hub on port 443":         {"docker.io:443/team", port},
		"Docker Hub on port 80":          {"docker.io:80/team", port},
		"Docker Hub's server":            {"registry-1.docker.io/team", inFull},
		"Docker Hub's other name":        {"registry.hub.docker.com", inFull},
		"Docker Hub without library":     {"docker.io/busybox:1", inFull},
		"IPv6 with zeros":                {"[2001:db8:0::1]:5000", address},
		"IPv6 in upper case":             {"[2001:DB8::1]", form},
		"IPv6 that is none":              {"[2001:db8]:5000/team", address},
		"IPv6 that ends in 443":          {"[::443]/team", ""},
		"IPv4 in IPv6 form":              {"[::ffff:a00:1]/team", address},
		"IPv4 with zeros":                {"10.0.0.01/team", address},
		"IPv4 in short":                  {"10.1/team", address},
		"IPv4 in hexadecimal":            {"10.0.0.0x1/team", address},
		"a number for an IPv4 address":   {"167772161:5000/team", address},
		"domain that begins with digits": {"10.0.0.1.example.com/team", ""},
		"wildcard of hexadecimal":        {"*.0.0.0x1", subnames},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, parseErr := imageref.ParseScope(tt.scope)
			if accepted := tt.message == ""; accepted != (parseErr == nil) {
				t.Errorf("ParseScope: %v, want accepted to be %t", parseErr, accepted)
			}
			o := policy(t, "{}")
			o["spec"].(map[string]any)["scopes"] = []any{"first.example.com", tt.scope}
			_, err := dryCreate(t, policyResource, o)
			switch {
			case tt.message != "":
				refusedFor(t, err, []string{"spec.scopes[1]"}, tt.message)
			case err != nil:
				t.Errorf("create: %v, want none", err)
			}
		})
	}
}

// Whatever names the server accepts in signedIdentity, the matcher has to be able to use.
func TestSignedIdentityNames(t *testing.T) {
	sha256 := "sha256:" + strings.Repeat("0a", 32)
	tests := map[string]imageref.Rule{
		"reference with tag":          {Match: imageref.ExactReference, DockerReference: "registry.example.com:5000/team/app:v1"},
		"reference with digest":       {Match: imageref.ExactReference, DockerReference: "registry.example.com/team/app@" + sha256},
		"reference with both":         {Match: imageref.ExactReference, DockerReference: "registry.example.com/team/app:v1@" + sha256},
		"short reference":             {Match: imageref.ExactReference, DockerReference: "postgres:16"},
		"reference in upper case":     {Match: imageref.ExactReference, DockerReference: "Registry.example.com/team/app:V1"},
		"repository":                  {Match: imageref.ExactRepository, DockerRepository: "registry.example.com:5000/team/app"},
		"short repository":            {Match: imageref.ExactRepository, DockerRepository: "library/busybox"},
		"registry to namespace":       {Match: imageref.RemapIdentity, Prefix: "mirror.example.com:5000", SignedPrefix: "registry.example.com/team"},
		"repository to repository":    {Match: imageref.RemapIdentity, Prefix: "mirror.example.com/busybox", SignedPrefix: "docker.io/library/busybox"},
		"localhost to IPv6 address":   {Match: imageref.RemapIdentity, Prefix: "localhost", SignedPrefix: "[2001:db8::1]:5000"},
		"prefix in upper case":        {Match: imageref.RemapIdentity, Prefix: "Mirror/team", SignedPrefix: "registry.example.com"},
		"prefix that is its own goal": {Match: imageref.RemapIdentity, Prefix: "registry.example.com", SignedPrefix: "registry.example.com"},
	}
	for name, rule := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := imageref.NewMatcher(rule); err != nil {
				t.Errorf("NewMatcher: %v", err)
			}
			signed := map[string]any{"matchPolicy": string(rule.Match)}
			switch rule.Match {
			case imageref.ExactReference:
				signed["exactReference"] = map[string]any{"reference": rule.DockerReference}
			case imageref.ExactRepository:
				signed["exactRepository"] = map[string]any{"repository": rule.DockerRepository}
			case imageref.RemapIdentity:
				signed["remapIdentity"] = map[string]any{"prefix": rule.Prefix, "signedPrefix": rule.SignedPrefix}
			}
			o := policy(t, "{}")
			o["spec"].(map[string]any)["signedIdentity"] = signed
			if _, err := dryCreate(t, policyResource, o); err != nil {
				t.Errorf("create: %v", err)
			}
		})
	}
}

func TestTrustPolicyDefaults(t *testing.T) {
	const base = `
scopes: [registry.example.com/team]
keys: [{name: release, secretRef: {name: release-keys}}]
signedIdentity: {matchPolicy: MatchRepoDigestOrExact}
unnamedSignatures: Reject
requiredSignatures: 1
expiredKeys: Reject
enforcement: Enforce
discovery: Enabled
`
	tests := map[string]struct {
		edit string
		want string // the members that differ from base
	}{
		"nothing but what is needed": {`{}`, `{}`},
		"null is as absent":          {`{signedIdentity: null, requiredSignatures: null, enforcement: null}`, `{}`},
		"empty signedIdentity":       {`signedIdentity: {}`, `{}`},
		"other values stay": {
			`{signedIdentity: {matchPolicy: MatchExact}, requiredSignatures: 2, expiredKeys: AcceptSignaturesBeforeExpiry, enforcement: Audit}`,
			`{signedIdentity: {matchPolicy: MatchExact}, requiredSignatures: 2, expiredKeys: AcceptSignaturesBeforeExpiry, enforcement: Audit}`,
		},
		"warn":         {`enforcement: Warn`, `enforcement: Warn`},
		"no discovery": {`discovery: Disabled`, `discovery: Disabled`},
		"sources": {
			`keys: [{name: a.b-1, inline: x}, {name: b, configMapRef: {name: c, key: d.asc}}, {name: c, secretRef: {name: e}, inline: null}]`,
			`keys: [{name: a.b-1, inline: x}, {name: b, configMapRef: {name: c, key: d.asc}}, {name: c, secretRef: {name: e}}]`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := object(t, base)
			for member, value := range object(t, tt.want) {
				want[member] = value
			}
			got, err := dryCreate(t, policyResource, policy(t, tt.edit))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := yaml.Marshal(got.Object["spec"])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, object(t, string(answer))); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
		})
	}
}

// Rules cost time on the server, which stops an object whose rules take too long. The
// largest TrustPolicy has to stay below that.
func TestLargestTrustPolicy(t *testing.T) {
	o := policy(t, "{}")
	spec := o["spec"].(map[string]any)
	var scopes, keys, revoked []any
	for i := range 256 {
		scope := fmt.Sprintf("n%d.example.com", i) + strings.Repeat("/a", 126)
		scopes = append(scopes, scope+strings.Repeat("a", 512-len(scope)))
	}
	for i := range 64 {
		keys = append(keys, map[string]any{"name": fmt.Sprintf("n%d", i), "inline": strings.Repeat("a", 8192)})
	}
	for i := range 256 {
		revoked = append(revoked, map[string]any{"fingerprint": fmt.Sprintf("%064x", i)})
	}
	spec["scopes"], spec["keys"], spec["revokedKeys"], spec["requiredSignatures"] = scopes, keys, revoked, int64(64)
	name := "a.example.com" + strings.Repeat("/a", 249)
	spec["signedIdentity"] = map[string]any{
		"matchPolicy": "RemapIdentity", "remapIdentity": map[string]any{"prefix": name, "signedPrefix": name},
	}
	if _, err := dryCreate(t, policyResource, o); err != nil {
		t.Error(err)
	}
}
