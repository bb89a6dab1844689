// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openshift runs the clients that OpenShift publishes for its Image
// (github.com/openshift/client-go, unchanged) against the CRD of this project on a real
// API server. What they send has to be accepted, and whatever the server accepts, they
// have to be able to read.
package openshift

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/assay-project/assay/internal/testenv/controlplane"
)

// admin is the configuration of a client that may do everything.
var admin *rest.Config

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// run runs the tests against an API server that has the CRDs of this project.
func run(m *testing.M) (int, error) {
	cp, err := controlplane.Start(context.Background(), controlplane.Options{})
	if err != nil {
		return 0, err
	}
	admin = cp.Config()
	env := envtest.Environment{
		UseExistingCluster:    ptr.To(true),
		Config:                cp.Config(),
		CRDDirectoryPaths:     []string{"../../config/crd/bases"},
		ErrorIfCRDPathMissing: true,
	}
	if _, err := env.Start(); err != nil {
		return 0, errors.Join(fmt.Errorf("install the CRDs: %w", err), cp.Stop())
	}
	return m.Run(), cp.Stop()
}
