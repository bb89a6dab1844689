// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cosign

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// TestImport deploys images that cosign has signed in a registry. Without another hand, the manager makes an Image,
// fetches the signature and verifies it, and the API server admits the Pod, which it refused before.
func TestImport(t *testing.T) {
	root, err := manager.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plane := startCluster(t, root, newImage(t), "--registry-allowed-addresses=127.0.0.0/8")
	if err := plane.ControllerManager.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n, name := range slices.Sorted(maps.Keys(signers)) {
		t.Run(name, func(t *testing.T) {
			i, signer := newImage(t), signers[name]
			i.must(t, signer.program, "generate-key-pair")
			unnamed := "Reject"
			if signer.bundle {
				unnamed = "Accept"
			}
			kubectl(t, i.objects(t, n, unnamed), "apply", "-f", "-")
			i.awaitRefusal(t)
			sign := append([]string{"sign", "--yes", "--key", "cosign.key", "--tlog-upload=false"}, signer.flags...)
			i.must(t, signer.program, append(sign, i.digest.String())...)

			app := fmt.Sprintf("app-%d", n)
			kubectl(t, "", "create", "deployment", app, "--image", i.digest.String())
			fixture.Eventually(t, "the Pod of the Deployment", func(context.Context) (bool, string) {
				pods := kubectl(t, "", "get", "pods", "-l", "app="+app, "-o", "jsonpath={.items[*].spec.containers[*].image}")
				return pods == i.digest.String(), pods
			})
			image := "image/" + i.name()
			kubectl(t, "", "wait", "--for=condition=Verified", image, "--timeout=180s")
			count := kubectl(t, "", "get", image, "-o", "jsonpath={.signatures[*].type}")
			if count != "sigstore" {
				t.Errorf("the signatures of the Image are of the types %q, want one of sigstore", count)
			}
		})
	}
}

// awaitRefusal waits until the API server refuses Pods with the image, which is a moment after there is a TrustPolicy
// for it.
func (i *image) awaitRefusal(t *testing.T) {
	t.Helper()
	fixture.Eventually(t, "a Pod to be refused", func(ctx context.Context) (bool, string) {
		output, err := exec.CommandContext(ctx, "kubectl", "run", "tried", "--dry-run=server", "--image", i.digest.String()).CombinedOutput()
		return err != nil && strings.Contains(string(output), "is not verified"), string(output)
	})
}

// name of the Image.
func (i *image) name() string { return strings.Replace(i.digest.DigestStr(), ":", "-", 1) }

// objects are what it takes to find the signatures of the image, and to trust them.
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
  unnamedSignatures: %[4]s
---
apiVersion: assay.dev/v1alpha1
kind: RegistryConfig
metadata:
  name: registry-%[1]d
spec:
  scopes: [%[2]q]
  insecure: true
`, n, i.tag.RegistryStr(), key, unnamed)
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
