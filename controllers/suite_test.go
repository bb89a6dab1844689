// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/testenv"
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
	// testTags are the tags of all registries.
	testTags = &tagMap{digests: map[string]digest.Digest{}, asked: map[string]int{}}
)

// TestMain runs the tests against an API server with the CRDs and a running operator.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{CRDs: "../config/crd/bases"}, func(ctx context.Context, env *testenv.Env) error {
		testConfig = env.ControlPlane.Config()
		ctx, cancel := context.WithCancel(ctx)
		done, err := startOperator(ctx)
		if err != nil {
			cancel()
			return err
		}
		env.Cleanup(func() error {
			cancel()
			return <-done
		})
		return nil
	})
}

// startOperator runs all reconcilers until ctx ends.
func startOperator(ctx context.Context) (<-chan error, error) {
	mgr, err := newTestManager(recordAccepted(testConfig))
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, imagev1.AddToScheme, assayv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	testClient, err = client.New(testConfig, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	cachedClient = mgr.GetClient()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: testNamespace}}
	if err := testClient.Create(ctx, namespace); err != nil {
		return nil, err
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{
		Namespace: testNamespace, RecheckInterval: time.Hour, Workers: 2, AllowlistTTL: time.Hour, Network: testNetwork(),
		ImageRetention: 168 * time.Hour, Resolver: testTags,
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

func newTestManager(cluster *rest.Config) (ctrl.Manager, error) {
	notByHand, err := labels.NewRequirement(byHandLabel, selection.DoesNotExist, nil)
	if err != nil {
		return nil, err
	}
	scheme, err := controllers.NewScheme()
	if err != nil {
		return nil, err
	}
	if err := eventsv1AddToScheme(scheme); err != nil {
		return nil, err
	}
	options := controllers.CacheOptions(testNamespace)
	options.ByObject[&imagecache.Image{}] = cache.ByObject{Label: labels.NewSelector().Add(*notByHand)}
	return ctrl.NewManager(cluster, ctrl.Options{
		Scheme:   scheme,
		NewCache: controllers.NewCache(imagecache.DefaultRoom),
		Metrics:  metricsserver.Options{BindAddress: "0"},
		Cache:    options,
		// Tests run controllers beside those of the operator.
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
}
