// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/assay-project/assay/controllers"
	"github.com/assay-project/assay/controllers/importer"
	"github.com/assay-project/assay/internal/credentialprovider"
	"github.com/assay-project/assay/internal/metricsauth"
	"github.com/assay-project/assay/internal/registry"
)

// Bounds of --recheck-interval. Below a minute, rechecks of a large cluster would keep its API
// server busy.
const (
	defaultRecheckInterval = 12 * time.Hour
	minRecheckInterval     = time.Minute
)

// Bounds of --allowlist-ttl, other than 0. The allowlist is renewed when half of its TTL is left; a
// new leader must be elected and evaluate every image within the other half.
const (
	defaultAllowlistTTL = 24 * time.Hour
	minAllowlistTTL     = 10 * time.Minute
)

// Bounds of --image-retention. An Image that is needed again has to be fetched again, so a short time
// costs more than it saves.
const (
	defaultImageRetention = 168 * time.Hour
	minImageRetention     = time.Hour
)

// Bounds of --apiserver-check-interval, other than 0. A check sends a few small requests to each
// API server, and begins by waiting for as long as an API server may take to learn of a change.
const (
	defaultAPIServerCheckInterval = time.Minute
	minAPIServerCheckInterval     = 5 * time.Second
)

// gcPercent is GOGC if the environment does not set it. An idle operator would keep the heap that
// it needed under load, and a cluster has better uses for that memory.
const gcPercent = 50

// readyTimeout bounds one readiness probe.
const readyTimeout = time.Second

// namespaceFile contains the namespace of a Pod.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

type managerOptions struct {
	kubeconfig        string
	operatorNamespace string
	leaderElect       bool
	metricsAddress    string
	metricsSecure     bool
	probeAddress      string
	pprofAddress      string
	recheckInterval   time.Duration
	workers           int
	allowlistTTL      time.Duration
	registryAddresses []string
	network           *registry.Network
	providerConfig    string
	providerBinDir    string
	keychain          importer.Keychain
	imageRetention    time.Duration
	apiServerInterval time.Duration
	zap               zap.Options
}

func newManagerCommand() *cobra.Command {
	o := managerOptions{}
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run the operator",
		Long:  "Run the operator. It verifies the signatures of Images against TrustPolicies and records\nthe verdicts.",
		Example: `  # run in a cluster, as config/manager does
  assay manager --leader-elect

  # run outside of the cluster
  assay manager --kubeconfig ~/.kube/config --operator-namespace assay-system`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Only here: verify may block on a pipe, and has nothing to clean up when it is
			// interrupted.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // A second signal ends the process at once.
			return o.run(ctx, zap.New(zap.UseFlagOptions(&o.zap), zap.WriteTo(cmd.ErrOrStderr())))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (default: $KUBECONFIG, ~/.kube/config or the service account of the Pod)")
	flags.StringVar(&o.operatorNamespace, "operator-namespace", "", "`NAMESPACE` of the keys and the allowlist (default: the namespace of the Pod)")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "enable leader election, for more than one replica")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "`ADDRESS` of the metrics endpoint, for example :8443; 0 disables it")
	flags.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve metrics over HTTPS, to clients that are authorized to get /metrics")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "`ADDRESS` of /healthz and /readyz; 0 disables them")
	flags.StringVar(&o.pprofAddress, "pprof-bind-address", "0",
		"`ADDRESS` of /debug/pprof, for example 127.0.0.1:6060; 0 disables it. Profiles have no access control: use a loopback address")
	flags.DurationVar(&o.recheckInterval, "recheck-interval", defaultRecheckInterval, "how often an unchanged verdict is confirmed with a new lastProbeTime")
	flags.IntVar(&o.workers, "workers", 8, "number of changed Images that are written concurrently; half as many are for other reasons")
	flags.DurationVar(&o.allowlistTTL, "allowlist-ttl", defaultAllowlistTTL,
		"how long the allowlist is valid without renewal by an operator; 0 for no expiry")
	flags.StringSliceVar(&o.registryAddresses, "registry-allowed-addresses", nil,
		"`CIDR` of registries and stores that are contacted although they are on the local host or link, for development; may be repeated")
	flags.StringVar(&o.providerConfig, "image-credential-provider-config", "",
		"`FILE` with a CredentialProviderConfig of kubelet.config.k8s.io/v1, for credentials of registries that no RegistryConfig has")
	flags.StringVar(&o.providerBinDir, "image-credential-provider-bin-dir", "", "`DIRECTORY` with the programs that the file names")
	flags.DurationVar(&o.imageRetention, "image-retention", defaultImageRetention,
		"how long a discovered Image that is verified is kept after the last workload has stopped using it")
	flags.DurationVar(&o.apiServerInterval, "apiserver-check-interval", defaultAPIServerCheckInterval,
		"pause between checks of the allowlist that each API server has; 0 disables them")
	addLogFlags(cmd, &o.zap)
	return cmd
}

func (o *managerOptions) run(ctx context.Context, log logr.Logger) error {
	ctrl.SetLogger(log)
	if err := o.complete(); err != nil {
		return err
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	var lock resourcelock.Interface
	var leads func(context.Context) (bool, error)
	if o.leaderElect {
		elects, lease := rest.CopyConfig(config), &leadership{clock: clock.RealClock{}}
		lease.observe(elects)
		lease.fence(config)
		election, err := newElection(elects, o.operatorNamespace)
		if err != nil {
			return fmt.Errorf("preparing the leader election: %w", err)
		}
		defer election.stop()
		lock, leads = election.lock, election.leads
	}
	mgr, err := o.newManager(config, lock)
	if err != nil {
		return err
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{
		Namespace:       o.operatorNamespace,
		RecheckInterval: o.recheckInterval,
		Workers:         o.workers,
		AllowlistTTL:    o.allowlistTTL,
		Network:         o.network,
		APIServers:      serviceAddress(),
		Keychain:        o.keychain,
		ImageRetention:  o.imageRetention,
		Leads:           leads,

		APIServerCheckInterval: o.apiServerInterval,
	}); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if limit := memoryLimit(memoryLimitFile); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
	log.Info("Starting", "version", version(), "operatorNamespace", o.operatorNamespace)
	return mgr.Start(ctx)
}

// complete validates the options and sets defaults.
func (o *managerOptions) complete() error {
	if o.recheckInterval < minRecheckInterval {
		return usagef("--recheck-interval must be at least %s", minRecheckInterval)
	}
	if o.allowlistTTL != 0 && o.allowlistTTL < minAllowlistTTL {
		return usagef("--allowlist-ttl must be 0 or at least %s", minAllowlistTTL)
	}
	if o.imageRetention < minImageRetention {
		return usagef("--image-retention must be at least %s", minImageRetention)
	}
	if o.apiServerInterval != 0 && o.apiServerInterval < minAPIServerCheckInterval {
		return usagef("--apiserver-check-interval must be 0 or at least %s", minAPIServerCheckInterval)
	}
	if o.workers < 1 {
		return usagef("--workers must be at least 1")
	}
	o.network = &registry.Network{}
	for _, text := range o.registryAddresses {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return usagef("--registry-allowed-addresses must be CIDRs such as 127.0.0.0/8")
		}
		o.network.AllowedAddresses = append(o.network.AllowedAddresses, prefix)
	}
	if err := o.readProviders(); err != nil {
		return err
	}
	if o.operatorNamespace == "" {
		data, err := os.ReadFile(namespaceFile)
		if err != nil {
			return usagef("--operator-namespace is required outside of a Pod: the namespace of the Secrets and ConfigMaps with keys")
		}
		o.operatorNamespace = strings.TrimSpace(string(data))
	}
	return nil
}

// readProviders reads the configuration of credential providers. It is not read again.
func (o *managerOptions) readProviders() error {
	if (o.providerConfig == "") != (o.providerBinDir == "") {
		return usagef("--image-credential-provider-config and --image-credential-provider-bin-dir need each other")
	}
	if o.providerConfig == "" {
		return nil
	}
	data, err := readFile(o.providerConfig)
	if err != nil {
		return fmt.Errorf("--image-credential-provider-config: %w", err)
	}
	keychain, err := credentialprovider.New(data, o.providerBinDir)
	if err != nil {
		return fmt.Errorf("--image-credential-provider-config %s: %w", o.providerConfig, err)
	}
	o.keychain = keychain
	return nil
}

func (o *managerOptions) restConfig() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to connect to: %w", err)
	}
	// The API server's priority and fairness limits the request rate better than a fixed number
	// here.
	config.QPS = -1
	config.UserAgent = "assay-manager/" + version()
	return config, nil
}

// serviceAddress returns the address of the Service of the API servers, by which Pods reach them; none
// outside of a Pod.
func serviceAddress() []string {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil
	}
	return []string{net.JoinHostPort(host, port)}
}

// newManager returns a manager that elects a leader by the lock, unless that is nil.
func (o *managerOptions) newManager(config *rest.Config, lock resourcelock.Interface) (ctrl.Manager, error) {
	scheme, err := controllers.NewScheme()
	if err != nil {
		return nil, err
	}
	duration, deadline, interval := leaseDuration, renewDeadline, renewInterval
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 scheme,
		NewCache:               controllers.NewCache(imageRoom(memoryLimit(memoryLimitFile))),
		Cache:                  controllers.CacheOptions(o.operatorNamespace),
		Metrics:                o.metricsOptions(),
		HealthProbeBindAddress: o.probeAddress,
		PprofBindAddress:       o.pprofAddress,
		LeaderElection:         o.leaderElect,
		LeaderElectionID:       leaseName,

		LeaderElectionResourceLockInterface: lock,
		LeaderElectionReleaseOnCancel:       true,
		LeaseDuration:                       &duration,
		RenewDeadline:                       &deadline,
		RetryPeriod:                         &interval,
	})
	if err != nil {
		return nil, err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("caches", func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), readyTimeout)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("caches are not synchronized yet")
		}
		return nil
	})
}

func (o *managerOptions) metricsOptions() metricsserver.Options {
	options := metricsserver.Options{BindAddress: o.metricsAddress, SecureServing: o.metricsSecure}
	if o.metricsSecure {
		options.FilterProvider = metricsauth.NewFilter
		// HTTP/2 has allowed attackers to exhaust servers (CVE-2023-44487), and scraping does not
		// need it.
		options.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }}
	}
	return options
}
