// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers"
	"github.com/assay-project/assay/controllers/image"
	"github.com/assay-project/assay/internal/testenv/controlplane"
)

// testNamespace is the operator's namespace in these tests.
const testNamespace = "assay-system"

// The API server and the operator, in this process, that all tests share. Each test works
// with names and scopes of its own.
var (
	testConfig *rest.Config
	// testClient reads and writes the API server, without a cache.
	testClient client.Client
	// cachedClient is the running operator's.
	cachedClient client.Client
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "controllers test suite:", err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctrl.SetLogger(logr.Discard())
	cp, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopErr := cp.Stop(); err == nil {
			err = stopErr
		}
	}()
	testConfig = cp.Config()
	if _, err := envtest.InstallCRDs(testConfig, envtest.CRDInstallOptions{
		Paths: []string{"../config/crd/bases"}, ErrorIfPathMissing: true,
	}); err != nil {
		return 1, err
	}
	done, err := startOperator(ctx)
	if err != nil {
		return 1, err
	}
	code = m.Run()
	cancel()
	return code, <-done
}

// startOperator runs all reconcilers until ctx ends.
func startOperator(ctx context.Context) (<-chan error, error) {
	mgr, err := newTestManager()
	if err != nil {
		return nil, err
	}
	testClient, err = client.New(testConfig, client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		return nil, err
	}
	cachedClient = mgr.GetClient()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: testNamespace}}
	if err := testClient.Create(ctx, namespace); err != nil {
		return nil, err
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{
		Namespace: testNamespace, RecheckInterval: time.Hour, Workers: 2, AllowlistTTL: time.Hour,
	}); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("caches did not synchronise")
	}
	return done, nil
}

// byHandLabel marks Images that a test reconciles itself, step by step. The running
// operator does not see them.
const byHandLabel = "test.assay.dev/by-hand"

func newTestManager() (ctrl.Manager, error) {
	notByHand, err := labels.NewRequirement(byHandLabel, selection.DoesNotExist, nil)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, imagev1.AddToScheme, assayv1alpha1.AddToScheme, eventsv1AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return ctrl.NewManager(testConfig, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:    {Namespaces: map[string]cache.Config{testNamespace: {}}},
			&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{testNamespace: {}}},
			&imagev1.Image{}:    {Label: labels.NewSelector().Add(*notByHand), Transform: image.CompactImage},
		}},
	})
}
