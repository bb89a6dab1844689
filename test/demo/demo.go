// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/testenv"
	"github.com/assay-project/assay/internal/testenv/applier"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/test/kustomize"
)

// demo is one run. close cleans up everything that it starts and creates.
type demo struct {
	out    *console
	stay   bool
	cosign bool // Sign with cosign itself.

	root     string // Root of the repository.
	dir      string // For the program, the files that are shown, and the logs.
	programs string // Where kubectl and the others are.
	site     *site
	cp       *controlplane.ControlPlane
	client   client.Client
	manager  *manager.Manager
}

func (d *demo) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, d.close()) }()
	log.SetLogger(logr.Discard()) // The client library returns its problems as errors, too.
	d.out.printf("Assay demo\n\n")
	for _, part := range []func(context.Context) error{d.prepare, d.bringUp, d.showRollouts, d.showSamples} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if !d.stay {
		return nil
	}
	d.explain()
	return d.waitForEnd(ctx)
}

// prepare finds the repository and builds the operator from it.
func (d *demo) prepare(ctx context.Context) error {
	var err error
	if d.programs, err = assets.Locate(assets.DefaultVersion); err != nil {
		return err
	}
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
	// kube-controller-manager makes the Pods of a Deployment. They stay Pending: there is no node.
	if err := d.out.step("Starting etcd, kube-apiserver, kube-controller-manager", func() error { return d.startControlPlane(ctx) }); err != nil {
		return err
	}
	if err := d.out.step("Starting a registry, pushing and signing images", func() (err error) {
		d.site, err = startSite(ctx, d.dir, d.signingCosign())
		return err
	}); err != nil {
		return err
	}
	if _, err := d.install(ctx, "test/demo/cluster"); err != nil {
		return err
	}
	return d.out.step("Running the operator as "+manager.Namespace+"/"+manager.ServiceAccount, func() error {
		return d.startOperator(ctx)
	})
}

// signingCosign is the path of cosign, empty if it does not sign.
func (d *demo) signingCosign() string {
	if !d.cosign {
		return ""
	}
	return filepath.Join(d.programs, assets.Cosign)
}

// startControlPlane starts the control plane. The end of ctx aborts the start, but does not stop
// the control plane later: the operator must stop first.
func (d *demo) startControlPlane(ctx context.Context) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	disarm := context.AfterFunc(ctx, cancel)
	cp, err := controlplane.Start(own, controlplane.Options{})
	if err == nil {
		err = cp.ControllerManager.Start(own)
	}
	if !disarm() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		cancel()
		if cp != nil {
			err = errors.Join(err, cp.Stop())
		}
		return err
	}
	d.cp = cp
	d.client, err = testenv.NewClient(cp.Config())
	return err
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
		// As in the Deployment, but that the registry of the demo is on this machine.
		Args: []string{"--leader-elect", "--registry-allowed-addresses=127.0.0.0/8"},
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

// waitForEnd waits until the user ends the demo, or the operator exits.
func (d *demo) waitForEnd(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.manager.Exited():
		return fmt.Errorf("%w. The end of its log:\n%s", errOperatorExited, d.manager.LogTail())
	}
}

// close cleans up everything: first the operator, which would log errors without an API server,
// then the control plane and the registry, then the files.
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
	if d.site != nil {
		errs = append(errs, d.site.close())
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}
