// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/assay-project/assay/internal/registry"
)

// TestTroubled checks what is reported about hosts: since when and until when they rest and why, and
// that an answer ends it. A host that answers as before is not reported as a change.
func TestTroubled(t *testing.T) {
	status := http.StatusOK
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if status != http.StatusOK {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(status)
			return
		}
		text(ociManifest, content)(w, r)
	})
	n := network()
	clock := clocktesting.NewFakePassiveClock(testNow)
	changes := 0
	n.Clock, n.HostChanged = clock, func() { changes++ }
	ask := func() { _, _ = s.repository(n, registry.Credential{}).Head(t.Context(), testDigest.String()) }
	check := func(name string, wantChanges int, want ...registry.HostState) {
		t.Helper()
		if diff := cmp.Diff(want, n.Troubled()); diff != "" || changes != wantChanges {
			t.Errorf("%s: %d changes, want %d; (-want +got):\n%s", name, changes, wantChanges, diff)
		}
	}
	host := s.host("registry")
	ask()
	check("it answers", 0)

	status = http.StatusTooManyRequests
	ask()
	limited := registry.HostState{
		Host: host, Since: testNow, Until: testNow.Add(time.Minute),
		Err: registry.Error{Code: registry.RateLimited, Host: host, Detail: "asks for fewer requests (status 429)"},
	}
	check("it asks for a rest", 1, limited)
	clock.SetTime(testNow.Add(time.Second))
	ask()
	check("it rests", 1, limited)

	clock.SetTime(testNow.Add(2 * time.Minute))
	check("the rest is over", 1, limited)
	status = http.StatusInternalServerError
	ask()
	check("it fails", 2, registry.HostState{
		Host: host, Since: testNow, Err: registry.Error{Code: registry.Unavailable, Host: host, Detail: "answered with status 500"},
	})
	status = http.StatusOK
	ask()
	check("it answers again", 3)

	s.Close()
	ask()
	clock.SetTime(testNow.Add(2*time.Minute + time.Second))
	ask()
	check("it is down", 4, registry.HostState{
		Host: host, Since: testNow.Add(2 * time.Minute), Until: testNow.Add(2*time.Minute + 5*time.Second),
		Err: registry.Error{Code: registry.Unavailable, Host: host, Detail: "cannot be reached, or broke off its answer"},
	})
}
