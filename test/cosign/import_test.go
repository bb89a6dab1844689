// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cosign

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/testenv/manager"
)

// TestImport expects the manager to fetch what cosign has attached to an image in a registry, and to verify it.
func TestImport(t *testing.T) {
	root, err := manager.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	startCluster(t, root, newImage(t), "--registry-allowed-addresses=127.0.0.0/8")
	for n, name := range slices.Sorted(maps.Keys(signers)) {
		t.Run(name, func(t *testing.T) {
			i, signer := newImage(t), signers[name]
			i.must(t, signer.program, "generate-key-pair")
			sign := append([]string{"sign", "--yes", "--key", "cosign.key", "--tlog-upload=false"}, signer.flags...)
			i.must(t, signer.program, append(sign, i.digest.String())...)
			unnamed := "Reject"
			if signer.bundle {
				unnamed = "Accept"
			}
			kubectl(t, i.objects(t, n, unnamed), "apply", "-f", "-")
			image := "image/" + i.name()
			kubectl(t, "", "wait", "--for=condition=Verified", image, "--timeout=180s")
			count := kubectl(t, "", "get", image, "-o", "jsonpath={.signatures[*].type}")
			if count != "sigstore" {
				t.Errorf("the signatures of the Image are of the types %q, want one of sigstore", count)
			}
		})
	}
}

// name of the Image.
func (i *image) name() string { return strings.Replace(i.digest.DigestStr(), ":", "-", 1) }

// objects are an Image without signatures that asks for those of the registry, and what it takes to trust them.
func (i *image) objects(t *testing.T, n int, unnamed string) string {
	t.Helper()
	key, err := os.ReadFile(i.path("cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
apiVersion: assay.dev/v1alpha1
kind: TrustPolicy
metadata:
  name: registry-%[1]d
spec:
  scopes: [%[2]q]
  keys: [{name: release, inline: %[3]q}]
  signedIdentity: {matchPolicy: MatchRepository}
  unnamedSignatures: %[6]s
---
apiVersion: assay.dev/v1alpha1
kind: RegistryConfig
metadata:
  name: registry-%[1]d
spec:
  scopes: [%[2]q]
  insecure: true
---
apiVersion: image.openshift.io/v1
kind: Image
metadata:
  name: %[4]s
  annotations: {assay.dev/import: "true"}
dockerImageReference: %[5]s
`, n, i.tag.RegistryStr(), key, i.name(), i.digest, unnamed)
}

// kubectl runs kubectl and returns what it prints.
func kubectl(t *testing.T, input string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubectl", args...)
	cmd.Stdin = strings.NewReader(input)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %q: %v:\n%s", args, err, output)
	}
	return string(output)
}
