// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registryconfig

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/importer"
	"github.com/assay-project/assay/internal/registry"
	"github.com/assay-project/assay/internal/trust"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// stored is a cache of one RegistryConfig and its Secret.
type stored struct {
	client.Reader
	config assayv1alpha1.RegistryConfig
	secret corev1.Secret
}

func (s *stored) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if configs, ok := list.(*assayv1alpha1.RegistryConfigList); ok {
		configs.Items = []assayv1alpha1.RegistryConfig{*s.config.DeepCopy()}
	}
	return nil
}

func (s *stored) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if secret, ok := object.(*corev1.Secret); ok {
		*secret = *s.secret.DeepCopy()
	}
	return nil
}

// host is a server that answers, or fails.
type host struct {
	name  string
	fails atomic.Bool
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case h.fails.Load():
			w.WriteHeader(http.StatusInternalServerError)
		case strings.HasPrefix(r.URL.Path, "/v2/private/") && r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	h.name = s.Listener.Addr().String()
	return h
}

// process is a manager that was started. What it has met with and emitted ends with it.
type process struct {
	t       *testing.T
	stored  *stored
	network *registry.Network
	configs *importer.Configs
	clock   *clocktesting.FakePassiveClock
	r       *Reconciler
	events  *events.FakeRecorder
	writes  int
}

func start(t *testing.T, s *stored) *process {
	t.Helper()
	p := &process{t: t, stored: s, clock: clocktesting.NewFakePassiveClock(t0), events: events.NewFakeRecorder(16)}
	p.network = &registry.Network{
		AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Proxy:            func(*http.Request) (*url.URL, error) { return nil, nil },
	}
	p.configs = &importer.Configs{Client: s, Namespace: "assay-system", Network: p.network}
	p.r = New(nil, p.configs, p.events, p.clock)
	return p
}

// ask has a host asked, which answers or fails.
func (p *process) ask(h *host, fails bool) {
	p.t.Helper()
	h.fails.Store(fails)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+h.name, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := p.network.HTTPClient(registry.Access{Insecure: true}).Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = response.Body.Close()
}

// check writes the status as Reconcile does, and compares the reason and the events since the last time.
func (p *process) check(name, reason string, want ...string) {
	p.t.Helper()
	snapshot, err := p.configs.Snapshot(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	before := p.stored.config.DeepCopy()
	applyStatus(&p.stored.config, snapshot.ByName("team"), metav1.NewTime(p.clock.Now()))
	if !equality.Semantic.DeepEqual(before.Status, p.stored.config.Status) {
		p.writes++
		p.r.recordTransition(p.t.Context(), before, &p.stored.config)
	}
	if got := meta.FindStatusCondition(p.stored.config.Status.Conditions, assayv1alpha1.ReadyCondition).Reason; got != reason {
		p.t.Errorf("%s: reason %s, want %s", name, got, reason)
	}
	var got []string
	for len(p.events.Events) > 0 {
		got = append(got, strings.Fields(<-p.events.Events)[1])
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s: events %v, want %v", name, got, want)
	}
}

func team(hosts ...*host) *stored {
	s := &stored{}
	s.config.Name, s.config.UID, s.config.Generation = "team", "uid", 1
	s.config.Spec = assayv1alpha1.RegistryConfigSpec{Insecure: true, Scopes: []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(hosts[0].name)}}
	for _, h := range hosts[1:] {
		s.config.Spec.Lookaside = assayv1alpha1.StoreURL("http://" + h.name)
	}
	return s
}

// TestEventsOnce checks that a restart repeats no event and writes nothing, in whatever order the hosts are
// asked, and that a host that comes and goes emits one of each for as long as they are there.
func TestEventsOnce(t *testing.T) {
	const ok, down = false, true
	hub, lookaside := newHost(t), newHost(t)
	s := team(hub, lookaside)
	p := start(t, s)
	p.check("new", "NotContacted", "NotContacted")
	p.ask(hub, ok)
	p.check("the registry answers", "Reachable", "Reachable")
	p.ask(lookaside, down)
	p.check("the store fails", "Unavailable", "Unavailable")

	for name, hosts := range map[string][]*host{"registry first": {hub, lookaside}, "store first": {lookaside, hub}} {
		p = start(t, s)
		p.check(name+": a restart", "Unavailable")
		for _, h := range hosts {
			p.ask(h, h == lookaside)
			p.check(name, "Unavailable")
		}
		if p.writes != 0 {
			t.Errorf("%s: %d writes", name, p.writes)
		}
	}

	p = start(t, s)
	p.ask(lookaside, ok)
	p.check("the store answers after a restart", "Reachable", "Reachable")
	p.ask(hub, down)
	p.check("the registry fails", "Unavailable", "Unavailable")
	for range 5 {
		p.ask(hub, ok)
		p.check("the registry comes", "Reachable")
		p.ask(hub, down)
		p.check("the registry goes", "Unavailable")
	}
	p.clock.SetTime(t0.Add(time.Hour))
	p.ask(hub, ok)
	p.check("an hour later", "Reachable", "Reachable")

	p = start(t, s)
	p.ask(lookaside, down)
	p.check("another failure after a restart", "Unavailable", "Unavailable")
}

// TestCredentialAfterRestart checks that a credential that was refused counts as refused until it was used
// again.
func TestCredentialAfterRestart(t *testing.T) {
	hub := newHost(t)
	s := team(hub)
	s.config.Spec.Credentials = &assayv1alpha1.RegistryCredentials{SecretRef: assayv1alpha1.ObjectRef{Name: "pull"}}
	s.secret.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"` + hub.name + `":{"username":"a","password":"b"}}}`)}
	s.config.Status.Conditions = []metav1.Condition{{
		Type: assayv1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: assayv1alpha1.ReasonUnauthorized,
		Message: refusedMessage, ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(t0),
	}}
	p := start(t, s)
	p.check("a restart", "Unauthorized")
	p.ask(hub, false)
	p.check("something else is asked", "Unauthorized")
	planner := &importer.Planner{Configs: p.configs, Trust: &trust.Store{Client: s, Namespace: "assay-system"}}
	named, err := reference.ParseNormalizedNamed(hub.name + "/private/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	tagged, _ := named.(reference.NamedTagged)
	_, _ = planner.ResolveTag(t.Context(), tagged) // The answer has no digest; the credential was taken.
	p.check("the credential is accepted", "Reachable", "Reachable")
}
