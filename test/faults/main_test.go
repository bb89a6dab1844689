// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package faults tests what becomes of verdicts when processes die and connections break:
// it runs the real program, with the permissions that config/rbac gives it, against a real
// API server, and kills either. The API server's audit log says who wrote what how often.
package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/kustomize"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// The control plane that all tests share, one after the other.
var (
	cp    *controlplane.ControlPlane
	admin client.WithWatch
	// program is the assay command, and kubeconfig that of its service account.
	program, kubeconfig string
	audit               *auditLog
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "assay-faults-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	audit = &auditLog{path: filepath.Join(dir, "audit.log")}
	cp, err = controlplane.Start(ctx, controlplane.Options{AuditLog: audit.path})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	if err := install(ctx); err != nil {
		return 1, err
	}
	root, err := manager.Root(ctx)
	if err != nil {
		return 1, err
	}
	program = filepath.Join(dir, "assay")
	if err := manager.Build(ctx, root, program); err != nil {
		return 1, err
	}
	if kubeconfig, err = cp.KubeconfigFor(ctx, manager.Namespace, manager.ServiceAccount); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// install applies config/default and makes the administrator's client.
func install(ctx context.Context) error {
	applier, err := kustomize.NewApplier(cp.Config(), "test")
	if err != nil {
		return err
	}
	objects, err := kustomize.Build("../../config/default")
	if err != nil {
		return err
	}
	if err := applier.Apply(ctx, objects); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), imagev1.AddToScheme(scheme), assayv1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	admin, err = client.NewWithWatch(cp.Config(), client.Options{Scheme: scheme})
	return err
}
