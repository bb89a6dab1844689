// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster runs the environment of the benchmarks: a control plane with the operator's
// configuration, installed as by an administrator, and the operator.
package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/testenv"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/test/kustomize"
)

// Cluster is a control plane with an installed kustomization of the repository, and the program.
type Cluster struct {
	client.WithWatch
	*controlplane.ControlPlane

	dir        string
	kubeconfig string // Of the manager's service account.
}

// New starts a control plane and applies the kustomization in a directory of the repository.
func New(ctx context.Context, kustomization string, o controlplane.Options) (c *Cluster, err error) {
	log.SetLogger(logr.Discard()) // The client library returns its problems as errors, too.
	dir, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return nil, err
	}
	c = &Cluster{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	root, err := manager.Root(ctx)
	if err != nil {
		return nil, err
	}
	if err := manager.Build(ctx, root, c.program()); err != nil {
		return nil, err
	}
	if c.ControlPlane, err = controlplane.Start(ctx, o); err != nil {
		return nil, err
	}
	return c, c.install(ctx, filepath.Join(root, kustomization))
}

func (c *Cluster) install(ctx context.Context, dir string) (err error) {
	if _, err = kustomize.Install(ctx, c.Config(), dir); err != nil {
		return err
	}
	if c.WithWatch, err = testenv.NewClient(c.Config()); err != nil {
		return err
	}
	c.kubeconfig, err = c.KubeconfigFor(ctx, manager.Namespace, manager.ServiceAccount)
	return err
}

func (c *Cluster) program() string { return filepath.Join(c.dir, "assay") }

// Close stops the control plane and removes all files.
func (c *Cluster) Close() error {
	var err error
	if c.ControlPlane != nil {
		err = c.ControlPlane.Stop()
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}

// StartManager runs the manager with additional flags.
func (c *Cluster) StartManager(args ...string) (*manager.Manager, error) {
	return manager.Start(manager.Options{
		Program: c.program(), Kubeconfig: c.kubeconfig, LogFile: filepath.Join(c.dir, "manager.log"), Args: args,
	})
}
