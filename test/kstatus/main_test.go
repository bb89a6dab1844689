// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kstatus checks with the library itself what kstatus makes of Images and
// TrustPolicies: it runs the operator against a real API server, and computes the status of
// what the operator writes.
package kstatus

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/assay-project/assay/controllers"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/testenv"
)

// operatorNamespace is where the operator looks for keys.
const operatorNamespace = "assay-system"

// admin may do everything, without a cache.
var admin client.Client

// TestMain runs the tests against an API server with the CRDs and a running operator.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{CRDs: "../../config/crd/bases"}, func(ctx context.Context, env *testenv.Env) (err error) {
		if admin, err = testenv.NewClient(env.ControlPlane.Config()); err != nil {
			return err
		}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
		if err := admin.Create(ctx, namespace); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		stopped, err := startOperator(ctx, env.ControlPlane.Config())
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
func startOperator(ctx context.Context, config *rest.Config) (stopped <-chan error, err error) {
	scheme, err := controllers.NewScheme()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:   scheme,
		NewCache: controllers.NewCache(imagecache.DefaultRoom),
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
