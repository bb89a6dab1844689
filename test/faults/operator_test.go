// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/assay-project/assay/controllers"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/registry"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// operator is Assay's controllers in this process, with the permissions of the manager. It records
// what they do, in order, so that a test need not measure time, and its clock can be set.
type operator struct {
	clock shiftedClock

	mu  sync.Mutex
	log []action
	// turns has how many Images a change of trust had been evaluated for when one that is in it was.
	turns map[string]int
}

// action is what the operator did with an Image or a TrustPolicy.
type action struct {
	verb actionVerb
	name string
	ok   bool
}

type actionVerb string

const (
	// evaluate is the read of an Image that begins its evaluation.
	evaluate actionVerb = "evaluate"
	// patch and patchStatus are writes.
	patch       actionVerb = "patch"
	patchStatus actionVerb = "patch status"
)

// startOperator runs the operator until the end of the test. A process can do so once: the metrics
// are global.
func startOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	scheme, err := controllers.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, NewCache: controllers.NewCache(imagecache.DefaultRoom), Cache: controllers.CacheOptions(manager.Namespace),
		NewClient: o.newClient, Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Namespace: manager.Namespace, RecheckInterval: 10 * time.Hour, Workers: 8, AllowlistTTL: 24 * time.Hour, Clock: &o.clock,
		Network: &registry.Network{AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return o
}

// newClient returns a client that records.
func (o *operator) newClient(config *rest.Config, options client.Options) (client.Client, error) {
	direct, err := client.NewWithWatch(config, options)
	if err != nil {
		return nil, err
	}
	return interceptor.NewClient(direct, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if _, ok := obj.(*imagecache.Image); ok {
				o.record(action{evaluate, key.Name, true})
			}
			return c.Get(ctx, key, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
			err := c.Patch(ctx, obj, p, opts...)
			o.record(action{patch, obj.GetName(), err == nil})
			return err
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			err := c.SubResource(sub).Patch(ctx, obj, p, opts...)
			name := obj.GetName()
			if obj.GetObjectKind().GroupVersionKind().Kind == "TrustPolicy" {
				name = policyAction(name)
			}
			o.record(action{patchStatus, name, err == nil})
			return err
		},
	}), nil
}

// policyAction is the name of a TrustPolicy in the record.
func policyAction(name string) string { return "TrustPolicy " + name }

func (o *operator) record(a action) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, a)
	if turn, ok := o.turns[a.name]; ok && turn < 0 && a.verb == evaluate {
		o.turns[a.name] = reconciliations("trustchange")
	}
}

// watchTurns returns a function that returns, for some Images, how many others a change of trust has
// been evaluated for before them, counted from now on.
func (o *operator) watchTurns(names []string) (turns func() map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turns = map[string]int{}
	for _, name := range names {
		o.turns[name] = -1
	}
	begin := reconciliations("trustchange")
	return func() map[string]int {
		o.mu.Lock()
		defer o.mu.Unlock()
		counted := map[string]int{}
		for name, turn := range o.turns {
			counted[name] = turn - begin
		}
		return counted
	}
}

// reconciliations returns how often a controller of this process has reconciled something.
func reconciliations(controller string) int {
	families, err := metrics.Registry.Gather()
	if err != nil {
		return 0 // An error of another metric.
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "controller" && label.GetValue() == controller {
					sum += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return int(sum)
}

// mark returns the present end of the record.
func (o *operator) mark() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.log)
}

// since returns the record from a mark on.
func (o *operator) since(mark int) []action {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log[mark:len(o.log):len(o.log)]
}

// until returns the record from a mark up to the first of some actions, and all of it if none was
// done.
func (o *operator) until(mark int, is func(action) bool) []action {
	log := o.since(mark)
	for i, a := range log {
		if is(a) {
			return log[:i]
		}
	}
	return log
}

// shiftedClock is the real clock, set to another time.
type shiftedClock struct{ offset atomic.Int64 }

// Now returns the time.
func (c *shiftedClock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Since returns how long ago a time was.
func (c *shiftedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// advance sets the clock forward, or back.
func (c *shiftedClock) advance(by time.Duration) { c.offset.Add(int64(by)) }
