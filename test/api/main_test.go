// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package api checks what a real API server makes of the CRDs of this project: which
// objects it refuses and with what message, which defaults it fills in, which columns it
// prints and what it publishes for kubectl explain.
package api

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

// run runs the tests against an API server that has the CRDs of this project. A CRD that
// costs more than the server's budget for CEL does not get established, and run fails.
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
