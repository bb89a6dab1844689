// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lint checks the schemas in config/crd/bases against the rules that this project
// has for its API. It needs no server.
package lint

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const bases = "../../../config/crd/bases"

// exceptions says for each rule which paths it does not hold for, and why.
var exceptions = map[string]map[string]string{
	"list without maxItems": {
		"Image.dockerImageLayers":                "OpenShift's field, bounded by the size of an object",
		"Image.dockerImageManifests":             "OpenShift's field, bounded by the size of an object",
		"Image.dockerImageSignatures":            "OpenShift's field, bounded by the size of an object",
		"Image.signatures[].conditions":          "OpenShift's field; a map by type",
		"Image.signatures[].metadata.finalizers": "OpenShift's field, which Assay does not read",
	},
	"text without maxLength": {
		"Image.dockerImageConfig":                     "OpenShift's field: a document",
		"Image.dockerImageManifest":                   "OpenShift's field: a document",
		"Image.dockerImageManifestMediaType":          "OpenShift's field",
		"Image.dockerImageMetadataVersion":            "OpenShift's field",
		"Image.dockerImageLayers[].mediaType":         "OpenShift's field",
		"Image.dockerImageLayers[].name":              "OpenShift's field",
		"Image.dockerImageManifests[].architecture":   "OpenShift's field",
		"Image.dockerImageManifests[].digest":         "OpenShift's field",
		"Image.dockerImageManifests[].mediaType":      "OpenShift's field",
		"Image.dockerImageManifests[].os":             "OpenShift's field",
		"Image.dockerImageManifests[].variant":        "OpenShift's field",
		"Image.dockerImageSignatures[]":               "OpenShift's field",
		"Image.signatures[].apiVersion":               "OpenShift's field, which Assay does not read",
		"Image.signatures[].kind":                     "OpenShift's field, which Assay does not read",
		"Image.signatures[].metadata.name":            "OpenShift's field",
		"Image.signatures[].metadata.generateName":    "OpenShift's field, which Assay does not read",
		"Image.signatures[].metadata.namespace":       "OpenShift's field, which Assay does not read",
		"Image.signatures[].metadata.uid":             "OpenShift's field, which Assay does not read",
		"Image.signatures[].metadata.resourceVersion": "OpenShift's field, which Assay does not read",
		"Image.signatures[].metadata.finalizers[]":    "OpenShift's field, which Assay does not read",
		"Image.signatures[].metadata.annotations.*":   "OpenShift's field, which Assay does not read",
		"Image.signatures[].metadata.labels.*":        "OpenShift's field, which Assay does not read",
		"Image.signatures[].type":                     "OpenShift's field",
		"Image.signatures[].content":                  "OpenShift's field; the verifier has a limit of its own",
		"Image.signatures[].conditions[].type":        "OpenShift's field",
		"Image.signatures[].conditions[].reason":      "OpenShift's field",
		"Image.signatures[].conditions[].message":     "OpenShift's field",
		"Image.signatures[].imageIdentity":            "OpenShift's field",
		"Image.signatures[].signedClaims.*":           "OpenShift's field",
		"Image.signatures[].issuedBy.commonName":      "OpenShift's field",
		"Image.signatures[].issuedBy.organization":    "OpenShift's field",
		"Image.signatures[].issuedTo.commonName":      "OpenShift's field",
		"Image.signatures[].issuedTo.organization":    "OpenShift's field",
		"Image.signatures[].issuedTo.publicKeyID":     "OpenShift's field",
	},
	"time without pattern": {
		"Image.status.conditions[].lastTransitionTime":          "the standard condition; only its controller writes it",
		"TrustPolicy.status.conditions[].lastTransitionTime":    "the standard condition; only its controller writes it",
		"RegistryConfig.status.conditions[].lastTransitionTime": "the standard condition; only its controller writes it",
	},
	"unknown fields kept": {
		"Image.dockerImageMetadata": "free in form by definition",
	},
}

func TestSchemas(t *testing.T) {
	l := &linter{t: t, excused: map[string]bool{}}
	for _, crd := range definitions(t) {
		for _, version := range crd.Spec.Versions {
			root := version.Schema.OpenAPIV3Schema
			for _, name := range []string{"apiVersion", "kind", "metadata"} {
				delete(root.Properties, name)
			}
			l.schema(crd.Spec.Names.Kind, root)
		}
	}
	for rule, paths := range exceptions {
		for _, path := range slices.Sorted(maps.Keys(paths)) {
			if !l.excused[rule+" "+path] {
				t.Errorf("the exception of %s from %q is not needed", path, rule)
			}
		}
	}
}

// definitions reads the CRDs, of which there are two.
func definitions(t *testing.T) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(bases, "*.yaml"))
	if err != nil || len(paths) != 3 {
		t.Fatalf("%d CRDs in %s, %v, want 3", len(paths), bases, err)
	}
	out := make([]apiextensionsv1.CustomResourceDefinition, len(paths))
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(data, &out[i]); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return out
}

// linter walks schemas and reports what breaks a rule.
type linter struct {
	t       *testing.T
	excused map[string]bool
}

// broken reports a rule that does not hold at path.
func (l *linter) broken(rule, path string) {
	if _, ok := exceptions[rule][path]; ok {
		l.excused[rule+" "+path] = true
		return
	}
	l.t.Errorf("%s: %s", path, rule)
}

func (l *linter) schema(path string, s *apiextensionsv1.JSONSchemaProps) {
	if s.Nullable {
		l.broken("nullable", path)
	}
	if s.XPreserveUnknownFields != nil || s.XEmbeddedResource {
		l.broken("unknown fields kept", path)
	}
	switch s.Type {
	case "string":
		l.text(path, s)
	case "array":
		l.list(path, s)
	case "object":
		l.object(path, s)
	case "":
		l.broken("no type", path)
	}
}

func (l *linter) text(path string, s *apiextensionsv1.JSONSchemaProps) {
	switch {
	case s.Format == "date-time":
		if s.Pattern == "" {
			l.broken("time without pattern", path)
		}
	case s.MaxLength == nil && len(s.Enum) == 0:
		l.broken("text without maxLength", path)
	}
}

func (l *linter) list(path string, s *apiextensionsv1.JSONSchemaProps) {
	if s.MaxItems == nil {
		l.broken("list without maxItems", path)
	}
	if s.XListType == nil {
		l.broken("list without x-kubernetes-list-type", path)
	} else if (*s.XListType == "map") != (len(s.XListMapKeys) > 0) {
		l.broken("list of type map without keys", path)
	}
	l.schema(path+"[]", s.Items.Schema)
}

func (l *linter) object(path string, s *apiextensionsv1.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		if !strings.HasPrefix(property.Description, name) {
			l.broken("description that does not begin with the field's name", path+"."+name)
		}
		l.schema(path+"."+name, &property)
	}
	if s.AdditionalProperties != nil {
		l.schema(path+".*", s.AdditionalProperties.Schema)
	}
}
