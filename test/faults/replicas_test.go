// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// TestLeaderDies: the leader of two replicas dies during 2,000 verifications, and the other one
// continues. Nothing is lost or done twice.
func TestLeaderDies(t *testing.T) {
	const images = 2000
	s := newScenario(t, "leader-dies")
	s.createImages(images)
	changes := s.watchImages()
	first := s.startManager("--leader-elect")
	before := s.awaitLeader("")
	second := s.startManager("--leader-elect")
	changes.untilVerdicts(images / 3)
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	// An ongoing renewal extends the observed time, and the other replica sees an ongoing patch.
	died := s.lease()
	if done := changes.verdicts(); done >= images {
		t.Fatal("all verdicts were written before the leader was killed: there was no middle")
	}

	after := s.awaitLeader(*before.Spec.HolderIdentity)
	if got, want := *after.Spec.LeaseTransitions, *died.Spec.LeaseTransitions+1; got != want {
		t.Errorf("the lease has %d leader transitions, want %d", got, want)
	}
	// The API server's records, not a clock, determine how long the lease was not valid.
	lease := time.Duration(*died.Spec.LeaseDurationSeconds) * time.Second
	waited := after.Spec.AcquireTime.Sub(died.Spec.RenewTime.Time)
	t.Logf("the other replica leads %s after the last renewal of a lease of %s", waited, lease)
	if waited < lease || waited > 2*lease {
		t.Errorf("the lease was taken over after %s, and it held for %s", waited, lease)
	}
	changes.untilVerdicts(images)
	s.settle()
	for name := range s.want {
		if n := changes.of(name); n != 2 {
			t.Errorf("%s was changed %d times, want once for its signatures and once for its status", name, n)
		}
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
}

// TestLeaderResigns: a leader that terminates releases the lease, so that the other replica need
// not wait for its expiration.
func TestLeaderResigns(t *testing.T) {
	s := newScenario(t, "leader-resigns")
	holders := s.watchLease()
	first := s.startManager("--leader-elect")
	leader := *s.awaitLeader("").Spec.HolderIdentity
	s.startManager("--leader-elect")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	next := *s.awaitLeader(leader).Spec.HolderIdentity
	var seen []string
	for holder := range holders {
		if len(seen) == 0 || seen[len(seen)-1] != holder {
			seen = append(seen, holder)
		}
		if holder == next {
			break
		}
	}
	if n := len(seen); n < 3 || seen[n-3] != leader || seen[n-2] != "" {
		t.Errorf("the lease was held by %q, want by the first, then by nobody, then by the other", seen)
	}
}

// TestReady: a manager is not ready before its caches are synchronized. A replica that does not
// lead is ready, too; otherwise a rollout would never complete.
func TestReady(t *testing.T) {
	s := newScenario(t, "ready")
	probes := fixture.FreeAddress(t)
	restore := s.withhold("trustpolicies")
	m := s.startManager("--health-probe-bind-address="+probes, "--leader-elect")
	s.eventually("the manager to be alive and not ready", func(ctx context.Context) (bool, string) {
		alive, err := probe(ctx, probes, "healthz")
		ready, err2 := probe(ctx, probes, "readyz")
		return alive == http.StatusOK && ready == http.StatusInternalServerError, fmt.Sprint(alive, ready, err, err2)
	})
	restore()
	isReady := func(address string) func(context.Context) (bool, string) {
		return func(ctx context.Context) (bool, string) {
			status, err := probe(ctx, address, "readyz")
			return status == http.StatusOK, fmt.Sprint(status, err)
		}
	}
	s.eventually("the manager to be ready", isReady(probes))
	leader := *s.awaitLeader("").Spec.HolderIdentity
	other := fixture.FreeAddress(t)
	s.startManager("--health-probe-bind-address="+other, "--leader-elect")
	s.eventually("the replica that does not lead to be ready", isReady(other))
	if holder := *s.lease().Spec.HolderIdentity; holder != leader {
		t.Errorf("%q leads, want still %q", holder, leader)
	}
	if !m.Running() {
		t.Error("the leader has ended")
	}
}

// withhold removes the manager's permission to read a resource of assay.dev. The returned function,
// or the end of the test, restores it.
func (s *scenario) withhold(resource string) (restore func()) {
	s.Helper()
	var role rbacv1.ClusterRole
	if err := admin.Get(s.Context(), client.ObjectKey{Name: "assay-manager-role"}, &role); err != nil {
		s.Fatal(err)
	}
	write := func(rules []rbacv1.PolicyRule) error {
		patch := client.MergeFrom(role.DeepCopy())
		role.Rules = rules
		return admin.Patch(context.WithoutCancel(s.Context()), &role, patch)
	}
	all := role.Rules
	var rest []rbacv1.PolicyRule
	withheld := 0
	for _, rule := range all {
		others := slices.DeleteFunc(slices.Clone(rule.Resources), func(r string) bool { return r == resource })
		withheld += len(rule.Resources) - len(others)
		if rule.Resources = others; len(others) > 0 {
			rest = append(rest, rule)
		}
	}
	if withheld != 1 {
		s.Fatalf("%d rules for %s, want one", withheld, resource)
	}
	if err := write(rest); err != nil {
		s.Fatal(err)
	}
	// The API server takes a moment to see the change, and a manager that starts meanwhile may
	// read.
	s.eventually("the permission to be gone", func(ctx context.Context) (bool, string) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               managerUser,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Group: "assay.dev", Resource: resource},
		}}
		err := admin.Create(ctx, review)
		return err == nil && !review.Status.Allowed, fmt.Sprint(review.Status, err)
	})
	restore = func() {
		s.Helper()
		if err := write(all); err != nil {
			s.Error(err)
		}
	}
	s.Cleanup(restore)
	return restore
}

// probe returns the status of a probe's response.
func probe(ctx context.Context, address, name string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/"+name, http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }() // Only read.
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

var leaseKey = client.ObjectKey{Namespace: manager.Namespace, Name: "assay-manager"}

func (s *scenario) lease() *coordinationv1.Lease {
	s.Helper()
	lease := &coordinationv1.Lease{}
	if err := admin.Get(s.Context(), leaseKey, lease); err != nil {
		s.Fatal(err)
	}
	return lease
}

// awaitLeader waits until another holder than the given one has the lease and has renewed it since
// the test began.
func (s *scenario) awaitLeader(other string) *coordinationv1.Lease {
	s.Helper()
	begin := metav1.NowMicro()
	lease := &coordinationv1.Lease{}
	s.eventually("another leader than "+other, func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, leaseKey, lease); err != nil {
			return false, err.Error()
		}
		holder := *lease.Spec.HolderIdentity
		return holder != "" && holder != other && !lease.Spec.RenewTime.Before(&begin), holder
	})
	return lease
}

// watchLease records the holder of the lease after each of its writes.
func (s *scenario) watchLease() <-chan string {
	s.Helper()
	events, err := admin.Watch(s.Context(), &coordinationv1.LeaseList{}, client.InNamespace(manager.Namespace))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(events.Stop)
	const room = 1000 // The lease is renewed every two seconds.
	holders := make(chan string, room)
	go func() {
		defer close(holders)
		for event := range events.ResultChan() {
			if lease, ok := event.Object.(*coordinationv1.Lease); ok && event.Type != watch.Deleted && lease.Name == leaseKey.Name {
				holders <- *lease.Spec.HolderIdentity
			}
		}
	}()
	return holders
}
