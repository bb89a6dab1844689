// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// Times of leader election, which are the defaults of controller-runtime. Another replica leads
// leaseDuration after the last renewal at the earliest.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	renewInterval = 2 * time.Second
)

// errLeadership is why a write is not sent.
var errLeadership = errors.New("the lease was not renewed in time, so that another replica may lead")

// leadership is what this process knows of its lease. A process that was frozen, with its node or
// in a debugger, goes on where it stopped: with an old view of keys, and in the belief that it
// leads. Until leader election ends it, it would write verdicts and the allowlist as they were
// before, and bring back what another replica has revoked meanwhile.
//
// The resource version of an object does not prevent that by itself, because the watch of that
// object may be ahead of the watch of the keys. It does for a process that is frozen between the
// look at the lease and the write.
//
// This is for all writes, and costs no request. The allowlist asks the API server as well.
type leadership struct {
	clock clock.PassiveClock
	// renewed is when the last request began that renewed the lease; nil for never.
	renewed atomic.Pointer[time.Time]
}

// observe wraps the client of leader election.
func (l *leadership) observe(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &wrapped{next, func(request *http.Request) (*http.Response, error) {
			begun := l.clock.Now()
			response, err := next.RoundTrip(request)
			isLease := strings.Contains(request.URL.Path, "/leases")
			if err == nil && isLease && writes(request) && response.StatusCode < http.StatusMultipleChoices {
				l.renewed.Store(&begun)
			}
			return response, err
		}}
	})
}

// fence wraps every other client: it sends no writes once another replica may lead.
func (l *leadership) fence(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &wrapped{next, func(request *http.Request) (*http.Response, error) {
			if writes(request) && !l.isCurrent() {
				if request.Body != nil {
					_ = request.Body.Close() // A RoundTripper has to, and nothing was read.
				}
				return nil, errLeadership
			}
			return next.RoundTrip(request)
		}}
	})
}

// isCurrent reports whether the lease was renewed so lately that no other replica can lead. It goes
// by the clock that has advanced more: the monotonic one does not while a machine is suspended, and
// the wall clock can be set.
func (l *leadership) isCurrent() bool {
	renewed := l.renewed.Load()
	if renewed == nil {
		return false
	}
	now := l.clock.Now()
	wall := now.Round(0).Sub(renewed.Round(0))
	return max(now.Sub(*renewed), wall) < renewDeadline
}

// writes reports whether a request changes what is stored. Dry runs and reviews change nothing, and
// every replica makes reviews for its metrics endpoint.
func writes(request *http.Request) bool {
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return !request.URL.Query().Has("dryRun") && !strings.HasPrefix(request.URL.Path, "/apis/authentication.k8s.io/") &&
		!strings.HasPrefix(request.URL.Path, "/apis/authorization.k8s.io/")
}

// wrapped sends requests by a function around another http.RoundTripper, and tells which one that is:
// otherwise client-go cannot close idle connections, and says so in the log each time.
type wrapped struct {
	next http.RoundTripper
	send func(*http.Request) (*http.Response, error)
}

// RoundTrip implements http.RoundTripper.
func (w *wrapped) RoundTrip(request *http.Request) (*http.Response, error) { return w.send(request) }

var _ utilnet.RoundTripperWrapper = &wrapped{}

// WrappedRoundTripper implements utilnet.RoundTripperWrapper.
func (w *wrapped) WrappedRoundTripper() http.RoundTripper { return w.next }
