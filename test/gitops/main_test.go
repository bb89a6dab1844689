// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gitops checks, with the code of Argo CD and Flux, that an Image stays in sync with its
// manifest while the operator writes verdicts to it.
package gitops

import (
	"context"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/assay-project/assay/controllers"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/testenv"
	"github.com/assay-project/assay/test/kustomize"
)

// operatorNamespace is where the operator looks for keys.
const operatorNamespace = "assay-system"

// admin may do everything, without a cache.
var admin client.Client

// config is of a client that may do everything.
var config *rest.Config

// TestMain runs the tests against an API server with admission installed and a running operator.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{Install: kustomize.Installer("../../config/admission")}, func(ctx context.Context, env *testenv.Env) (err error) {
		config = env.ControlPlane.Config()
		if admin, err = testenv.NewClient(config); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		stopped, err := startOperator(ctx)
		if err != nil {
			cancel()
			return err
		}
		env.Cleanup(func() error {
			cancel()
			return <-stopped
		})
		return nil
	})
}

// startOperator runs all reconcilers until ctx ends.
func startOperator(ctx context.Context) (stopped <-chan error, err error) {
	scheme, err := controllers.NewScheme()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:   scheme,
		NewCache: imagecache.New,
		Cache:    controllers.CacheOptions(operatorNamespace),
		Metrics:  metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return nil, err
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{
		Namespace: operatorNamespace, RecheckInterval: time.Hour, Workers: 1, AllowlistTTL: time.Hour,
	}); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	return done, nil
}
