// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/internal/testenv/process"
)

// stopTimeout is how long `make run` gets to end after Ctrl-C.
const stopTimeout = time.Minute

// TestMakeRun works on the operator as kubebuilder users do: make install, make run, Ctrl-C and
// make uninstall.
func TestMakeRun(t *testing.T) {
	c := newCluster(t)
	inRoot := "make -C " + c.root + " "
	c.twice(t, inRoot+"install")
	c.wantDefinitions(t, true)
	// The second time the namespace is there.
	for range 2 {
		c.makeRun(t)
	}
	c.sh(t, inRoot+"uninstall")
	c.wantDefinitions(t, false)
	c.twice(t, inRoot+"uninstall ignore-not-found=true")
}

// wantDefinitions checks whether Assay's custom resource definitions are there.
func (c *cluster) wantDefinitions(t *testing.T, want bool) {
	t.Helper()
	out := c.sh(t, "kubectl get customresourcedefinitions -o name")
	for _, name := range []string{"images.image.openshift.io", "registryconfigs.assay.dev", "trustpolicies.assay.dev"} {
		if got := strings.Contains(out, "/"+name+"\n"); got != want {
			t.Errorf("definition %s: there %v, want %v", name, got, want)
		}
	}
}

// makeRun runs `make run` until the operator has written an allowlist, and ends it as a terminal
// does: every process of the group gets the interrupt.
func (c *cluster) makeRun(t *testing.T) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "run.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	ours, labeled := client.InNamespace(manager.Namespace), client.HasLabels{"assay.dev/allowlist"}
	if err := c.client.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, ours, labeled); err != nil {
		t.Fatal(err)
	}
	run, err := process.Start("make", []string{"-C", c.root, "run", "ARGS=--health-probe-bind-address=0"}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-run.PID(), syscall.SIGINT)
		select {
		case <-run.Exited():
		case <-time.After(stopTimeout):
			_ = syscall.Kill(-run.PID(), syscall.SIGKILL)
			t.Errorf("make run did not end within %s of an interrupt", stopTimeout)
		}
	}()
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, commandTimeout, true, func(ctx context.Context) (bool, error) {
		var shards corev1.ConfigMapList
		err := c.client.List(ctx, &shards, ours, labeled)
		return len(shards.Items) > 0, err
	})
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Errorf("waiting for the allowlist: %v\n%s", err, text)
	}
}
