// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/controlplane"
	"github.com/assay-project/assay/internal/kustomize"
	"github.com/assay-project/assay/internal/operator"
)

// etcdQuota lets etcd keep every version of every image until it is compacted, which an API
// server has it do every five minutes. By default etcd refuses writes at 2 GiB.
const etcdQuota = "--quota-backend-bytes=8589934592"

// cluster is a control plane with config/default on it, and the program.
type cluster struct {
	client.WithWatch

	dir        string
	cp         *controlplane.ControlPlane
	kubeconfig string // Of the manager's service account.
}

func newCluster(ctx context.Context) (c *cluster, err error) {
	dir, err := os.MkdirTemp("", "assay-scale-")
	if err != nil {
		return nil, err
	}
	c = &cluster{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	root, err := operator.Root(ctx)
	if err != nil {
		return nil, err
	}
	if err := operator.Build(ctx, root, c.program()); err != nil {
		return nil, err
	}
	if c.cp, err = controlplane.Start(ctx, controlplane.Options{EtcdArgs: []string{etcdQuota}}); err != nil {
		return nil, err
	}
	return c, c.install(ctx, root)
}

func (c *cluster) install(ctx context.Context, root string) error {
	applier, err := kustomize.NewApplier(c.cp.Config(), "bench")
	if err != nil {
		return err
	}
	objects, err := kustomize.Build(filepath.Join(root, "config", "default"))
	if err != nil {
		return err
	}
	if err := applier.Apply(ctx, objects); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), imagev1.AddToScheme(scheme), assayv1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if c.WithWatch, err = client.NewWithWatch(c.cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	c.kubeconfig, err = c.cp.KubeconfigFor(ctx, operator.Namespace, operator.ServiceAccount)
	return err
}

func (c *cluster) program() string { return filepath.Join(c.dir, "assay") }

func (c *cluster) close() error {
	var err error
	if c.cp != nil {
		err = c.cp.Stop()
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}
