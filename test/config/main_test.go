// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package config tests that what config/ holds builds, is accepted by a real API server,
// and grants the manager what it needs and no more.
package config

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/testenv"
	"github.com/assay-project/assay/internal/testenv/applier"
	"github.com/assay-project/assay/test/kustomize"
)

// configDir is config/ as seen from here.
const configDir = "../../config/"

var (
	// admin is a client of a cluster administrator.
	admin client.Client
	// adminApplier applies as a cluster administrator.
	adminApplier *applier.Applier
)

// TestMain runs the tests against an API server with config/default installed.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{Install: kustomize.Installer(configDir + "default")}, setupSuite)
}

func setupSuite(ctx context.Context, env *testenv.Env) (err error) {
	if admin, err = testenv.NewClient(env.ControlPlane.Config()); err != nil {
		return err
	}
	if adminApplier, err = applier.New(env.ControlPlane.Config(), testenv.FieldManager); err != nil {
		return err
	}
	return waitAllowed(ctx, managerAccount, managerGrants...)
}

func build(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := kustomize.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func apply(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	if err := adminApplier.Apply(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
}
