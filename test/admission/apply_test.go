// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// imageFiles are what a pipeline has: an image's manifest and signatures, in files.
type imageFiles struct {
	dir, reference, name string
	signatures           []imagev1.ImageSignature
}

func newImageFiles(t *testing.T, repository string, signers ...string) imageFiles {
	t.Helper()
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[],"annotations":{"for":%q}}`, t.Name())
	d := digest.FromBytes(manifest)
	f := imageFiles{dir: t.TempDir(), reference: "registry.example.com/" + repository + ":v1", name: "sha256-" + d.Encoded()}
	files := map[string][]byte{"manifest.json": manifest}
	for i, signer := range signers {
		s := fixture.Signature("registry.example.com/"+repository, d, fixture.Key(signer))
		f.signatures = append(f.signatures, s)
		files[fmt.Sprint("signature-", i)] = s.Content
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(f.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// run runs assay image apply with some of the signatures.
func (f imageFiles) run(t *testing.T, signatures []int, args ...string) (output string, code int) {
	t.Helper()
	args = append([]string{"image", "apply", f.reference, "--manifest", filepath.Join(f.dir, "manifest.json"), "--kubeconfig", cp.Kubeconfig()}, args...)
	for _, i := range signatures {
		args = append(args, "--signature", filepath.Join(f.dir, fmt.Sprint("signature-", i)))
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return out.String(), exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), 0
}

func (f imageFiles) stored(t *testing.T) *imagev1.Image {
	t.Helper()
	image := &imagev1.Image{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: f.name}, image); err != nil {
		t.Fatal(err)
	}
	return image
}

func wantOutput(t *testing.T, output string, code int, want string) {
	t.Helper()
	if code != 0 || !strings.Contains(output, want) {
		t.Errorf("exit status %d, output %q, want 0 and %q", code, output, want)
	}
}

// TestImageApply makes an Image, does it again, and adds a signature after the operator has written
// a verdict and another tool owns the list.
func TestImageApply(t *testing.T) {
	f := newImageFiles(t, "apply/app", "first", "second")
	output, code := f.run(t, []int{0}, "--dry-run")
	wantOutput(t, output, code, f.name+" created (dry run)")
	output, code = f.run(t, []int{0})
	wantOutput(t, output, code, f.name+" created")
	first := f.stored(t)
	output, code = f.run(t, []int{0})
	wantOutput(t, output, code, f.name+" unchanged")
	wantSame(t, f.stored(t), first, "applied twice")

	verdict := withVerdict(first.Signatures[0])
	stateVerdicts(t, f.name, verdict)
	manifest{name: f.name, signatures: first.Signatures}.apply(t, client.ForceOwnership)
	output, code = f.run(t, []int{0, 1})
	wantOutput(t, output, code, "configured (1 signatures added)")
	second := f.stored(t)
	if len(second.Signatures) != 2 || len(second.Signatures[0].Conditions) != 2 || !bytes.Equal(second.Signatures[1].Content, f.signatures[1].Content) {
		t.Errorf("signatures %s", text(t, second.Signatures))
	}
	output, code = f.run(t, []int{1, 0})
	wantOutput(t, output, code, "unchanged")
}

// TestImageApplyTogether: several pipelines add their signatures at the same time, and none is lost.
func TestImageApplyTogether(t *testing.T) {
	f := newImageFiles(t, "together/app", "one", "two", "three", "four", "five")
	var wait sync.WaitGroup
	for i := range f.signatures {
		wait.Go(func() {
			if output, code := f.run(t, []int{i}); code != 0 {
				t.Errorf("%d: exit status %d: %s", i, code, output)
			}
		})
	}
	wait.Wait()
	if got := len(f.stored(t).Signatures); got != len(f.signatures) {
		t.Errorf("%d signatures, want %d", got, len(f.signatures))
	}
}

// TestImageApplyRefuses: what is another image is not changed.
func TestImageApplyRefuses(t *testing.T) {
	f := newImageFiles(t, "refused/app", "first")
	if output, code := f.run(t, []int{0}); code != 0 {
		t.Fatal(output)
	}
	before := f.stored(t)
	other := newImageFiles(t, "refused/other", "first")
	for about, tc := range map[string]struct {
		files imageFiles
		args  []string
		want  string
	}{
		"another repository":  {other, []string{"--name", f.name}, "it is for registry.example.com/refused/app; choose another name with --name"},
		"no cluster":          {f, []string{"--context", "none"}, `no cluster to connect to: context "none" does not exist`},
		"a name that is none": {f, []string{"--name", "A"}, "--name is not the name of an object"},
	} {
		t.Run(about, func(t *testing.T) {
			if output, code := tc.files.run(t, []int{0}, tc.args...); code != 2 || !strings.Contains(output, tc.want) {
				t.Errorf("exit status %d, output %q, want 2 and %q", code, output, tc.want)
			}
		})
	}
	wantSame(t, f.stored(t), before, "after refusals")
}

// TestSeveralImages: the output of several commands is a file of several documents.
func TestSeveralImages(t *testing.T) {
	var out bytes.Buffer
	for i := range 2 {
		f := newImageFiles(t, fmt.Sprint("several/app-", i), "first")
		cmd := exec.CommandContext(t.Context(), program, "image", "create", f.reference, "--name", fmt.Sprint("several-", i),
			"--manifest", filepath.Join(f.dir, "manifest.json"), "--signature", filepath.Join(f.dir, "signature-0"))
		cmd.Stdout = &out
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	kubectl := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"),
		"--kubeconfig", cp.Kubeconfig(), "apply", "--server-side", "-o", "json", "-f", "-")
	kubectl.Stdin = &out
	output, err := kubectl.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []imagev1.Image }
	if err := json.Unmarshal(output, &list); err != nil || len(list.Items) != 2 {
		t.Errorf("%v: %d objects from %s", err, len(list.Items), output)
	}
}
