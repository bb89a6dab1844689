// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
)

// host is what is known of a host: how many requests are under way, and how long it rests.
type host struct {
	name  string
	clock clock.PassiveClock
	slots chan struct{}

	mu       sync.Mutex
	limiter  *rate.Limiter
	restEnds time.Time
	why      Error
	// restBy is the transport that the rest is for when the cause is TLS: another one may trust
	// other authorities. Other rests are for all.
	restBy   *transport
	failures int
	last     Outcome
	// since is when the host first failed or began to rest; zero while it answers.
	since time.Time
}

// Outcome is what came of the last request to a host.
type Outcome struct {
	// Time of the last request; zero when there was none.
	Time time.Time
	// Err is nil when the host answered.
	Err *Error
}

// HostState is a host that rests, or that failed at the last request.
type HostState struct {
	// Host is host or host:port.
	Host string
	// Err is why.
	Err Error
	// Since is when it began.
	Since time.Time
	// Until is the end of the rest that the last request led to; zero for none. It may be over.
	Until time.Time
}

func newHost(name string, c clock.PassiveClock) *host {
	return &host{
		name: name, clock: c, slots: make(chan struct{}, requestsAtATime),
		limiter: rate.NewLimiter(defaultRate, defaultRate),
	}
}

// acquire waits for a turn to send a request. It fails at once while the host rests.
func (h *host) acquire(ctx context.Context, by *transport) error {
	if err := h.restingFor(by); err != nil {
		return err
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := h.limit(by.access.RequestsPerSecond).Wait(ctx)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = &Error{Code: RateLimited, Host: h.name, Detail: "has more requests waiting than can be sent in time"}
	default:
		// Others may have been told meanwhile to leave the host alone.
		err = h.restingFor(by)
	}
	if err != nil {
		h.release()
	}
	return err
}

func (h *host) release() { <-h.slots }

func (h *host) limit(perSecond int) *rate.Limiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	if want := rate.Limit(perSecond); h.limiter.Limit() != want {
		h.limiter.SetLimit(want)
		h.limiter.SetBurst(perSecond)
	}
	return h.limiter
}

// resting reports whether the host rests, for whatever transport.
func (h *host) resting() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.restEnds.After(h.clock.Now())
}

// restingFor returns the error of a request to a host that rests, nil if it does not. The result
// is an error and not an *Error, because a nil one would be an error.
func (h *host) restingFor(by *transport) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	wait := h.restEnds.Sub(h.clock.Now())
	if wait <= 0 || h.restBy != nil && h.restBy != by {
		return nil
	}
	e := h.why
	e.Wait = wait
	return &e
}

// rest lets the host rest, at least until the end of the present rest if that is for all. by is nil
// for a rest for all.
func (h *host) rest(d time.Duration, why Error, by *transport) {
	why.Host = h.name
	if ends := h.clock.Now().Add(min(d, maxRest)); ends.After(h.restEnds) || h.restBy != nil {
		h.restEnds, h.why, h.restBy = ends, why, by
	}
}

// rests reports whether the host failed or refused more requests, and rests for it. What ends
// meanwhile was sent before that, and says nothing newer.
func (h *host) rests(now time.Time) bool {
	return h.last.Err != nil && h.restBy == nil && h.restEnds.After(now)
}

// failed records that the host did not answer a transport. It rests for longer each time; requests that
// fail together count once.
func (h *host) failed(err *Error, by *transport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	if h.rests(now) {
		return
	}
	h.last = Outcome{Time: now, Err: err}
	h.trouble(now)
	if err.Code != TLSError {
		by = nil
	}
	h.rest(min(minFailureRest<<min(h.failures, 10), maxFailureRest), Error{Code: err.Code, Detail: err.Detail}, by)
	h.failures++
}

// refused records that the host must not be contacted.
func (h *host) refused(err *Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = Outcome{Time: h.clock.Now(), Err: err}
}

// answered records the head of an answer where it reports a failure or asks for a rest, and reports
// whether it does. Otherwise the end of the answer counts.
func (h *host) answered(response *http.Response) (recorded bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	status := response.StatusCode
	limited := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
	failed, half := status >= http.StatusInternalServerError, halfUsed(response.Header)
	if !limited && (!failed && !half || h.rests(now)) {
		return false
	}
	h.failures, h.last = 0, Outcome{Time: now}
	switch {
	case limited:
		why := Error{Code: RateLimited, Detail: "asks for fewer requests (status " + strconv.Itoa(status) + ")"}
		h.rest(retryAfter(response.Header.Get("Retry-After"), now), why, nil)
		why.Host = h.name
		h.last.Err = &why
	case failed:
		h.last.Err = fromStatus(h.name, status)
	default:
		h.rest(budgetRest, Error{Code: RateLimited, Detail: "counts requests, and half of them are used"}, nil)
	}
	h.trouble(now)
	return true
}

// completed records the end of an answer. It reports whether anything changed but the time.
func (h *host) completed() (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	if h.rests(now) {
		return false
	}
	h.failures, h.last = 0, Outcome{Time: now}
	changed = !h.since.IsZero()
	h.since = time.Time{}
	return changed
}

// trouble records since when the host fails or rests.
func (h *host) trouble(now time.Time) {
	if h.since.IsZero() {
		h.since = now
	}
}

// state returns what is wrong with the host, and false if nothing is.
func (h *host) state() (HostState, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := HostState{Host: h.name, Since: h.since}
	if h.restEnds.After(h.last.Time) {
		s.Until = h.restEnds
	}
	switch {
	case h.since.IsZero():
		return s, false
	case h.restEnds.After(h.clock.Now()):
		s.Err = h.why
	case h.last.Err != nil:
		s.Err = *h.last.Err
	default:
		return s, false // It only rested.
	}
	s.Err.Wait = 0
	return s, true
}

// outcome returns what came of the last request.
func (h *host) outcome() Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// retryAfter reads the header of that name: a number of seconds, or a date (RFC 9110 section
// 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31); err == nil {
		return max(time.Duration(seconds)*time.Second, time.Second)
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(t.Sub(now), time.Second)
	}
	return limitedRest
}

// halfUsed reports whether a registry that counts requests, as Docker Hub does, has fewer than
// half of them left: ratelimit-limit: 100;w=21600, ratelimit-remaining: 49;w=21600.
func halfUsed(header http.Header) bool {
	limit, ok := leading(header.Get("RateLimit-Limit"))
	remaining, ok2 := leading(header.Get("RateLimit-Remaining"))
	return ok && ok2 && limit > 0 && 2*remaining < limit
}

// leading returns the number before the first semicolon.
func leading(value string) (uint64, bool) {
	number, _, _ := strings.Cut(value, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 31)
	return n, err == nil
}
