// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assay-project/assay/internal/testenv/applier"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/test/kustomize"
)

// demo is one run. close cleans up everything that it starts and creates.
type demo struct {
	out  *console
	stay bool

	root     string // root of the repository
	dir      string // for the program and its log
	cp       *controlplane.ControlPlane
	manager  *manager.Manager
	verdicts *verdicts
}

func (d *demo) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, d.close()) }()
	d.out.printf("Assay demo\n\n")
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.bringUp(ctx); err != nil {
		return err
	}
	result := d.checkVerdicts(ctx)
	if ctx.Err() != nil {
		return result
	}
	if err := d.show(ctx); err != nil {
		return errors.Join(result, err)
	}
	result = errors.Join(result, d.admit(ctx))
	if d.stay {
		d.explain()
		result = errors.Join(result, d.waitForEnd(ctx))
	}
	return result
}

// prepare finds the repository and builds the operator from it.
func (d *demo) prepare(ctx context.Context) error {
	var err error
	if d.root, err = manager.Root(ctx); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "assay-demo-"); err != nil {
		return err
	}
	return d.out.step("Building the operator", func() error {
		return manager.Build(ctx, d.root, d.program())
	})
}

func (d *demo) program() string { return filepath.Join(d.dir, "assay") }

func (d *demo) logFile() string { return filepath.Join(d.dir, "manager.log") }

// bringUp starts and installs all components.
func (d *demo) bringUp(ctx context.Context) error {
	if err := d.out.step("Starting etcd and kube-apiserver", func() error { return d.startControlPlane(ctx) }); err != nil {
		return err
	}
	if _, err := d.install(ctx, "test/demo/cluster"); err != nil {
		return err
	}
	// The Deployment stays without Pods: there is no scheduler and no node.
	if err := d.out.step("Running the operator as "+manager.Namespace+"/"+manager.ServiceAccount, func() error {
		return d.startOperator(ctx)
	}); err != nil {
		return err
	}
	samples, err := d.install(ctx, "config/samples")
	if err != nil {
		return err
	}
	d.verdicts, err = newVerdicts(d.cp.Config(), samples)
	return err
}

// startControlPlane starts the control plane. The end of ctx aborts the start, but does not stop
// the control plane later: the operator must stop first.
func (d *demo) startControlPlane(ctx context.Context) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	disarm := context.AfterFunc(ctx, cancel)
	cp, err := controlplane.Start(own, controlplane.Options{})
	if !disarm() && err == nil {
		err = errors.Join(ctx.Err(), cp.Stop())
	}
	if err != nil {
		cancel()
		return err
	}
	d.cp = cp
	return nil
}

// startOperator runs the operator with a token of its service account, so that it has the same
// permissions as in a cluster.
func (d *demo) startOperator(ctx context.Context) error {
	kubeconfig, err := d.cp.KubeconfigFor(ctx, manager.Namespace, manager.ServiceAccount)
	if err != nil {
		return err
	}
	d.manager, err = manager.Start(manager.Options{
		Program: d.program(), Kubeconfig: kubeconfig, LogFile: d.logFile(),
		// As in the Deployment.
		Args: []string{"--leader-elect"},
	})
	return err
}

// install applies a kustomization and returns its objects.
func (d *demo) install(ctx context.Context, dir string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	err := d.out.step("Applying "+dir, func() error {
		a, err := applier.New(d.cp.Config(), "assay-demo")
		if err != nil {
			return err
		}
		if objects, err = kustomize.Build(filepath.Join(d.root, dir)); err != nil {
			return err
		}
		return a.Apply(ctx, objects)
	})
	return objects, err
}

// checkVerdicts waits for the verdicts and returns an error if they are not as expected.
func (d *demo) checkVerdicts(ctx context.Context) error {
	return d.out.step(fmt.Sprintf("Waiting for the verdicts on %d images", d.verdicts.count()), func() error {
		err := d.verdicts.wait(ctx, d.manager.Exited())
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w\n\nThe end of the operator's log:\n%s", err, d.manager.LogTail())
		}
		return err
	})
}

// waitForEnd waits until the user ends the demo, or the operator exits.
func (d *demo) waitForEnd(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.manager.Exited():
		return fmt.Errorf("the operator has exited. The end of its log:\n%s", d.manager.LogTail())
	}
}

// close cleans up everything: first the operator, which would log errors without an API server,
// then the control plane, then the files.
func (d *demo) close() error {
	var errs []error
	if d.cp != nil {
		d.out.printf("Stopping ...\n")
	}
	if d.manager != nil {
		errs = append(errs, d.manager.Stop())
	}
	if d.cp != nil {
		errs = append(errs, d.cp.Stop())
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}
