// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package config tests that what config/ holds builds, is accepted by a real API server,
// and grants the manager what it needs and no more.
package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/kustomize"
)

// configDir is config/ as seen from here.
const configDir = "../../config/"

var (
	// admin is a client of a cluster administrator.
	admin client.Client
	// applier applies as a cluster administrator.
	applier *kustomize.Applier
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// run runs the tests against an API server on which config/default is installed.
func run(m *testing.M) (code int, err error) {
	cp, err := controlplane.Start(context.Background(), controlplane.Options{})
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := cp.Stop(); err == nil {
			err = stopErr
		}
	}()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), imagev1.AddToScheme(scheme)); err != nil {
		return 0, err
	}
	if admin, err = client.New(cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	if applier, err = kustomize.NewApplier(cp.Config(), "test"); err != nil {
		return 0, err
	}
	objects, err := kustomize.Build(configDir + "default")
	if err != nil {
		return 0, err
	}
	if err := applier.Apply(context.Background(), objects); err != nil {
		return 0, err
	}
	if err := waitAllowed(context.Background(), managerAccount, managerGrants...); err != nil {
		return 0, err
	}
	return m.Run(), nil
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
	if err := applier.Apply(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
}
