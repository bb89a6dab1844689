// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cosign

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// documentPath is the document whose commands are run.
const documentPath = "docs/from-cosign.md"

// section is what stands below a heading, as one script.
type section struct{ heading, script string }

// sections returns the commands of a document, in its order.
func sections(t *testing.T, root string) []section {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, documentPath))
	if err != nil {
		t.Fatal(err)
	}
	var all []section
	inside := false
	for line := range strings.Lines(string(text)) {
		switch heading, ok := strings.CutPrefix(line, "## "); {
		case ok && !inside:
			all = append(all, section{heading: strings.TrimSpace(heading)})
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```sh"
		case inside:
			all[len(all)-1].script += line
		}
	}
	return all
}

// TestDocument runs the commands of the document, those of a section with the cosign that its heading names, against
// an API server and a manager.
func TestDocument(t *testing.T) {
	root, err := manager.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := newImage(t)
	startCluster(t, root, i)
	ran := 0
	script := "set -eu\n"
	for _, s := range sections(t, root) {
		if s.script == "" {
			continue
		}
		program, ok := map[string]string{"With cosign 3": "cosign3", "With cosign 2": "cosign2"}[s.heading]
		if !ok {
			t.Fatalf("the commands of section %q are for no cosign", s.heading)
		}
		script += "cosign() { " + program + ` "$@"; }` + "\n" + s.script
		ran++
	}
	if ran != 2 {
		t.Fatalf("%d sections have commands", ran)
	}
	script = strings.ReplaceAll(script, "registry.example.com", i.tag.RegistryStr())
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = i.folder
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, output)
	}
}

// TestRootJob expects cosign to know the flags with which the sample fetches a trusted root.
func TestRootJob(t *testing.T) {
	root, err := manager.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "config", "samples-sigstore", "cronjob.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var job batchv1.CronJob
	if err := yaml.UnmarshalStrict(text, &job); err != nil {
		t.Fatal(err)
	}
	containers := job.Spec.JobTemplate.Spec.Template.Spec.InitContainers
	if len(containers) != 1 {
		t.Fatalf("%d init containers", len(containers))
	}
	newImage(t).must(t, "cosign3", append(containers[0].Args, "--help")...)
}

// startCluster starts an API server with Assay's configuration, in mode enforce, and a manager with the permissions of
// its service account and further flags. The programs of the image are found before all others.
func startCluster(t *testing.T, root string, i *image, args ...string) *controlplane.ControlPlane {
	t.Helper()
	kubernetes, err := assets.Locate(assets.DefaultVersion)
	if err != nil {
		t.Fatal(err)
	}
	plane, err := controlplane.Start(context.WithoutCancel(t.Context()), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	bin := filepath.Join(i.folder, "bin")
	t.Setenv("PATH", strings.Join([]string{bin, kubernetes, os.Getenv("PATH")}, string(filepath.ListSeparator)))
	t.Setenv("KUBECONFIG", plane.Kubeconfig())
	for _, command := range [][]string{
		{"apply", "--server-side", "-k", filepath.Join(root, "test", "admission", "testdata", "enforce")},
		{"wait", "--for=condition=Established", "--all", "crd", "--timeout=60s"},
	} {
		kubectl(t, "", command...)
	}
	kubeconfig, err := plane.KubeconfigFor(t.Context(), manager.Namespace, manager.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	fixture.StartManager(t, filepath.Join(bin, "assay"), kubeconfig, args...)
	return plane
}
