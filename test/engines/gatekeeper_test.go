// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engines tests the samples for other admission engines. It is a separate module: Assay
// does not need them.
package engines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"sigs.k8s.io/yaml"
)

const samples = "../../config/samples-engines/"

// load reads the only object of a file.
func load(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(samples + file)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return object
}

func TestSyntax(t *testing.T) {
	files, err := filepath.Glob(samples + "*/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %q, %v", files, err)
	}
	for _, file := range files {
		object := load(t, strings.TrimPrefix(file, samples))
		if object["kind"] == nil || object["apiVersion"] == nil {
			t.Errorf("%s is no object", file)
		}
	}
}

const (
	verified   = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	unverified = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	// changed is of an Image that was verified under another reference.
	changed = "sha256:4444444444444444444444444444444444444444444444444444444444444444"
)

// image returns an Image of generation 2, with a verdict on a generation.
func image(reference, status string, observed int) map[string]any {
	return map[string]any{
		"metadata":             map[string]any{"generation": 2},
		"dockerImageReference": reference,
		"status":               map[string]any{"conditions": []any{map[string]any{"type": "Verified", "status": status, "observedGeneration": observed}}},
	}
}

// inventory is Gatekeeper's inventory of the Images.
var inventory = map[string]any{"inventory": map[string]any{"cluster": map[string]any{"image.openshift.io/v1": map[string]any{
	"Image": map[string]any{
		strings.ReplaceAll(verified, ":", "-"):   image("registry.example.com:5000/shop/app:v1", "True", 2),
		strings.ReplaceAll(unverified, ":", "-"): image("registry.example.com:5000/shop/app:v2", "False", 2),
		strings.ReplaceAll(changed, ":", "-"):    image("registry.example.com:5000/shop/app:v3", "True", 1),
	},
}}}}

// TestGatekeeper evaluates the template as Gatekeeper does, in Rego v0.
func TestGatekeeper(t *testing.T) {
	targets := load(t, "gatekeeper/template.yaml")["spec"].(map[string]any)["targets"].([]any)
	module := targets[0].(map[string]any)["rego"].(string)
	query, err := rego.New(rego.Query("data.assayverifiedimages.violation"), rego.Module("template.rego", module), rego.SetRegoVersion(ast.RegoV0),
		rego.Store(inmem.NewFromObject(inventory))).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const name = "registry.example.com:5000/shop/app"
	tests := map[string]struct {
		image   string
		refused bool
	}{
		"verified":             {name + "@" + verified, false},
		"verified, with a tag": {name + ":v9@" + verified, false},
		"not verified":         {name + "@" + unverified, true},
		"changed since":        {name + "@" + changed, true},
		"no Image":             {name + "@sha256:" + strings.Repeat("3", 64), true},
		"another repository":   {"registry.example.com:5000/shop/other@" + verified, true},
		"tag":                  {name + ":v1", true},
		"digest cut short":     {name + "@sha256:1111", true},
	}
	places := map[string]func(string) map[string]any{
		"container": func(i string) map[string]any { return map[string]any{"containers": []any{map[string]any{"image": i}}} },
		"init container": func(i string) map[string]any {
			return map[string]any{"initContainers": []any{map[string]any{"image": i}}}
		},
		"ephemeral container": func(i string) map[string]any {
			return map[string]any{"ephemeralContainers": []any{map[string]any{"image": i}}}
		},
		"volume": func(i string) map[string]any {
			return map[string]any{"volumes": []any{map[string]any{"emptyDir": map[string]any{}}, map[string]any{"image": map[string]any{"reference": i}}}}
		},
	}
	for title, tc := range tests {
		for place, spec := range places {
			t.Run(title+" in "+place, func(t *testing.T) {
				input := map[string]any{"review": map[string]any{"object": map[string]any{"spec": spec(tc.image)}}}
				results, err := query.Eval(t.Context(), rego.EvalInput(input))
				if err != nil {
					t.Fatal(err)
				}
				violations := results[0].Expressions[0].Value.([]any)
				if got := len(violations) > 0; got != tc.refused {
					t.Errorf("refused is %v, want %v: %v", got, tc.refused, violations)
				}
			})
		}
	}
}
