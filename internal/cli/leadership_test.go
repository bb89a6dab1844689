// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
)

// TestLeadership checks which requests a replica sends before it leads, while it does, and when it
// was frozen so long that another one may lead.
func TestLeadership(t *testing.T) {
	const (
		images  = "/apis/image.openshift.io/v1/images/app"
		lease   = "/apis/coordination.k8s.io/v1/namespaces/assay-system/leases/assay-manager"
		reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
		access  = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
	)
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	clock := clocktesting.NewFakePassiveClock(time.Unix(1_000_000, 0))
	l := &leadership{clock: clock}
	election, other := &rest.Config{Host: server.URL}, &rest.Config{Host: server.URL}
	l.observe(election)
	l.fence(other)
	request := func(config *rest.Config, method, path string) error {
		t.Helper()
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}
	renew := func(answer int, method string) {
		t.Helper()
		status = answer
		if err := request(election, method, lease); err != nil {
			t.Fatal(err)
		}
		status = http.StatusOK
	}
	sends := func(when string, writes bool) {
		t.Helper()
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			err := request(other, method, images)
			if (err == nil) != writes || err != nil && !errors.Is(err, errLeadership) {
				t.Errorf("%s: %s: %v, want it sent: %v", when, method, err, writes)
			}
			for _, path := range []string{reviews, access, images + "?dryRun=All"} {
				if err := request(other, method, path); err != nil {
					t.Errorf("%s: %s %s: %v", when, method, path, err)
				}
			}
		}
		if err := request(other, http.MethodGet, images); err != nil {
			t.Errorf("%s: GET: %v", when, err)
		}
	}

	sends("before anything", false)
	renew(http.StatusOK, http.MethodGet)
	renew(http.StatusConflict, http.MethodPut)
	sends("while another one leads", false)
	renew(http.StatusCreated, http.MethodPost)
	sends("as the first leader", true)
	clock.SetTime(clock.Now().Add(renewDeadline - time.Millisecond))
	sends("just before the deadline", true)
	clock.SetTime(clock.Now().Add(time.Millisecond))
	sends("at the deadline", false)
	clock.SetTime(clock.Now().Add(time.Hour))
	sends("an hour later", false)
	renew(http.StatusOK, http.MethodPut)
	sends("after a renewal", true)
	clock.SetTime(clock.Now().Add(-time.Hour))
	sends("after the clock was set back", true)
}
