// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openshift runs the clients that OpenShift publishes for its Image
// (github.com/openshift/client-go, unchanged) against the CRD of this project on a real
// API server. What they send has to be accepted, and whatever the server accepts, they
// have to be able to read.
package openshift

import (
	"context"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/assay-project/assay/internal/testenv"
)

// admin is a client configuration of a cluster administrator.
var admin *rest.Config

// TestMain runs the tests against an API server with the CRDs of this project.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{CRDs: "../../config/crd/bases"}, func(_ context.Context, env *testenv.Env) error {
		admin = env.ControlPlane.Config()
		return nil
	})
}
