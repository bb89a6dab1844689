// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/base64"
	"fmt"
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

// Material of sigstore: a public key, and a CA whose private key is lost.
const (
	convertedKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0yODihIfzrOUUsh4Rcz8XMhShdAA
p7YcLYIwQCzMnfRYURrYoowfH7p39rwcy4/b3gOrQCypVgEtYqsamRZevA==
-----END PUBLIC KEY-----
`
	convertedCA = `-----BEGIN CERTIFICATE-----
MIIBnTCCAUOgAwIBAgIUZZ1lQqd84LzFBHJobmoamG6TeuQwCgYIKoZIzj0EAwIw
IzEUMBIGA1UECgwLZXhhbXBsZS5jb20xCzAJBgNVBAMMAkNBMCAXDTI2MTEyODAx
NDAwMVoYDzIxMjYxMTA0MDE0MDAxWjAjMRQwEgYDVQQKDAtleGFtcGxlLmNvbTEL
MAkGA1UEAwwCQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATTI4OKEh/Os5RS
yHhFzPxcyFKF0ACnthwtgjBALMyd9FhRGtiijB8funf2vBzLj9veA6tALKlWAS1i
qxqZFl68o1MwUTAdBgNVHQ4EFgQU1vUnlqvZe+BHkjM+y93TGTlfhPQwHwYDVR0j
BBgwFoAU1vUnlqvZe+BHkjM+y93TGTlfhPQwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNIADBFAiEApnZAUvLdkv7cNxTIrCKHe3Yas4NcmnScDiQmBAkaEnUC
IBMOcvKhm3cBrd7J/lnTmRaFhuoVAcXbjRoAhkjdA6+Y
-----END CERTIFICATE-----
`
)

// convertedSigstore has every root of trust that OpenShift knows, and policies of policy-controller and Kyverno.
func convertedSigstore() string {
	key, ca := base64.StdEncoding.EncodeToString([]byte(convertedKey)), base64.StdEncoding.EncodeToString([]byte(convertedCA))
	const openShift = "---\napiVersion: config.openshift.io/v1\nkind: ClusterImagePolicy\nmetadata: {name: %s}\n" +
		"spec: {scopes: [registry.example.com/c], policy: {rootOfTrust: {policyType: %s}}}\n"
	return fmt.Sprintf(openShift, "public-key", "PublicKey, publicKey: {keyData: "+key+", rekorKeyData: "+key+"}") +
		fmt.Sprintf(openShift, "fulcio", "FulcioCAWithRekor, fulcioCAWithRekor: {fulcioCAData: "+ca+", rekorKeyData: "+key+
			", fulcioSubject: {oidcIssuer: 'https://oidc.example.com', signedEmail: a@example.com}}") +
		fmt.Sprintf(openShift, "pki", "PKI, pki: {caRootsData: "+ca+", caIntermediatesData: "+ca+
			", pkiCertificateSubject: {email: a@example.com, hostname: example.com}}") +
		fmt.Sprintf(`---
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: controller}
spec:
  images: [{glob: "registry.example.com/d/**"}, {glob: index.docker.io/library/nginx}]
  authorities:
  - {key: {data: %[1]q}}
  - {key: {secretRef: {name: release}}, ctlog: {url: 'https://rekor.example.com'}}
  - keyless: {identities: [{issuer: 'https://oidc.example.com', subject: 'https://git.example.com/o/r/.github/workflows/a.yml@refs/heads/main'}]}
  - keyless: {trustRootRef: corp, identities: [{issuer: 'https://oidc.example.com', subject: user!example.com}]}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: kyverno}
spec:
  rules:
  - name: images
    verifyImages:
    - imageReferences: ["registry.example.com/d/e/*"]
      attestors:
      - count: 2
        entries:
        - keys: {publicKeys: %[1]q, rekor: {url: x, pubkey: %[1]q}}
        - keys: {publicKeys: "k8s://kyverno/release"}
        - keyless: {issuer: 'https://oidc.example.com', subject: a@example.com, additionalExtensions: {githubWorkflowRef: refs/heads/main}}
`, convertedKey)
}

// TestConvertedPolicies creates what `assay policy convert` makes.
func TestConvertedPolicies(t *testing.T) {
	converter := policyconvert.New(policyconvert.Options{Namespace: "assay-system", Enforcement: assayv1alpha1.EnforcementWarn})
	if err := converter.Add("policy.json", []byte(converted)); err != nil {
		t.Fatal(err)
	}
	if err := converter.Add("policies.yaml", []byte(convertedSigstore())); err != nil {
		t.Fatal(err)
	}
	policies, notes := converter.Result()
	const want = 6 + 5 // One scope has two requirements.
	if len(policies) != want {
		t.Errorf("%d TrustPolicies, want %d; notes: %v", len(policies), want, notes)
	}
	c := convertedClient(t)
	for i := range policies {
		err := c.Create(t.Context(), &policies[i], client.DryRunAll)
		if err != nil {
			t.Errorf("%v: %v", policies[i].Spec.Scopes, err)
		}
	}
}

func convertedClient(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := assayv1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(admin, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestConvertedRegistries creates what `assay policy convert` makes of registries.d and registries.conf.
func TestConvertedRegistries(t *testing.T) {
	converter := policyconvert.New(policyconvert.Options{})
	if err := converter.Add("a.yaml", []byte(`docker:
  registry.example.com/a: {lookaside: https://signatures.example.com/sigstore, use-sigstore-attachments: false}
  registry.example.com:5000: {lookaside: "http://127.0.0.1:8080/"}
  "*.example.net": {sigstore: "https://[2001:db8::1]:8443/a_b/~c"}
  docker.io/library/busybox: {use-sigstore-attachments: true}
`)); err != nil {
		t.Fatal(err)
	}
	if err := converter.AddRegistriesConf("registries.conf", []byte(`
[[registry]]
location = "registry.example.com:5000"
insecure = true
[[registry]]
prefix = "registry.example.com"
location = "elsewhere.example.com/x"
[[registry.mirror]]
location = "localhost:5000"
[[registry.mirror]]
location = "mirror:5000/a__b"
[[registry.mirror]]
location = "[2001:db8::1]:5000/a"
`)); err != nil {
		t.Fatal(err)
	}
	configs, notes := converter.Registries()
	if len(configs) != 5 || len(configs[3].Spec.Mirrors)+len(configs[4].Spec.Mirrors) == 0 {
		t.Errorf("%d RegistryConfigs, want 5: %+v; notes: %v", len(configs), configs, notes)
	}
	c := convertedClient(t)
	for i := range configs {
		if err := c.Create(t.Context(), &configs[i], client.DryRunAll); err != nil {
			t.Errorf("%v: %v", configs[i].Spec, err)
		}
	}
}
