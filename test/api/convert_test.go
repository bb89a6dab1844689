// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/policyconvert"
)

// converted has every identity that containers-policy.json(5) knows, and the forms of scopes.
const converted = `{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{
"registry.example.com/a/app:v1":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k/release.asc"}],
"registry.example.com/b":[{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/k/a.asc","/k/b.asc"],"signedIdentity":{"type":"matchExact"}},
  {"type":"signedBy","keyType":"GPGKeys","keyData":"aGVsbG8=","signedIdentity":{"type":"matchRepository"}}],
"registry.example.com:5000":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k/c.asc","signedIdentity":{"type":"exactReference","dockerReference":"vendor.example.com/app:v1"}}],
"*.example.net":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k/d.asc","signedIdentity":{"type":"exactRepository","dockerRepository":"vendor.example.com/app"}}],
"docker.io/library/busybox":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k/e.asc","signedIdentity":{"type":"remapIdentity","prefix":"docker.io","signedPrefix":"vendor.example.com"}}]}}}`

// TestConvertedPolicies creates what `assay policy convert` makes.
func TestConvertedPolicies(t *testing.T) {
	converter := policyconvert.New(policyconvert.Options{Namespace: "assay-system", Enforcement: assayv1alpha1.EnforcementWarn})
	if err := converter.Add("policy.json", []byte(converted)); err != nil {
		t.Fatal(err)
	}
	policies, notes := converter.Result()
	const want = 6 // One scope has two requirements.
	if len(policies) != want {
		t.Errorf("%d TrustPolicies, want %d; notes: %v", len(policies), want, notes)
	}
	scheme := runtime.NewScheme()
	if err := assayv1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(admin, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for i := range policies {
		err := c.Create(t.Context(), &policies[i], client.DryRunAll)
		if err != nil {
			t.Errorf("%v: %v", policies[i].Spec.Scopes, err)
		}
	}
}
