// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/testenv"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// settleTimeout bounds the wait until the API server acts on what was written.
const settleTimeout = time.Minute

// commandTimeout bounds one command. Those of make compile a program.
const commandTimeout = 10 * time.Minute

// cluster is an API server and a checkout of Assay, as a reader of the documents has them.
type cluster struct {
	*controlplane.ControlPlane
	client   client.Client
	warnings *warnings
	auditLog string
	// checkout is a copy of the repository. Commands run there.
	checkout string
	// root is the repository itself.
	root string
}

// newCluster starts an API server on which nothing is installed. Until the test ends, kubectl is
// the one that belongs to the API server, and talks to it.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	log.SetLogger(logr.Discard())
	programs, err := assets.Locate(assets.DefaultVersion)
	if err != nil {
		t.Fatal(err)
	}
	root, err := manager.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := &cluster{
		warnings: &warnings{}, root: root,
		auditLog: filepath.Join(dir, "audit.log"), checkout: filepath.Join(dir, "assay"),
	}
	copyCheckout(t, root, c.checkout)
	if c.ControlPlane, err = controlplane.Start(context.WithoutCancel(t.Context()), controlplane.Options{AuditLog: c.auditLog}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	config := c.Config()
	config.WarningHandler = c.warnings
	if c.client, err = testenv.NewClient(config); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("KUBECONFIG", c.Kubeconfig())
	t.Setenv("KUBECACHEDIR", filepath.Join(dir, "cache"))
	c.startControllers(t)
	return c
}

// copyCheckout copies the repository without its history and without what make builds.
func copyCheckout(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case name == ".git" || name == "bin" || name == "dist":
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// try runs a command in the checkout and returns what it printed.
func (c *cluster) try(t *testing.T, command string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = c.checkout
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sh runs a command that has to succeed, and returns what it printed.
func (c *cluster) sh(t *testing.T, command string) string {
	t.Helper()
	out, err := c.try(t, command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// twice runs commands one after the other, and then again.
func (c *cluster) twice(t *testing.T, commands ...string) {
	t.Helper()
	for range 2 {
		for _, command := range commands {
			c.sh(t, command)
		}
	}
}

// wantInstalled checks whether anything of Assay is there.
func (c *cluster) wantInstalled(t *testing.T, want bool) {
	t.Helper()
	const kinds = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts," +
		"services,deployments,poddisruptionbudgets,networkpolicies,configmaps,validatingadmissionpolicies,validatingadmissionpolicybindings," +
		"mutatingadmissionpolicies,mutatingadmissionpolicybindings"
	out := c.sh(t, "kubectl get "+kinds+" --all-namespaces -l app.kubernetes.io/part-of=assay -o name")
	if want && !strings.Contains(out, "deployment.apps/assay-controller-manager\n") {
		t.Errorf("the operator is not installed, but only\n%s", out)
	}
	if !want && out != "" {
		t.Errorf("left behind:\n%s", out)
	}
}

func waitFor(t *testing.T, what string, done func(ctx context.Context) (bool, error)) {
	t.Helper()
	err := wait.PollUntilContextTimeout(context.WithoutCancel(t.Context()), 50*time.Millisecond, settleTimeout, true, done)
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// ignoreEnd drops the error of a context that has ended.
func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// warnings collects the warnings of a client, as kubectl shows them.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader is called for each warning of a response.
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// take returns the warnings since the last call.
func (w *warnings) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := strings.Join(w.texts, "\n")
	w.texts = nil
	return texts
}
