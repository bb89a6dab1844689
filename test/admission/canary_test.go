// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/controllers/apiserver"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/apiserverstatus"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/test/admission/shards"
)

// canary is a checker with the permissions of the operator. The EndpointSlice of the API servers may
// not have loopback addresses, so dialing leads from others to those.
type canary struct {
	*testing.T
	*apiserver.Checker
	recorder *events.FakeRecorder
}

// newCanary returns a checker of API servers at 192.0.2.1:6443 and so on, which lead to the targets.
func newCanary(t *testing.T, targets ...string) *canary {
	t.Helper()
	config, err := cp.ConfigForUser(managerAccount, "system:serviceaccounts", "system:serviceaccounts:"+operatorNamespace)
	if err != nil {
		t.Fatal(err)
	}
	leads := map[string]string{}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("https"), Port: ptr.To[int32](6443)}},
	}
	for i, target := range targets {
		address := fmt.Sprintf("192.0.2.%d", i+1)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
		leads[address+":6443"] = target
	}
	c := &canary{T: t, recorder: events.NewFakeRecorder(100)}
	c.Checker = &apiserver.Checker{
		Client: operator.Client, Reader: operator.Client, Config: config, Namespace: operatorNamespace,
		Recorder: c.recorder, Clock: clock.RealClock{}, Interval: time.Second, Grace: 100 * time.Millisecond,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, leads[address])
		},
	}
	if err := admin.Create(t.Context(), slice); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		status := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: apiserverstatus.Name}}
		for _, object := range []client.Object{slice, status} {
			if err := admin.Delete(cleanupContext(t), object); client.IgnoreNotFound(err) != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// await checks until the API servers are in these states.
func (c *canary) await(want ...apiserverstatus.State) []apiserverstatus.Server {
	c.Helper()
	var servers []apiserverstatus.Server
	waitFor(c.T, fmt.Sprint("the states ", want), func() bool {
		if _, err := c.Check(c.Context()); err != nil {
			c.Fatal(err)
		}
		servers = c.status()
		states := make([]apiserverstatus.State, len(servers))
		for i := range servers {
			states[i] = servers[i].State
		}
		return slices.Equal(states, want)
	})
	return servers
}

// status returns what is stored.
func (c *canary) status() []apiserverstatus.Server {
	c.Helper()
	var stored corev1.ConfigMap
	if err := admin.Get(c.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: apiserverstatus.Name}, &stored); err != nil {
		c.Fatal(err)
	}
	servers, err := apiserverstatus.Decode(stored.Data)
	if err != nil {
		c.Fatal(err)
	}
	return servers
}

// wantEvents checks the events since the last call.
func (c *canary) wantEvents(want ...string) {
	c.Helper()
	var got []string
	for {
		select {
		case event := <-c.recorder.Events:
			got = append(got, event)
			continue
		default:
		}
		if diff := cmp.Diff(want, got); diff != "" {
			c.Errorf("events (-want +got):\n%s", diff)
		}
		return
	}
}

const (
	current     = apiserverstatus.Current
	stale       = apiserverstatus.Stale
	unknown     = apiserverstatus.Unknown
	noAllowlist = apiserverstatus.NoAllowlist
	noPolicy    = apiserverstatus.NoPolicy
	unfenced    = apiserverstatus.Unfenced
)

// TestCanary freezes one of two API servers. In every mode, that one is named and no other, until it
// is restarted. A third address does not answer, which is something else.
func TestCanary(t *testing.T) {
	second, address, err := cp.AddAPIServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.Kill(); err != nil {
			t.Error(err)
		}
	})
	nobody, err := controlplane.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	listed := state()
	listed.Scopes["registry.example.com/operated"] = "Enforce"
	writeAllowlist(t, listed, 2)
	c := newCanary(t, cp.Address(), address, nobody)
	c.await(current, current, unknown)
	c.wantEvents("Warning APIServerUnknown API server 192.0.2.3:6443: it cannot be reached")
	at := c.resourceVersion()
	c.await(current, current, unknown)
	if c.resourceVersion() != at {
		t.Error("an unchanged status was written again")
	}

	freeze(t)
	if err := second.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.await(current, current, unknown) // What is frozen is still the newest.
	c.wantEvents()
	delete(listed.Images, enforced+"/app@"+verified)
	writeShards(t, listed, 2)
	since := c.await(stale, current, unknown)[0].Since
	c.wantEvents("Warning APIServerStale API server 192.0.2.1:6443: its copy of shard assay-allowlist-2-0 is outdated")
	for _, mode := range []string{"audit", "warn", "enforce"} {
		if err := install(t.Context(), mode); err != nil {
			t.Fatal(err)
		}
		if servers := c.await(stale, current, unknown); !servers[0].Since.Equal(&since) {
			t.Errorf("%s: stale since %s, want %s", mode, servers[0].Since, since)
		}
	}

	if err := cp.APIServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.await(current, current, unknown)
	c.wantEvents("Normal APIServerCurrent API server 192.0.2.1:6443 has the newest allowlist")
	waitForOutcome(t, enforced+"/app@"+unverified, denied)
}

func (c *canary) resourceVersion() string {
	c.Helper()
	var stored corev1.ConfigMap
	if err := admin.Get(c.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: apiserverstatus.Name}, &stored); err != nil {
		c.Fatal(err)
	}
	return stored.ResourceVersion
}

// TestCanaryWithoutAllowlist freezes an API server that has no shard.
func TestCanaryWithoutAllowlist(t *testing.T) {
	removeAllowlist(t)
	c := newCanary(t, cp.Address())
	if _, err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopWatching(t)
	writeShards(t, state(), 2)
	c.await(noAllowlist)
	if err := cp.APIServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.await(current)
}

// TestCanaryMissesAShard freezes an API server that has one of two shards, or one too many.
func TestCanaryMissesAShard(t *testing.T) {
	listed := state()
	listed.Scopes["registry.example.com/operated"] = "Enforce"
	writeAllowlist(t, listed, 2)
	second := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: allowlist.Name(2, 1)}}
	if err := admin.Delete(t.Context(), second.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	c := newCanary(t, cp.Address())
	c.await(current)
	stopWatching(t)
	missing := shards.Encode(t, listed, operatorNamespace, 2)[1]
	if err := admin.Create(t.Context(), missing); err != nil {
		t.Fatal(err)
	}
	if got := c.await(stale)[0].Message; got != "it does not have shard assay-allowlist-2-1" {
		t.Errorf("one shard is missing: %s", got)
	}
	writeShards(t, listed, 1)
	if got := c.await(stale)[0].Message; !strings.Contains(got, "assay-allowlist-2-0, which is not part of the allowlist") {
		t.Errorf("the shards have changed in number: %s", got)
	}
	if err := cp.APIServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.await(current)
}

// TestCanaryOfTheFence lets the account of the fence use everything, as in a cluster that permits
// all, and takes everything from it.
func TestCanaryOfTheFence(t *testing.T) {
	writeAllowlist(t, state(), 1)
	c := newCanary(t, cp.Address())
	c.await(current)
	all := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "everybody-may-do-everything"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:serviceaccounts"}},
	}
	if err := admin.Create(t.Context(), all.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	c.await(unfenced)
	if err := admin.Delete(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	c.await(current)
	shard := shards.Encode(t, state(), operatorNamespace, 1)[0]
	shard.Data["epoch"] = "withdrawn"
	if err := admin.Update(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	if got := c.await(stale)[0].Message; !strings.Contains(got, "authorizer does not know") {
		t.Errorf("an epoch that does not count: %s", got)
	}
	writeAllowlist(t, state(), 1)
	c.await(current)
}

// TestCanaryWithoutPolicy removes the policy, and checks API servers that are none of the cluster's.
func TestCanaryWithoutPolicy(t *testing.T) {
	writeAllowlist(t, state(), 1)
	c := newCanary(t, cp.Address())
	c.await(current)
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: allowlist.CanaryPolicy}}
	if err := admin.Delete(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	c.await(noPolicy)
	if err := install(t.Context(), "enforce"); err != nil {
		t.Fatal(err)
	}
	c.await(current)

	// Neither a server with another certificate, nor one that is not asked for it, learns anything.
	config := c.Config
	foreign := rest.CopyConfig(config)
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	foreign.CAData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.Certificate().Raw})
	unverified := rest.CopyConfig(config)
	unverified.Insecure, unverified.CAData = true, nil
	for want, config := range map[string]*rest.Config{
		"its certificate cannot be verified": foreign,
		"it could not be asked":              unverified,
	} {
		other := newCheckerFrom(c, config)
		if _, err := other.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.status()[0]; got.State != unknown || !strings.HasPrefix(got.Message, want) {
			t.Errorf("got %+v, want %s", got, want)
		}
	}

	// The addresses of the last round are not known to be right any more.
	var slice discoveryv1.EndpointSlice
	if err := admin.Get(t.Context(), apiserver.EndpointSlice, &slice); err != nil {
		t.Fatal(err)
	}
	c.await(current)
	if err := admin.Delete(t.Context(), &slice); err != nil {
		t.Fatal(err)
	}
	if got := c.await(unknown)[0]; got.Address != "192.0.2.1:6443" {
		t.Errorf("without an EndpointSlice: %+v", got)
	}
}

// newCheckerFrom returns a checker with another client configuration.
func newCheckerFrom(c *canary, config *rest.Config) *apiserver.Checker {
	return &apiserver.Checker{
		Client: c.Client, Reader: c.Reader, Config: config, Namespace: c.Namespace, Recorder: c.Recorder,
		Clock: c.Clock, Interval: c.Interval, Grace: c.Grace, Dial: c.Dial,
	}
}

// TestCanaryIsNobodysConfigMap checks that the ConfigMap cannot be created, and that the status of
// the API servers is the operator's alone.
func TestCanaryIsNobodysConfigMap(t *testing.T) {
	writeAllowlist(t, state(), 1)
	named := func(name string, labels map[string]string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: name, Labels: labels}}
	}
	wantError(t, admin.Create(t.Context(), named(allowlist.CanaryName, nil)), "canary=assay-allowlist-1-0/")
	wantError(t, editor.Create(t.Context(), named("another", nil), client.DryRunAll), "")
	elsewhere := named(allowlist.CanaryName, nil)
	elsewhere.Namespace = "default"
	wantError(t, editor.Create(t.Context(), elsewhere, client.DryRunAll), "")
	c := newCanary(t, cp.Address())
	c.await(current)
	status := named(apiserverstatus.Name, nil)
	wantError(t, editor.Update(t.Context(), status), aboutShards)
	wantError(t, editor.Delete(t.Context(), status), aboutShards)
}
