// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

var (
	imageResource  = schema.GroupVersionResource{Group: "image.openshift.io", Version: "v1", Resource: "images"}
	policyResource = schema.GroupVersionResource{Group: "assay.dev", Version: "v1alpha1", Resource: "trustpolicies"}
)

// object parses YAML and fails the test if it cannot.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return out
}

// dryCreate lets the server validate an object without storing it.
func dryCreate(t *testing.T, resource schema.GroupVersionResource, o map[string]any) (*unstructured.Unstructured, error) {
	t.Helper()
	c, err := dynamic.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	return c.Resource(resource).Create(t.Context(), &unstructured.Unstructured{Object: o}, metav1.CreateOptions{
		DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
	})
}

// refusedFor fails the test unless the server refused an object for exactly these fields
// and one of the messages says what is wanted.
func refusedFor(t *testing.T, err error, fields []string, message string) {
	t.Helper()
	if !apierrors.IsInvalid(err) {
		t.Fatalf("create: %v, want Invalid", err)
	}
	var status apierrors.APIStatus
	errors.As(err, &status)
	var got, messages []string
	for _, cause := range status.Status().Details.Causes {
		// The server says beside a missing or mistyped field that it skipped the CEL rules.
		if strings.Contains(cause.Message, "some validation rules were not checked") {
			continue
		}
		got = append(got, cause.Field)
		messages = append(messages, cause.Message)
	}
	slices.Sort(got)
	if diff := cmp.Diff(fields, slices.Compact(got)); diff != "" {
		t.Errorf("fields (-want +got):\n%s%v", diff, err)
	}
	if !slices.ContainsFunc(messages, func(m string) bool { return strings.Contains(m, message) }) {
		t.Errorf("no message has %q: %q", message, messages)
	}
}
