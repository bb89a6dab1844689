// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var registryConfigResource = schema.GroupVersionResource{Group: "assay.dev", Version: "v1alpha1", Resource: "registryconfigs"}

// registryConfig returns a valid RegistryConfig in which the members of spec that edit gives take
// the place of those that are there. null removes one.
func registryConfig(t *testing.T, edit string) map[string]any {
	t.Helper()
	o := object(t, `
apiVersion: assay.dev/v1alpha1
kind: RegistryConfig
metadata: {name: team}
spec:
  scopes: [registry.example.com/team]
`)
	spec := o["spec"].(map[string]any)
	for name, value := range object(t, edit) {
		if spec[name] = value; value == nil {
			delete(spec, name)
		}
	}
	return o
}

func TestInvalidRegistryConfigs(t *testing.T) {
	const (
		badScope  = "a scope is host[:port], host[:port]/path or *.domain[:port]"
		badStore  = "a store is https://host[:port][/path]"
		badMirror = "a mirror is host[:port] or host[:port]/path"
		badHost   = "a host is host or host:port"
	)
	tests := map[string]struct{ edit, field, message string }{
		"no scopes":             {`scopes: null`, "spec.scopes", "Required value"},
		"empty scopes":          {`scopes: []`, "spec.scopes", "should have at least 1 items"},
		"same scope":            {`scopes: [a.example.com, a.example.com]`, "spec.scopes[1]", "Duplicate value"},
		"too many scopes":       {`scopes: [` + numbered("n%d.example.com,", 65) + `]`, "spec.scopes", "must have at most 64 items"},
		"scope with a tag":      {`scopes: ["a.example.com/b:v1"]`, "spec.scopes[0]", badScope},
		"scope with a digest":   {`scopes: ["a.example.com/b@sha256:` + strings.Repeat("0", 64) + `"]`, "spec.scopes[0]", badScope},
		"scope with a scheme":   {`scopes: ["https://a.example.com"]`, "spec.scopes[0]", badScope},
		"scope in upper case":   {`scopes: ["A.example.com"]`, "spec.scopes[0]", badScope},
		"scope with a slash":    {`scopes: ["a.example.com/"]`, "spec.scopes[0]", badScope},
		"short scope":           {`scopes: [busybox]`, "spec.scopes[0]", "docker.io/library/busybox for busybox"},
		"former name":           {`scopes: [index.docker.io]`, "spec.scopes[0]", "docker.io for index.docker.io"},
		"wildcard of addresses": {`scopes: ["*.0.0.1"]`, "spec.scopes[0]", "an IP address has none"},
		"default port":          {`scopes: ["a.example.com:443"]`, "spec.scopes[0]", "the default port 443 is left out"},
		"port too large":        {`scopes: ["a.example.com:65536"]`, "spec.scopes[0]", "a port is at most 65535"},
		"long scope":            {`scopes: ["a.example.com/` + strings.Repeat("a", 500) + `"]`, "spec.scopes[0]", "Too long"},

		"lookaside by http":         {`lookaside: http://a.example.com`, "spec", "an http URL needs insecure: true"},
		"lookaside by file":         {`{lookaside: "file:///var/lib", insecure: true}`, "spec.lookaside", badStore},
		"lookaside in a directory":  {`{lookaside: /var/lib, insecure: true}`, "spec.lookaside", badStore},
		"lookaside with a user":     {`lookaside: "https://user:password@a.example.com"`, "spec.lookaside", badStore},
		"lookaside with a query":    {`lookaside: "https://a.example.com/?a=b"`, "spec.lookaside", badStore},
		"lookaside with a fragment": {`lookaside: "https://a.example.com/#a"`, "spec.lookaside", badStore},
		"lookaside without a host":  {`lookaside: "https:///a"`, "spec.lookaside", badStore},
		"lookaside, white space":    {`lookaside: "https://a.example.com/a b"`, "spec.lookaside", badStore},
		"empty lookaside":           {`lookaside: ""`, "spec spec.lookaside", "should be at least 1 chars long"},
		"long lookaside":            {`lookaside: "https://a.example.com/` + strings.Repeat("a", 500) + `"`, "spec.lookaside", "Too long"},

		"unknown extension":   {`signatureExtension: Always`, "spec.signatureExtension", "Unsupported value"},
		"unknown attachments": {`attachments: "no"`, "spec.attachments", "Unsupported value"},

		"secret without name":    {`credentials: {secretRef: {}}`, "spec.credentials.secretRef.name", "Required value"},
		"credentials, no secret": {`credentials: {}`, "spec.credentials.secretRef", "Required value"},
		"authorities, no name":   {`certificateAuthorities: {configMapRef: {name: ""}}`, "spec.certificateAuthorities.configMapRef.name", "should be at least 1 chars long"},

		"mirror with a scheme": {`mirrors: ["https://a.example.com"]`, "spec.mirrors[0]", badMirror},
		"mirror of one label":  {`mirrors: [mirror]`, "spec.mirrors[0]", badMirror},
		"mirror with a tag":    {`mirrors: ["a.example.com/b:v1"]`, "spec.mirrors[0]", badMirror},
		"too many mirrors":     {`mirrors: [` + numbered("n%d.example.com,", 9) + `]`, "spec.mirrors", "must have at most 8 items"},
		"mirror of a wildcard": {`{scopes: ["*.example.com"], mirrors: [a.example.com]}`, "spec", "a wildcard has none"},
		"never, no mirrors":    {`mirrorSourcePolicy: NeverContactSource`, "spec", "NeverContactSource needs mirrors"},
		"unknown policy":       {`mirrorSourcePolicy: Never`, "spec.mirrorSourcePolicy", "Unsupported value"},

		"host with a path":   {`allowedHosts: ["a.example.com/b"]`, "spec.allowedHosts[0]", badHost},
		"host with a scheme": {`allowedHosts: ["https://a.example.com"]`, "spec.allowedHosts[0]", badHost},
		"too many hosts":     {`allowedHosts: [` + numbered("n%d.example.com,", 17) + `]`, "spec.allowedHosts", "must have at most 16 items"},
		"no requests":        {`requestsPerSecond: 0`, "spec.requestsPerSecond", "should be greater than or equal to 1"},
		"too many requests":  {`requestsPerSecond: 1001`, "spec.requestsPerSecond", "should be less than or equal to 1000"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := dryCreate(t, registryConfigResource, registryConfig(t, tt.edit))
			refusedFor(t, err, strings.Fields(tt.field), tt.message)
		})
	}
}

func TestValidRegistryConfigs(t *testing.T) {
	defaults := map[string]any{
		"scopes": []any{"registry.example.com/team"}, "signatureExtension": "Auto", "attachments": "Auto",
		"mirrorSourcePolicy": "AllowContactingSource", "requestsPerSecond": int64(10),
	}
	for name, edit := range map[string]string{
		"as short as can be": `{}`,
		"scopes":             `scopes: [localhost, "localhost:5000/a", "10.0.0.1:5000", "[fd00::1]:5000/a", "*.example.com", "*.example.com:5000", docker.io/library]`,
		"lookaside":          `lookaside: https://access.redhat.com/webassets/docker/content/sigstore`,
		"lookaside, slash":   `lookaside: https://a.example.com:8443/store/`,
		"lookaside by http":  `{lookaside: "http://a.example.com:8080/store", insecure: true}`,
		"lookaside alone":    `{lookaside: "https://signatures.example.com", mirrorSourcePolicy: NeverContactSource}`,
		"mirrors":            `{mirrors: ["mirror.example.com:5000/team", "localhost:5000"], mirrorSourcePolicy: NeverContactSource}`,
		"hosts":              `allowedHosts: [auth.example.com, "auth.example.com:8443", "10.0.0.1", "[fd00::1]:443", auth]`,
		"all of the rest":    `{signatureExtension: Never, attachments: Never, credentials: {secretRef: {name: pull}}, certificateAuthorities: {configMapRef: {name: ca}}, requestsPerSecond: 1000}`,
	} {
		t.Run(name, func(t *testing.T) {
			created, err := dryCreate(t, registryConfigResource, registryConfig(t, edit))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{}
			for name, value := range defaults {
				want[name] = value
			}
			for name, value := range object(t, edit) {
				want[name] = value
			}
			if diff := cmp.Diff(want, created.Object["spec"], numbers); diff != "" {
				t.Errorf("spec (-want +created):\n%s", diff)
			}
		})
	}
}

// numbers compares integers of any type.
var numbers = cmp.FilterValues(func(a, b any) bool { return isNumber(a) && isNumber(b) }, cmp.Comparer(func(a, b any) bool {
	return asInt(a) == asInt(b)
}))

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64:
		return true
	}
	return false
}

func asInt(v any) int64 {
	if f, ok := v.(float64); ok {
		return int64(f)
	}
	n, _ := v.(int64)
	return n
}
