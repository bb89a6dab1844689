// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e runs the program as a cluster does, with the service account that config/rbac
// makes and on everything that config/admission adds, and compares what it asked of the API
// server with what it may ask.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/kustomize"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// kustomization is config/default with the component enforce.
const kustomization = "../admission/testdata/enforce"

// program is the assay command.
var program string

// shared is the cluster of all tests but those that need one of their own.
var shared *cluster

// cluster is a control plane with the kustomization installed.
type cluster struct {
	*controlplane.ControlPlane
	admin client.Client
	// installed are the objects of the kustomization.
	installed []*unstructured.Unstructured
	// kubeconfig is that of the manager's service account.
	kubeconfig string
	auditLog   string
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	log.SetLogger(logr.Discard())
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "assay-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program = filepath.Join(dir, "assay")
	root, err := manager.Root(ctx)
	if err != nil {
		return 1, err
	}
	if err := manager.Build(ctx, root, program); err != nil {
		return 1, err
	}
	if shared, err = startCluster(ctx, filepath.Join(dir, "audit.log")); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, shared.Stop()) }()
	if err := shared.install(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// startCluster starts a control plane without anything of Assay's.
func startCluster(ctx context.Context, auditLog string) (*cluster, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), imagev1.AddToScheme(scheme), assayv1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	cp, err := controlplane.Start(ctx, controlplane.Options{AuditLog: auditLog})
	if err != nil {
		return nil, err
	}
	admin, err := client.New(cp.Config(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, errors.Join(err, cp.Stop())
	}
	return &cluster{ControlPlane: cp, admin: admin, auditLog: auditLog}, nil
}

func (c *cluster) install(ctx context.Context) error {
	applier, err := kustomize.NewApplier(c.Config(), "test")
	if err != nil {
		return err
	}
	if c.installed, err = kustomize.Build(kustomization); err != nil {
		return err
	}
	if err := applier.Apply(ctx, c.installed); err != nil {
		return err
	}
	c.kubeconfig, err = c.KubeconfigFor(ctx, manager.Namespace, manager.ServiceAccount)
	return err
}
