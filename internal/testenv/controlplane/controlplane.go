// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controlplane runs a real Kubernetes API server and etcd on this machine, for the demo,
// tests and benchmarks.
//
// The API server works as in a cluster: RBAC, admission with ValidatingAdmissionPolicies, service
// account tokens, API priority and fairness, audit. There are no kubelets, so Pods stay Pending.
// Controllers run on request only (ControlPlane.ControllerManager). Without them nothing creates a
// namespace's default service account, so the ServiceAccount admission plugin is off (it would
// refuse Pods); nothing makes the Pods of a Deployment; and nothing completes the deletion of a
// namespace or collects garbage.
//
// # Isolation
//
// The API server listens only on 127.0.0.1, on a port chosen by the kernel. etcd listens on a
// socket in a directory that only this user can enter, so that other users of the machine cannot
// read the cluster's Secrets. All data is in that directory, and Stop removes it.
//
// # Cleanup
//
// Stop ends both processes and removes all files. A program that exits without Stop (a panic in
// another goroutine, the timeout of go test, SIGKILL) cannot clean up. On Linux the kernel then
// kills both processes at once; elsewhere they run until someone kills them. The directory remains
// until the next Start, which removes all directories without an owner.
//
// # Why not envtest.Environment alone
//
// envtest cannot kill one component or restart it with its data, port and certificates, and its
// processes outlive a test binary that dies. Its helpers work on top of this package:
//
//	env := envtest.Environment{
//		UseExistingCluster: ptr.To(true),
//		Config:             cp.Config(),
//		CRDDirectoryPaths:  []string{"../config/crd/bases"},
//	}
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

// DefaultStartTimeout bounds the start of one component unless Options sets another timeout. A
// start takes two to three seconds; a busy machine gets twenty times that.
const DefaultStartTimeout = time.Minute

// Options configures a control plane. The zero value is ready to use.
type Options struct {
	// AssetsDir holds etcd and kube-apiserver. Empty means where assets.Locate finds those of
	// assets.DefaultVersion.
	AssetsDir string
	// APIServerArgs are additional flags of kube-apiserver in the form --name=value. They replace
	// flags of the same name that Start sets.
	APIServerArgs []string
	// EtcdArgs are the same for etcd.
	EtcdArgs []string
	// EtcdSocket returns the socket by which the API server reaches etcd, which listens on the given
	// one: that of a proxy. Nil means etcd's own.
	EtcdSocket func(etcd string) (string, error)
	// AuditLog is a file for one line of JSON (audit.k8s.io/v1 Event, level Metadata) per request,
	// written before the client receives the answer. Empty means no audit.
	AuditLog string
	// LogDir is a directory, created if needed, that keeps the logs of the components after Stop. If it is empty, Stop removes them with the data.
	LogDir string
	// StartTimeout bounds the start of each component; zero means DefaultStartTimeout.
	StartTimeout time.Duration
}

// ControlPlane is a running API server with its etcd. Its methods are safe for concurrent use.
type ControlPlane struct {
	// Etcd and APIServer can be stopped, killed and started one by one. They keep their data,
	// addresses and certificates.
	Etcd, APIServer *Component
	// ControllerManager is kube-controller-manager with the controllers of workloads, namespaces,
	// service accounts and garbage. It does not run until its Start.
	ControllerManager *Component

	dir        *dataDir
	pki        *pki
	opts       Options
	etcdSocket string // by which API servers reach etcd
	address    string // host:port of the API server

	mu         sync.Mutex
	additional []*Component

	stopping sync.Once
	stopErr  error
	release  func() bool // stops waiting for the end of Start's context
}

// Start starts a control plane and returns when the API server answers and the system namespaces
// exist. The end of ctx stops it, as Stop does; callers that need their own shutdown order pass a
// context that does not end. After an error nothing is running. The error wraps assets.ErrNotFound
// if the programs are not installed, and otherwise has the last lines of the component's log.
func Start(ctx context.Context, opts Options) (*ControlPlane, error) {
	if opts.StartTimeout == 0 {
		opts.StartTimeout = DefaultStartTimeout
	}
	if opts.AssetsDir == "" {
		dir, err := assets.Locate(assets.DefaultVersion)
		if err != nil {
			return nil, fmt.Errorf("start a control plane: %w", err)
		}
		opts.AssetsDir = dir
	}
	dir, err := newDataDir(os.TempDir())
	if err != nil {
		return nil, fmt.Errorf("start a control plane: %w", err)
	}
	c := &ControlPlane{dir: dir}
	if err := c.start(ctx, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("start a control plane: %w", err), c.Stop())
	}
	c.release = context.AfterFunc(ctx, func() { _ = c.Stop() })
	return c, nil
}

// start initializes c. After an error, Stop cleans up.
func (c *ControlPlane) start(ctx context.Context, opts Options) error {
	if opts.LogDir == "" {
		opts.LogDir = c.dir.path
	} else if err := os.MkdirAll(opts.LogDir, 0o755); err != nil {
		return err
	}
	c.opts = opts
	var err error
	if c.pki, err = newPKI(c.dir.path, time.Now()); err != nil {
		return err
	}
	if c.Etcd, err = newEtcd(c.dir.path, opts); err != nil {
		return err
	}
	if err := c.Etcd.Start(ctx); err != nil {
		return err
	}
	c.etcdSocket = filepath.Join(c.dir.path, etcdSocket)
	if opts.EtcdSocket != nil {
		if c.etcdSocket, err = opts.EtcdSocket(c.etcdSocket); err != nil {
			return err
		}
	}
	if c.APIServer, c.address, err = c.startAPIServer(ctx, opts, assets.APIServer); err != nil {
		return err
	}
	if err := c.writeAdminKubeconfig(); err != nil {
		return err
	}
	c.ControllerManager, err = c.newControllerManager(opts)
	return err
}

// portAttempts is the number of ports to try. Another process may take a free port before the API
// server listens on it.
const portAttempts = 3

// startAPIServer starts an API server and returns it with its address. log is the name of its log
// without the extension.
func (c *ControlPlane) startAPIServer(ctx context.Context, opts Options, log string) (*Component, string, error) {
	for attempt := 1; ; attempt++ {
		address, err := FreeAddress()
		if err != nil {
			return nil, "", err
		}
		server, err := newAPIServer(c.dir.path, address, c.etcdSocket, log+".log", c.pki, opts)
		if err != nil {
			return nil, "", err
		}
		err = server.Start(ctx)
		if err == nil || !errors.Is(err, errAddressInUse) || attempt == portAttempts {
			return server, address, err
		}
	}
}

// AddAPIServer starts another API server on the same etcd, without an audit log, and returns it with
// its address (host:port). Stop ends it, too.
func (c *ControlPlane) AddAPIServer(ctx context.Context) (*Component, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	opts := c.opts
	opts.AuditLog = ""
	server, address, err := c.startAPIServer(ctx, opts, fmt.Sprintf("%s-%d", assets.APIServer, len(c.additional)+2))
	if err != nil {
		return nil, "", fmt.Errorf("add an API server: %w", err)
	}
	c.additional = append(c.additional, server)
	return server, address, nil
}

// Address is the address (host:port) of APIServer.
func (c *ControlPlane) Address() string { return c.address }

// Stop ends all processes and removes the data. It may be called more than once; every call
// returns after completion, with the same error.
func (c *ControlPlane) Stop() error {
	c.stopping.Do(func() {
		if c.release != nil {
			c.release()
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		var errs []error
		for _, component := range append(c.additional, c.ControllerManager, c.APIServer, c.Etcd) {
			if component != nil {
				errs = append(errs, component.retire())
			}
		}
		c.stopErr = errors.Join(append(errs, c.dir.remove())...)
	})
	return c.stopErr
}

// Config returns a client configuration of a cluster administrator (group system:masters), without
// client-side rate limits. The caller owns it.
func (c *ControlPlane) Config() *rest.Config {
	return c.clientConfig(c.pki.admin)
}

// ConfigForUser returns a client configuration that authenticates with a certificate as the given
// user and groups, to which RBAC applies.
func (c *ControlPlane) ConfigForUser(name string, groups ...string) (*rest.Config, error) {
	cert, err := c.pki.clientCertificate(name, groups)
	if err != nil {
		return nil, err
	}
	return c.clientConfig(cert), nil
}

// Kubeconfig is the path of the administrator's kubeconfig file, mode 0600. Stop removes it.
func (c *ControlPlane) Kubeconfig() string {
	return filepath.Join(c.dir.path, "admin.kubeconfig")
}
