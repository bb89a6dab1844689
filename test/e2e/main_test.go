// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e runs the program as in a cluster, with the service account of config/rbac and the
// policies of config/admission, and compares its requests with its permissions.
package e2e

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/testenv"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/test/kustomize"
)

// enforced is config/default with the component enforce.
const enforced = "../admission/testdata/enforce"

// program is the assay command.
var program string

// shared is the cluster of all tests that do not need their own.
var shared *cluster

// cluster is a control plane with the kustomization installed.
type cluster struct {
	*controlplane.ControlPlane
	admin client.Client
	// installed are the objects of the kustomization.
	installed []*unstructured.Unstructured
	// kubeconfig authenticates as the manager's service account.
	kubeconfig string
	auditLog   string
}

// TestMain runs the tests against an API server with the kustomization installed.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{Install: kustomize.Installer(enforced), AuditLog: true, Program: true}, setupSuite)
}

func setupSuite(ctx context.Context, env *testenv.Env) (err error) {
	program = env.Program
	if shared, err = newCluster(env.ControlPlane, env.AuditLog); err != nil {
		return err
	}
	shared.installed = env.Installed
	shared.kubeconfig, err = shared.KubeconfigFor(ctx, manager.Namespace, manager.ServiceAccount)
	return err
}

func newCluster(cp *controlplane.ControlPlane, auditLog string) (*cluster, error) {
	admin, err := testenv.NewClient(cp.Config())
	if err != nil {
		return nil, err
	}
	return &cluster{ControlPlane: cp, admin: admin, auditLog: auditLog}, nil
}

// startCluster starts a control plane without Assay.
func startCluster(ctx context.Context, auditLog string) (*cluster, error) {
	cp, err := controlplane.Start(ctx, controlplane.Options{AuditLog: auditLog})
	if err != nil {
		return nil, err
	}
	c, err := newCluster(cp, auditLog)
	if err != nil {
		return nil, errors.Join(err, cp.Stop())
	}
	return c, nil
}

// ownCluster returns a cluster with the kustomization installed, for a test that fills it.
func ownCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := startCluster(context.WithoutCancel(t.Context()), filepath.Join(t.TempDir(), "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := c.install(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) install(ctx context.Context) (err error) {
	if c.installed, err = kustomize.Install(ctx, c.Config(), enforced); err != nil {
		return err
	}
	c.kubeconfig, err = c.KubeconfigFor(ctx, manager.Namespace, manager.ServiceAccount)
	return err
}
