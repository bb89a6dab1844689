// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers wires the operator together: Setup is the list of what runs. Each
// concern has a package of its own below this one.
//
// Everything is level-triggered: events only say that it is time to look. A verdict that is
// stored on an object is output, never input.
package controllers

import (
	"context"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/allowlist"
	"github.com/assay-project/assay/controllers/apiserver"
	"github.com/assay-project/assay/controllers/discovery"
	"github.com/assay-project/assay/controllers/image"
	"github.com/assay-project/assay/controllers/imagechange"
	"github.com/assay-project/assay/controllers/importer"
	"github.com/assay-project/assay/controllers/importreport"
	statemetrics "github.com/assay-project/assay/controllers/metrics"
	"github.com/assay-project/assay/controllers/registryconfig"
	"github.com/assay-project/assay/controllers/trustchange"
	"github.com/assay-project/assay/controllers/trustpolicy"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/objectcache"
	"github.com/assay-project/assay/internal/references"
	"github.com/assay-project/assay/internal/registry"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
	"github.com/assay-project/assay/internal/verify"
)

// Options configure the operator.
type Options struct {
	// Namespace is the operator's own: that of the Secrets and ConfigMaps with keys, and of the
	// allowlist.
	Namespace string
	// RecheckInterval is how often a verdict that does not change is confirmed.
	RecheckInterval time.Duration
	// Workers is how many Images that have changed are written at the same time. Half as many
	// are for another reason.
	Workers int
	// AllowlistTTL is how long the allowlist is valid when it is not renewed; zero is for ever.
	AllowlistTTL time.Duration
	// Network is the way to registries and lookaside stores. Its clock is Clock.
	Network *registry.Network
	// APIServers are URLs, or host:port, by which API servers are reached beside that of the manager's
	// configuration. No registry leads there.
	APIServers []string
	// Keychain finds the credentials of registries that no Secret has; nil finds none.
	Keychain importer.Keychain
	// ImageRetention is how long a discovered Image is kept that no workload uses.
	ImageRetention time.Duration
	// Resolver looks up tags; nil asks registries by way of Network.
	Resolver discovery.Resolver
	// Leads asks the API server whether this process leads; nil is a single process, which does.
	Leads func(context.Context) (bool, error)
	// APIServerCheckInterval is the shortest pause between two rounds of asking every API server
	// which allowlist it has; zero disables that.
	APIServerCheckInterval time.Duration
	// DialAPIServer connects to one of the API servers; nil is the net package's.
	DialAPIServer func(ctx context.Context, network, address string) (net.Conn, error)
	// Clock returns the present time; nil is the real clock.
	Clock clock.PassiveClock
}

// NewScheme returns a scheme with the kinds that the operator reads and writes. An Image is
// the cached form.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, discoveryv1.AddToScheme, rbacv1.AddToScheme, imagecache.AddToScheme, assayv1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// CacheOptions limit the cache to what the operator's permissions allow: namespaced objects
// are read in its own namespace and nowhere else.
func CacheOptions(namespace string) cache.Options {
	own := cache.ByObject{Namespaces: map[string]cache.Config{namespace: {}}}
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&corev1.Secret{}:      own,
		&corev1.ConfigMap{}:   own,
		&rbacv1.Role{}:        allowlist.FenceCache(namespace),
		&rbacv1.RoleBinding{}: allowlist.FenceCache(namespace),
	}}
}

// NewCache returns a cache.NewCacheFunc, for the options of a manager with the scheme of NewScheme. No
// stored object stops the others of its kind. It keeps room bytes of the signatures of all Images.
func NewCache(room int) cache.NewCacheFunc {
	return objectcache.Over(imagecache.Within(room))
}

// Setup registers every controller with the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	o.setDefaults(mgr)
	if err := trust.RegisterIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	store := &trust.Store{Client: mgr.GetClient(), Namespace: o.Namespace, Formats: signature.Formats()}
	reader, err := imagecache.NewReader(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	evaluator := &image.Evaluator{
		Client: mgr.GetClient(), Trust: store, Verifier: verify.New(store.Formats...), Verdicts: verdictcache.New(),
		Clock: o.Clock, Read: reader.Read,
	}
	recorder := mgr.GetEventRecorder("assay-manager")
	configs := &importer.Configs{Client: mgr.GetClient(), Namespace: o.Namespace, Network: o.Network, Keychain: o.Keychain}
	planner := &importer.Planner{Configs: configs, Trust: store}
	if o.Resolver == nil {
		o.Resolver = planner
	}
	discovered, err := newDiscovery(mgr, store, recorder, &o)
	if err != nil {
		return err
	}
	report := importreport.New(mgr.GetClient(), o.Namespace, o.Network, discovered, o.Clock)
	registries := registryconfig.New(mgr.GetClient(), configs, recorder, o.Clock)
	discovered.Reports, o.Network.HostChanged = report.Notify, func() {
		report.Notify()
		registries.Notify()
	}
	images := &image.Reconciler{
		Client: mgr.GetClient(), Evaluator: evaluator, Recorder: recorder,
		RecheckInterval: o.RecheckInterval, Workers: o.Workers,
	}

	for _, reconciler := range []interface{ SetupWithManager(ctrl.Manager) error }{
		// Evaluate Images at once when trust changes and when Images change, before anything
		// is written.
		&trustchange.Reconciler{Client: mgr.GetClient(), Evaluator: evaluator, Recheck: images.Recheck},
		&imagechange.Reconciler{Evaluator: evaluator, Prioritize: images.Prioritize},
		// Records the verdicts on Images.
		images,
		// Reports on the keys of TrustPolicies.
		&trustpolicy.Reconciler{Client: mgr.GetClient(), Trust: store, Recorder: recorder, Clock: o.Clock},
		// Writes what admission reads.
		&allowlist.Reconciler{
			Client: mgr.GetClient(), Trust: store, Verdicts: evaluator.Verdicts, Namespace: o.Namespace,
			Clock: o.Clock, TTL: o.AllowlistTTL, Leads: o.Leads,
		},
		// Fetches the signatures of Images.
		newImporter(mgr, planner, discovered, reader, o.Clock),
		// Reports on the hosts of RegistryConfigs.
		registries,
		// Makes Images for what workloads refer to.
		discovered,
		// Stores how discovery and import stand.
		report,
		// Finds out which allowlist each API server goes by.
		&apiserver.Checker{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Config: mgr.GetConfig(), Namespace: o.Namespace,
			Recorder: recorder, Clock: clock.RealClock{}, Interval: o.APIServerCheckInterval, Grace: apiserver.Grace,
			Dial: o.DialAPIServer,
		},
	} {
		if err := reconciler.SetupWithManager(mgr); err != nil {
			return err
		}
	}
	return metrics.Registry.Register(&statemetrics.Collector{Client: mgr.GetClient(), Clock: o.Clock})
}

func (o *Options) setDefaults(mgr ctrl.Manager) {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Network == nil {
		o.Network = &registry.Network{}
	}
	o.Network.Observe, o.Network.Clock = importer.ObserveRequest, o.Clock
	// Registries and stores must not lead to an API server.
	servers := &apiserver.Addresses{
		Reader: mgr.GetAPIReader(), Servers: append([]string{mgr.GetConfig().Host}, o.APIServers...),
		Resolve: registry.AddressesOf, Clock: o.Clock,
	}
	o.Network.DeniedAddresses = servers.All
}

// newDiscovery returns what makes Images for what workloads refer to.
func newDiscovery(mgr ctrl.Manager, store *trust.Store, recorder events.EventRecorder, o *Options) (*discovery.Reconciler, error) {
	watcher, err := references.NewWatcher(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	return &discovery.Reconciler{
		Client: mgr.GetClient(), References: watcher, Trust: store, Resolver: o.Resolver, Recorder: recorder,
		Clock: o.Clock, Retention: o.ImageRetention,
	}, nil
}

// newImporter returns what fetches the signatures of Images, in the order that discovery gives them.
func newImporter(mgr ctrl.Manager, planner *importer.Planner, discovered *discovery.Reconciler, reader *imagecache.Reader, now clock.PassiveClock) *importer.Reconciler {
	r := &importer.Reconciler{
		Client: mgr.GetClient(), Planner: planner, OriginOf: discovered.OriginOf, Read: reader.Read,
		Recorder: mgr.GetEventRecorder("assay-manager"), Clock: now,
	}
	discovered.Moved = r.Reorder
	return r
}
