// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package api checks what a real API server makes of the CRDs of this project: which
// objects it refuses and with what message, which defaults it fills in, which columns it
// prints and what it publishes for kubectl explain.
package api

import (
	"context"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/assay-project/assay/internal/testenv"
)

// admin is a client configuration of a cluster administrator.
var admin *rest.Config

// TestMain runs the tests against an API server with the CRDs of this project. The server does not
// establish a CRD that exceeds its budget for CEL, and the tests fail.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{CRDs: "../../config/crd/bases"}, func(_ context.Context, env *testenv.Env) error {
		admin = env.ControlPlane.Config()
		return nil
	})
}
