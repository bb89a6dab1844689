// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserver finds out which copy of the allowlist each API server of the cluster goes by:
// checker.go runs the rounds, addresses.go finds the API servers, ask.go asks one of them,
// compare.go decides what an answer means, and report.go reports it. denied.go knows the addresses
// for the import of signatures, which must not contact them.
//
// An API server may go on using a copy of the allowlist that no longer changes
// (kubernetes/kubernetes#130887), or have none. The policies cannot see that the copy is outdated
// before the fence withdraws its epoch, and nobody sees it while they only audit. The canary
// (internal/allowlist) makes each API server state what it has.
package apiserver

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/apiserverstatus"
)

// Creating a ConfigMap in the operator's namespace, also in a dry run, takes the permission that
// the allowlist needs as well.
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,resourceNames=kubernetes,verbs=get

const (
	// Grace is how long an API server may take to learn of a change of the allowlist. It takes
	// milliseconds; ten seconds are a hundred times what a busy one takes.
	Grace = 10 * time.Second

	// requestInterval is the average time between two requests in a round and the pause after it.
	requestInterval = 100 * time.Millisecond

	// serverTimeout bounds the time to check one API server.
	serverTimeout = 30 * time.Second
)

// Checker checks the API servers in rounds: it remembers the stored allowlist, gives the API
// servers the time to learn of it, and asks each of them. Only the leader does.
type Checker struct {
	// Client lists and writes ConfigMaps of the operator's namespace. Lists may come from a cache.
	client.Client
	// Reader reads the EndpointSlice of the API servers, without a cache.
	Reader client.Reader
	// Config has the credentials and the certificate authority of the cluster.
	Config *rest.Config
	// Namespace is the operator's own.
	Namespace string
	// Recorder emits an event when the state of an API server changes.
	Recorder events.EventRecorder
	// Clock measures time.
	Clock clock.Clock
	// Interval is the shortest pause between two rounds; zero disables the checks.
	Interval time.Duration
	// Grace is how long an API server may take to learn of a change.
	Grace time.Duration
	// Dial connects to an API server; nil is the net package's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	asker    *asker          // nil before the first round
	exported map[string]bool // the addresses that the metric has
}

// SetupWithManager makes the manager run the checker, unless it is disabled.
func (c *Checker) SetupWithManager(mgr ctrl.Manager) error {
	if c.Interval == 0 {
		return nil
	}
	return mgr.Add(c)
}

// NeedLeaderElection reports that only the leader checks.
func (c *Checker) NeedLeaderElection() bool { return true }

// Start runs rounds until ctx ends.
func (c *Checker) Start(ctx context.Context) error {
	log := logf.FromContext(ctx).WithName("apiserver")
	ctx = logf.IntoContext(ctx, log)
	for ctx.Err() == nil {
		pause, err := c.Check(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error(err, "Cannot check which allowlist the API servers have")
		}
		c.wait(ctx, pause)
	}
	return nil
}

// Check runs one round and returns the shortest pause until the next one. Before the allowlist
// has been written there is nothing to ask for, and it looks again soon.
func (c *Checker) Check(ctx context.Context) (pause time.Duration, err error) {
	expected, err := c.storedShards(ctx)
	if err != nil || len(expected) == 0 {
		return c.Grace, err
	}
	c.wait(ctx, c.Grace)
	addresses, err := readAddresses(ctx, c.Reader)
	if err != nil {
		logf.FromContext(ctx).Error(err, "Cannot find the addresses of the API servers")
		return c.Interval, c.reportUnknown(ctx)
	}
	if c.asker == nil {
		c.asker = newAsker(c.Config, c.Namespace, c.Dial)
	}
	servers := c.checkAll(ctx, addresses, expected)
	if ctx.Err() != nil {
		return c.Interval, ctx.Err()
	}
	requests := time.Duration(len(addresses) * len(expected))
	return max(c.Interval, requests*requestInterval), c.report(ctx, servers)
}

// checkAll checks all API servers at the same time, so that one that does not answer delays
// nothing. The result has the order of the addresses.
func (c *Checker) checkAll(ctx context.Context, addresses []string, expected map[string]string) []apiserverstatus.Server {
	servers := make([]apiserverstatus.Server, len(addresses))
	var group sync.WaitGroup
	for i, address := range addresses {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(logf.IntoContext(ctx, logf.FromContext(ctx).WithValues("address", address)), serverTimeout)
			defer cancel()
			servers[i] = c.check(ctx, address, expected)
			servers[i].Address = address
		})
	}
	group.Wait()
	// The next round connects anew. Behind one address there may be several API servers.
	c.asker.closeIdleConnections()
	return servers
}

// storedShards returns the resource versions of the shards by their names.
func (c *Checker) storedShards(ctx context.Context) (map[string]string, error) {
	list, err := c.configMaps(ctx)
	if err != nil {
		return nil, err
	}
	shards := map[string]string{}
	for i := range list {
		if _, ok := allowlist.CountOf(list[i].Name); ok {
			shards[list[i].Name] = list[i].ResourceVersion
		}
	}
	return shards, nil
}

// configMaps returns those of the operator's namespace. The caller does not change them.
func (c *Checker) configMaps(ctx context.Context) ([]corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	if err := c.List(ctx, &list, client.InNamespace(c.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ConfigMaps: %w", err)
	}
	return list.Items, nil
}

// wait returns after a time or when ctx ends.
func (c *Checker) wait(ctx context.Context, d time.Duration) {
	timer := c.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C():
	}
}
