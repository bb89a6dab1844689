// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controlplane runs a real Kubernetes API server and its etcd on this
// machine, for the demo, for tests and for benchmarks.
//
// What runs is what a cluster runs: RBAC, admission with
// ValidatingAdmissionPolicies, service account tokens, API priority and fairness,
// audit. Three things are missing, because no controller manager and no kubelet
// run: nothing creates a namespace's default service account, so the ServiceAccount
// admission plugin is off (Pods would otherwise be refused); nothing finishes the
// deletion of a namespace or collects garbage; and Pods stay Pending.
//
// # Isolation
//
// The API server listens on 127.0.0.1 only, on a port the kernel chose. etcd
// listens on a socket in a directory that only this user can enter, so that other
// users of the machine cannot read the cluster's Secrets. All data is in that
// directory, and Stop removes it.
//
// # What is left behind
//
// Stop ends both processes and leaves nothing. A program that ends without it (a
// panic in another goroutine, the deadline of go test, SIGKILL) cannot clean up:
// on Linux the kernel then kills both processes at once; elsewhere they keep
// running until they are killed by hand. The directory stays until the next Start,
// which removes every one whose owner is gone.
//
// # Why not envtest.Environment alone
//
// envtest offers no way to kill one component or to start it again with its data,
// port and certificates, and its processes outlive a test binary that dies. Its
// helpers work on top of this package all the same:
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

// DefaultStartTimeout bounds the start of one component when Options leaves it
// open. A start takes two to three seconds; a busy machine gets twenty times that.
const DefaultStartTimeout = time.Minute

// Options says how to run a control plane. The zero value is ready to use.
type Options struct {
	// AssetsDir holds etcd and kube-apiserver. Empty means where assets.Locate finds
	// those of assets.DefaultVersion.
	AssetsDir string
	// APIServerArgs are flags of kube-apiserver in the form --name=value, beside
	// those that Start sets. A name that Start sets as well is replaced by them.
	APIServerArgs []string
	// EtcdArgs are the same for etcd.
	EtcdArgs []string
	// AuditLog is a file that gets one line of JSON (audit.k8s.io/v1 Event, level
	// Metadata) for each request, before the client has the answer. Empty means no
	// audit.
	AuditLog string
	// LogDir is a directory, created if needed, that keeps etcd.log and
	// kube-apiserver.log after Stop. Empty means that they go with the data.
	LogDir string
	// StartTimeout bounds the start of each component; zero means
	// DefaultStartTimeout.
	StartTimeout time.Duration
}

// ControlPlane is a running API server with its etcd. Its methods may be called
// from several goroutines.
type ControlPlane struct {
	// Etcd and APIServer can be stopped, killed and started one by one. They keep
	// their data, addresses and certificates.
	Etcd, APIServer *Component

	dir     *dataDir
	pki     *pki
	address string // host:port of the API server

	stopping sync.Once
	stopErr  error
	release  func() bool // undoes the watch on Start's context
}

// Start brings a control plane up and returns when the API server answers and the
// system namespaces exist. The end of ctx stops it, as Stop does; a caller that wants
// to shut down in an order of its own passes a context that does not end. An error
// leaves nothing running. It wraps assets.ErrNotFound when the programs are not
// installed, and otherwise carries the last lines of the component's log.
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

// start fills c in. On an error Stop undoes what is there already.
func (c *ControlPlane) start(ctx context.Context, opts Options) error {
	if opts.LogDir == "" {
		opts.LogDir = c.dir.path
	} else if err := os.MkdirAll(opts.LogDir, 0o755); err != nil {
		return err
	}
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
	if err := c.startAPIServer(ctx, opts); err != nil {
		return err
	}
	return c.writeAdminKubeconfig()
}

// portAttempts is how many ports are tried. Between choosing a free port and
// listening on it somebody else may take it.
const portAttempts = 3

func (c *ControlPlane) startAPIServer(ctx context.Context, opts Options) error {
	for attempt := 1; ; attempt++ {
		address, err := FreeAddress()
		if err != nil {
			return err
		}
		if c.APIServer, err = newAPIServer(c.dir.path, address, c.pki, opts); err != nil {
			return err
		}
		c.address = address
		err = c.APIServer.Start(ctx)
		if err == nil || !errors.Is(err, errAddressInUse) || attempt == portAttempts {
			return err
		}
	}
}

// Stop ends both processes and removes the data. It may be called more than once, and
// every call returns when all is done, with the same error.
func (c *ControlPlane) Stop() error {
	c.stopping.Do(func() {
		if c.release != nil {
			c.release()
		}
		var errs []error
		for _, component := range []*Component{c.APIServer, c.Etcd} {
			if component != nil {
				errs = append(errs, component.retire())
			}
		}
		c.stopErr = errors.Join(append(errs, c.dir.remove())...)
	})
	return c.stopErr
}

// Config returns a client configuration of a cluster administrator (group
// system:masters), without client-side rate limits. The caller owns it.
func (c *ControlPlane) Config() *rest.Config {
	return c.clientConfig(c.pki.admin)
}

// ConfigForUser returns a client configuration that authenticates with a
// certificate as the given user and groups, to which RBAC applies.
func (c *ControlPlane) ConfigForUser(name string, groups ...string) (*rest.Config, error) {
	cert, err := c.pki.clientCertificate(name, groups)
	if err != nil {
		return nil, err
	}
	return c.clientConfig(cert), nil
}

// Kubeconfig is the path of a kubeconfig file of the administrator, mode 0600. It
// is there until Stop.
func (c *ControlPlane) Kubeconfig() string {
	return filepath.Join(c.dir.path, "admin.kubeconfig")
}
