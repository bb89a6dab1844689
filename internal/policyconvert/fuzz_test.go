// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/policyconvert"
)

// FuzzConvert checks that what comes out of any file is what the API accepts, has names of its own, and is the same
// the next time; and that a file which is refused leaves nothing behind.
func FuzzConvert(f *testing.F) {
	f.Add([]byte(docker("*.example.com", signedBy("/keys/alice.gpg", ""))))
	f.Add([]byte(docker("Registry.Example.com:5000/app", signedBy("/keys/none.asc", `,"signedIdentity":{"type":"matchExact"}`))))
	f.Add([]byte(`{"default":[{"type":"reject"}],"transports":{"docker":{"":[{"type":"reject"}],"a.example":[{"type":"insecureAcceptAnything"}]}}}`))
	f.Add([]byte(clusterImagePolicy("ClusterImagePolicy", "name: team", "PublicKey", "matchPolicy: MatchRepository")))
	f.Add([]byte(sigstoreSigned(`"fulcio":{"caPath":"/keys/ca.pem","oidcIssuer":"https://a.example","subjectEmail":"a@b.example"},"rekorPublicKeyPath":"/k"`)))
	f.Add([]byte(controller("a", "a.example/**", withKey(staticKey)) + controller("b", "a.example/team/*", exactly)))
	f.Add([]byte(kyverno(attestors("{count: 2, entries: [{keys: {publicKeys: $KEY}}, {keyless: {issuer: 'https://a', subject: 'https://b/c*'}}]}"))))
	f.Add([]byte(aliasBomb()))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := policyconvert.New(options())
		err := c.Add("file", data)
		policies, notes := c.Result()
		if err != nil {
			if len(policies)+len(notes) > 0 {
				t.Fatalf("refused with %v, and converted", err)
			}
			return
		}
		names := map[string]bool{}
		for i := range policies {
			p := &policies[i]
			if names[p.Name] || p.Name == "" || len(p.Name) > 253 {
				t.Errorf("name %q", p.Name)
			}
			names[p.Name] = true
			if len(p.Spec.Scopes) == 0 || len(p.Spec.Scopes) > 256 || len(p.Spec.Keys)+len(p.Spec.Signers) == 0 || len(p.Spec.Keys) > 64 || len(p.Spec.Signers) > 64 {
				t.Errorf("%s: %d scopes and %d keys", p.Name, len(p.Spec.Scopes), len(p.Spec.Keys))
			}
			for _, text := range p.Spec.Scopes {
				if scope, err := imageref.ParseScope(string(text)); err != nil || scope.String() != string(text) {
					t.Errorf("scope %q: %v", text, err)
				}
			}
			for _, key := range p.Spec.Keys {
				if len(key.Name) > 63 || (key.Inline == "") == (key.SecretRef == nil) {
					t.Errorf("key %+v", key)
				}
			}
			for _, signer := range p.Spec.Signers {
				if len(signer.Name) > 63 || (signer.Fulcio == nil) == (signer.PKI == nil) {
					t.Errorf("signer %+v", signer)
				}
				if f := signer.Fulcio; f != nil && (f.OIDCIssuer == "" || f.Subject == (assayv1alpha1.FulcioSubject{}) || f.Subject.URIPrefix != "") {
					t.Errorf("signer %+v", f)
				}
			}
			matcher(t, p.Spec.SignedIdentity)
		}
		again := policyconvert.New(options())
		if err := again.Add("file", data); err != nil {
			t.Fatal(err)
		}
		samePolicies, sameNotes := again.Result()
		if diff := cmp.Diff(policies, samePolicies) + cmp.Diff(notes, sameNotes); diff != "" {
			t.Errorf("a second time (-first +second):\n%s", diff)
		}
	})
}
