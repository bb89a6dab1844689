// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// servers is a cluster whose API servers change.
type servers struct {
	*Addresses
	t      *testing.T
	client client.Client
	clock  *clocktesting.FakePassiveClock
	// names are the addresses of the names that can be resolved.
	names map[string]string
	reads int
	down  bool
}

func newServers(t *testing.T, endpoint string) *servers {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := discoveryv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	s := &servers{t: t, clock: clocktesting.NewFakePassiveClock(time.Unix(1_700_000_000, 0)), names: map[string]string{}}
	s.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(sliceOf(endpoint)).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			s.reads++
			if s.down {
				return errors.New("down")
			}
			return c.Get(ctx, key, obj, opts...)
		},
	}).Build()
	s.Addresses = &Addresses{
		Reader: s.client, Clock: s.clock, Servers: []string{"https://lb.example.com:6443", "10.96.0.1:443"},
		Resolve: func(_ context.Context, server string) []netip.AddrPort {
			if s.names[server] == "" {
				return nil
			}
			return []netip.AddrPort{netip.MustParseAddrPort(s.names[server])}
		},
	}
	return s
}

func sliceOf(address string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: EndpointSlice.Namespace, Name: EndpointSlice.Name},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{port("https", 6443)}, Endpoints: []discoveryv1.Endpoint{endpoints(true, address)},
	}
}

// move gives the cluster another API server.
func (s *servers) move(address string) {
	s.t.Helper()
	slice := &discoveryv1.EndpointSlice{}
	if err := s.client.Get(s.t.Context(), EndpointSlice, slice); err != nil {
		s.t.Fatal(err)
	}
	slice.Endpoints = []discoveryv1.Endpoint{endpoints(true, address)}
	if err := s.client.Update(s.t.Context(), slice); err != nil {
		s.t.Fatal(err)
	}
	s.reads = 0
}

// want checks the addresses some time later, and how often the EndpointSlice has been read.
func (s *servers) want(later time.Duration, reads int, addresses ...string) {
	s.t.Helper()
	s.clock.SetTime(s.clock.Now().Add(later))
	var got []string
	for _, address := range s.All(s.t.Context()) {
		got = append(got, address.String())
	}
	slices.Sort(got)
	if diff := cmp.Diff(addresses, got); diff != "" || s.reads != reads {
		s.t.Errorf("read %d times, want %d (-want +got):\n%s", s.reads, reads, diff)
	}
}

// TestDeniedAddresses checks that the addresses of all API servers are known, follow changes within a
// minute, and are still known when nobody can say them.
func TestDeniedAddresses(t *testing.T) {
	s := newServers(t, "10.0.0.1")
	s.names["10.96.0.1:443"] = "10.96.0.1:443"
	s.want(0, 1, "10.0.0.1:6443", "10.96.0.1:443")
	// The name of the load balancer could not be resolved, so it is tried again soon.
	s.names["https://lb.example.com:6443"] = "192.0.2.1:6443"
	s.want(9*time.Second, 1, "10.0.0.1:6443", "10.96.0.1:443")
	s.want(time.Second, 2, "10.0.0.1:6443", "10.96.0.1:443", "192.0.2.1:6443")

	s.move("10.0.0.2")
	s.names["https://lb.example.com:6443"] = "192.0.2.2:6443"
	s.want(59*time.Second, 0, "10.0.0.1:6443", "10.96.0.1:443", "192.0.2.1:6443")
	s.want(time.Second, 1, "10.0.0.2:6443", "10.96.0.1:443", "192.0.2.2:6443")

	s.down, s.names = true, nil
	s.want(time.Minute, 2, "10.0.0.2:6443", "10.96.0.1:443", "192.0.2.2:6443")
	s.want(10*time.Second, 3, "10.0.0.2:6443", "10.96.0.1:443", "192.0.2.2:6443")
	s.down = false
	s.move("10.0.0.3")
	s.want(10*time.Second, 1, "10.0.0.3:6443", "10.96.0.1:443", "192.0.2.2:6443")
}

// TestDeniedAddressesOfEndedRequests checks that a caller that has given up does not keep the
// addresses from being found.
func TestDeniedAddressesOfEndedRequests(t *testing.T) {
	s := newServers(t, "10.0.0.1")
	resolve := s.Resolve
	s.Resolve = func(ctx context.Context, server string) []netip.AddrPort {
		if ctx.Err() != nil {
			t.Error("the context has ended")
		}
		if _, ok := ctx.Deadline(); !ok {
			t.Error("finding the addresses has no bound")
		}
		return resolve(ctx, server)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := s.All(ctx); len(got) != 1 {
		t.Errorf("addresses %v", got)
	}
}

// TestDeniedAddressesAtTheSameTime checks that callers at the same time cost one look.
func TestDeniedAddressesAtTheSameTime(t *testing.T) {
	s := newServers(t, "10.0.0.1")
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if got := s.All(t.Context()); len(got) != 1 {
				t.Errorf("addresses %v", got)
			}
		})
	}
	group.Wait()
	if s.reads != 1 {
		t.Errorf("read %d times", s.reads)
	}
}
