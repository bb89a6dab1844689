// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kstatus checks with the library itself what kstatus makes of Images and
// TrustPolicies: it runs the operator against a real API server, and computes the status of
// what the operator writes.
package kstatus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers"
	"github.com/assay-project/assay/internal/testenv/controlplane"
)

// operatorNamespace is where the operator looks for keys.
const operatorNamespace = "assay-system"

// admin may do everything, without a cache.
var admin client.Client

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctrl.SetLogger(logr.Discard())
	cp, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	if _, err := envtest.InstallCRDs(cp.Config(), envtest.CRDInstallOptions{
		Paths: []string{"../../config/crd/bases"}, ErrorIfPathMissing: true,
	}); err != nil {
		return 1, err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), imagev1.AddToScheme(scheme), assayv1alpha1.AddToScheme(scheme)); err != nil {
		return 1, err
	}
	if admin, err = client.New(cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	if err := admin.Create(ctx, namespace); err != nil {
		return 1, err
	}
	mgr, err := ctrl.NewManager(cp.Config(), ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		return 1, err
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{
		Namespace: operatorNamespace, RecheckInterval: time.Hour, Workers: 1, AllowlistTTL: time.Hour,
	}); err != nil {
		return 1, err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	code = m.Run()
	cancel()
	return code, <-stopped
}
