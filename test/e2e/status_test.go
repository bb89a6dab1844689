// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/cli/summary"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// assay runs the program as a user does.
func assay(ctx context.Context, stdin string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// TestStatus reads the cluster as a user with only the viewer roles.
func TestStatus(t *testing.T) {
	s := newScenario(t, shared, "status")
	kubeconfig := s.kubeconfigFor("status-reader")
	stdout, stderr, err := assay(t.Context(), "", "status", "--kubeconfig", kubeconfig)
	if err == nil || stdout != "" || !strings.Contains(stderr, "assay-trustpolicy-viewer-role") {
		t.Errorf("without a role: %v, %q, %q", err, stdout, stderr)
	}
	for _, role := range []string{"assay-image-viewer-role", "assay-trustpolicy-viewer-role"} {
		s.create(&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "status-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: manager.Namespace, Name: "status-reader"}},
		})
	}
	// More than a page. Other tests leave Images, too.
	const waiting = 501
	for n := range waiting {
		s.create(s.image(fmt.Sprintf("waiting-%d", n)))
	}
	before := s.awaitStatus(kubeconfig, func(st *summary.Status) bool { return st.Images.Pending >= waiting })
	if got := len(before.Unverified) + before.Omitted; got != before.Images.Total-before.Images.Verified || before.Omitted == 0 {
		t.Errorf("%d images listed and %d omitted of %+v", len(before.Unverified), before.Omitted, before.Images)
	}

	watching := s.watchStatus(kubeconfig)
	if first := watching.next(); first.Images != before.Images {
		t.Errorf("watching begins with %+v, want %+v", first.Images, before.Images)
	}
	s.startManager()
	s.create(s.image("good", release), s.image("bad", stranger))
	want := assayv1alpha1.ImageCounts{Verified: 1, Failed: waiting + 1}
	for {
		now := watching.next()
		if now.Images.Total == before.Images.Total+2 && now.Images.Pending == 0 && policyCounts(now, s.name) == want {
			break
		}
	}
	watching.interrupt()

	table, _, err := assay(t.Context(), "", "status", "--kubeconfig", kubeconfig, "-o", "wide", "--limit", "600")
	for _, part := range []string{"UntrustedKey", "NoSignatures", s.name + "-bad", s.repository()} {
		if err != nil || !strings.Contains(table, part) {
			t.Errorf("error %v, and no %s in\n%.3000s", err, part, table)
		}
	}
}

// policyCounts returns the counts of a policy.
func policyCounts(st *summary.Status, name string) assayv1alpha1.ImageCounts {
	for _, p := range st.Policies {
		if p.Name == name && p.Images != nil {
			return *p.Images
		}
	}
	return assayv1alpha1.ImageCounts{}
}

// kubeconfigFor creates a service account and returns a kubeconfig file for it.
func (s *scenario) kubeconfigFor(account string) string {
	s.Helper()
	s.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: account}})
	file, err := s.KubeconfigFor(s.Context(), manager.Namespace, account)
	if err != nil {
		s.Fatal(err)
	}
	return file
}

func (s *scenario) awaitStatus(kubeconfig string, is func(*summary.Status) bool) *summary.Status {
	s.Helper()
	var st summary.Status
	s.eventually("the status", func(ctx context.Context) (bool, string) {
		stdout, stderr, err := assay(ctx, "", "status", "--kubeconfig", kubeconfig, "-o", "json")
		if err != nil {
			return false, stderr
		}
		st = summary.Status{}
		if err := json.Unmarshal([]byte(stdout), &st); err != nil {
			s.Fatalf("%v\n%s", err, stdout)
		}
		return is(&st), stdout
	})
	return &st
}

// watcher is a running `assay status --watch -o json`.
type watcher struct {
	*scenario
	cmd     *exec.Cmd
	decoder *json.Decoder
	rest    io.Reader
	stderr  bytes.Buffer
}

func (s *scenario) watchStatus(kubeconfig string) *watcher {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), fixture.Timeout)
	s.Cleanup(cancel)
	w := &watcher{scenario: s, cmd: exec.CommandContext(ctx, program, "status", "--kubeconfig", kubeconfig, "--watch", "-o", "json")}
	w.cmd.Stderr = &w.stderr
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	w.decoder, w.rest = json.NewDecoder(stdout), stdout
	if err := w.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	return w
}

func (w *watcher) next() *summary.Status {
	w.Helper()
	st := &summary.Status{}
	if err := w.decoder.Decode(st); err != nil {
		w.Fatalf("watching: %v\n%s", errors.Join(err, w.cmd.Wait()), &w.stderr)
	}
	return st
}

// interrupt ends the program as Ctrl-C does, which is not an error.
func (w *watcher) interrupt() {
	w.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGINT); err != nil {
		w.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, w.rest); err != nil {
		w.Error(err)
	}
	if err := w.cmd.Wait(); err != nil || w.stderr.Len() > 0 {
		w.Errorf("interrupted: %v\n%s", err, &w.stderr)
	}
}

// testStatusWithoutAssay queries a cluster without the CRD of Images.
func (c *cluster) testStatusWithoutAssay(t *testing.T) {
	stdout, stderr, err := assay(t.Context(), "", "status", "--kubeconfig", c.Kubeconfig())
	if err == nil || stdout != "" || !strings.Contains(stderr, "kubectl apply --server-side -k config/default") {
		t.Errorf("%v, %q, %q", err, stdout, stderr)
	}
}

// TestImageCreate applies the Image that the program creates from a signature store, and the
// operator verifies it.
func TestImageCreate(t *testing.T) {
	s := newScenario(t, shared, "create")
	s.startManager()
	image := s.image("stored", release)
	d := s.digest("stored")
	store := t.TempDir()
	folder := filepath.Join(store, fmt.Sprintf("%s@sha256=%s", s.name, d.Encoded()))
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "signature-1"), image.Signatures[0].Content, 0o600)); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := assay(t.Context(), "", "image", "create", image.DockerImageReference, "--lookaside", store, "--name", image.Name)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	made := &imagev1.Image{}
	if err := yaml.UnmarshalStrict([]byte(stdout), made); err != nil {
		t.Fatal(err)
	}
	s.create(made)
	s.awaitReason("stored", assayv1alpha1.ReasonVerified)
}
