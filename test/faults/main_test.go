// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package faults tests verdicts when processes die and connections break. It runs the real program,
// with the permissions of config/rbac, against a real API server, and kills either. The API
// server's audit log records all writes.
package faults

import (
	"context"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/testenv"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/test/kustomize"
)

// The environment of all tests, which run one after the other.
var (
	cp    *controlplane.ControlPlane
	admin client.WithWatch
	// program is the assay command, and kubeconfig authenticates as its service account.
	program, kubeconfig string
	audit               *auditLog
)

// TestMain runs the tests against an API server with config/default installed.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{
		Install: kustomize.Installer("../../config/default"), AuditLog: true, Program: true, EtcdSocket: slowEtcd.start,
	}, setupSuite)
}

func setupSuite(ctx context.Context, env *testenv.Env) (err error) {
	cp, program, audit = env.ControlPlane, env.Program, &auditLog{path: env.AuditLog}
	if admin, err = testenv.NewClient(cp.Config()); err != nil {
		return err
	}
	kubeconfig, err = cp.KubeconfigFor(ctx, manager.Namespace, manager.ServiceAccount)
	return err
}
