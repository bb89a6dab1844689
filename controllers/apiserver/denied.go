// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// addressLag is how long the addresses count that were found, and retryLag how long those before
	// do where they were not found.
	addressLag = time.Minute
	retryLag   = 10 * time.Second
	// findTimeout bounds finding them. Somebody waits with a connection.
	findTimeout = 5 * time.Second
)

// Addresses knows under which addresses the API servers are reached. It looks only when it is asked,
// and at most once a minute, so that nothing is read at rest.
type Addresses struct {
	// Reader reads the EndpointSlice from an API server.
	Reader client.Reader
	// Servers are URLs, or host:port, of API servers or of what is in front of them.
	Servers []string
	// Resolve returns the addresses of one of Servers, none where its name cannot be resolved.
	Resolve func(ctx context.Context, server string) []netip.AddrPort
	// Clock returns the present time.
	Clock clock.PassiveClock

	mu sync.Mutex
	// next is when to look again.
	next time.Time
	// found are the addresses by where they come from: a server, or the EndpointSlice as "".
	found map[string][]netip.AddrPort
	// failing: the EndpointSlice could not be read the last time.
	failing bool
}

// All returns the addresses of all API servers that can be found, each with its port. Where they
// cannot be found, those that were found before still count. It is safe for concurrent use; callers
// at the same time wait for one of them.
func (a *Addresses) All(ctx context.Context) []netip.AddrPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.Clock.Now(); !now.Before(a.next) {
		a.next = now.Add(retryLag)
		if a.find(ctx) {
			a.next = now.Add(addressLag)
		}
	}
	var all []netip.AddrPort
	for _, addresses := range a.found {
		all = append(all, addresses...)
	}
	return all
}

// find looks for the addresses, and reports whether all were found. What becomes of the caller says
// nothing about the API servers.
func (a *Addresses) find(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findTimeout)
	defer cancel()
	next := map[string][]netip.AddrPort{}
	for _, server := range a.Servers {
		next[server] = a.Resolve(ctx, server)
	}
	endpoints, err := readAddresses(ctx, a.Reader)
	if err != nil && !a.failing {
		logf.FromContext(ctx).Error(err, "Cannot find the addresses of all API servers, which registries must not lead to")
	}
	a.failing = err != nil
	for _, endpoint := range endpoints {
		if address, err := netip.ParseAddrPort(endpoint); err == nil {
			next[""] = append(next[""], address)
		}
	}
	complete := true
	for _, source := range append(slices.Clone(a.Servers), "") {
		if len(next[source]) == 0 {
			next[source], complete = a.found[source], false
		}
	}
	a.found = next
	return complete
}
