// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/api/meta"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/registry"
)

// keychain has one credential, or an error.
type keychain struct {
	credential registry.Credential
	err        error
	asked      []string
}

func (k *keychain) Credential(_ context.Context, named reference.Named) (registry.Credential, bool, error) {
	k.asked = append(k.asked, named.Name())
	return k.credential, k.err == nil, k.err
}

// TestImportKeychain checks that an image without a credential in a Secret is read with that of the
// keychain, and that a keychain that fails is the reason only where the registry asks for one.
func TestImportKeychain(t *testing.T) {
	broken := &registry.Error{Code: registry.Unauthorized, Host: "registry.example.com", Detail: "has no credential: the credential provider cloud ended with exit status 1"}
	for name, tt := range map[string]struct {
		keychain *keychain
		private  bool
		reason   string
		message  string
	}{
		"a-credential":        {&keychain{credential: registry.Credential{Username: "cloud", Password: "canary"}}, true, assayv1alpha1.ReasonImported, ""},
		"none":                {&keychain{err: broken}, true, assayv1alpha1.ReasonUnauthorized, "the credential provider cloud ended with exit status 1"},
		"none-and-not-needed": {&keychain{err: broken}, false, assayv1alpha1.ReasonImported, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, s := importByHand(t)
			if tt.private {
				s.set("/v2/"+f.name+"/manifests/"+strings.TrimPrefix(f.get().DockerImageReference, s.repository()+"@"), func(w http.ResponseWriter, r *http.Request) {
					if user, password, _ := r.BasicAuth(); user != "cloud" || password != "canary" {
						w.Header().Set("Www-Authenticate", `Basic realm="x"`)
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					w.Header().Set("Content-Type", ociManifest)
					_, _ = w.Write([]byte(testManifest))
				})
			}
			i := (&writeHooks{}).importer(f, testNow)
			i.Planner.Configs.Keychain = tt.keychain
			if _, err := i.fetch(); err != nil {
				t.Fatal(err)
			}
			image := f.get()
			c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
			if c == nil || c.Reason != tt.reason || !strings.Contains(c.Message, tt.message) || strings.Contains(c.Message, "canary") {
				t.Errorf("condition %+v; want %s and %q", c, tt.reason, tt.message)
			}
			if len(tt.keychain.asked) != 1 || tt.keychain.asked[0] != s.repository() {
				t.Errorf("asked for %q", tt.keychain.asked)
			}
			// What the store has is used all the same.
			if len(image.Signatures) != 1 {
				t.Errorf("%d signatures", len(image.Signatures))
			}
		})
	}
}
