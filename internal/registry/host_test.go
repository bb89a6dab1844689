// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/assay-project/assay/internal/registry"
)

// quiet takes what servers log about clients that hang up.
var quiet = log.New(io.Discard, "", 0)

// TestRest checks that a host that asks for a rest gets no request until it is over, whichever
// client would send it, and that another host is asked as before.
func TestRest(t *testing.T) {
	date := testNow.Add(90 * time.Second).Format(http.TimeFormat)
	tests := map[string]struct {
		status int
		header map[string]string
		want   time.Duration
	}{
		"seconds":       {429, map[string]string{"Retry-After": "120"}, 2 * time.Minute},
		"a date":        {429, map[string]string{"Retry-After": date}, 90 * time.Second},
		"503":           {503, map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"not stated":    {429, nil, time.Minute},
		"nonsense":      {429, map[string]string{"Retry-After": "soon"}, time.Minute},
		"negative":      {429, map[string]string{"Retry-After": "-5"}, time.Minute},
		"in the past":   {429, map[string]string{"Retry-After": testNow.Add(-time.Hour).Format(http.TimeFormat)}, time.Second},
		"zero":          {429, map[string]string{"Retry-After": "0"}, time.Second},
		"a year":        {429, map[string]string{"Retry-After": "31536000"}, time.Hour},
		"half is used":  {200, map[string]string{"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "49;w=21600"}, 15 * time.Minute},
		"half is left":  {200, map[string]string{"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "50;w=21600"}, 0},
		"no limit":      {200, map[string]string{"RateLimit-Limit": "unlimited", "RateLimit-Remaining": "x"}, 0},
		"a large limit": {200, map[string]string{"RateLimit-Limit": "99999999999999999999", "RateLimit-Remaining": "0"}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				if tt.status != 200 {
					w.WriteHeader(tt.status)
					return
				}
				text(ociManifest, content)(w, r)
			})
			other := serve(t, text(ociManifest, content))
			n := network()
			clock := clocktesting.NewFakePassiveClock(testNow)
			n.Clock = clock
			_, err := s.repository(n, registry.Credential{}).Head(t.Context(), testDigest.String())
			if tt.status != 200 {
				if e := wantRefusal(t, err, registry.RateLimited, "asks for fewer requests"); e.RetryAfter() != tt.want {
					t.Errorf("RetryAfter is %s, want %s", e.RetryAfter(), tt.want)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if tt.want == 0 {
				return
			}
			clock.SetTime(testNow.Add(tt.want - time.Millisecond))
			_, err = s.repository(n, registry.Credential{Username: "a", Password: "b"}).Head(t.Context(), testDigest.String())
			if e := wantRefusal(t, err, registry.RateLimited, ""); e.RetryAfter() != time.Millisecond {
				t.Errorf("RetryAfter is %s later", e.RetryAfter())
			}
			if len(s.seen()) != 1 || n.Resting() != 1 {
				t.Errorf("%d requests, %d hosts rest", len(s.seen()), n.Resting())
			}
			if _, err := other.repository(n, registry.Credential{}).Head(t.Context(), testDigest.String()); err != nil {
				t.Errorf("another host: %v", err)
			}
			clock.SetTime(testNow.Add(tt.want))
			_, _ = s.repository(n, registry.Credential{}).Head(t.Context(), testDigest.String())
			if len(s.seen()) != 2 {
				t.Errorf("%d requests after the rest", len(s.seen()))
			}
		})
	}
}

// TestUnreachableHostRests checks that a host that does not answer is asked less and less often,
// and at once again when it has answered.
func TestUnreachableHostRests(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	n := network()
	now := testNow
	clock := clocktesting.NewFakePassiveClock(now)
	n.Clock = clock
	client := n.NewClient("registry.example.com:"+port, registry.Access{}, registry.Credential{})
	repository := client.Repository(named(t, "registry.example.com:"+port+"/team/app"))
	for _, want := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
		_, err := repository.Head(t.Context(), "v1")
		wantError(t, err, registry.Unavailable, "cannot be reached")
		if o := n.Outcome("registry.example.com:" + port); o.Err == nil || !o.Time.Equal(now) {
			t.Errorf("Outcome: %+v", o)
		}
		_, err = repository.Head(t.Context(), "v1")
		if e := wantRefusal(t, err, registry.Unavailable, "cannot be reached"); e.RetryAfter() != want*time.Second {
			t.Errorf("RetryAfter is %s, want %ds", e.RetryAfter(), want)
		}
		now = now.Add(want * time.Second)
		clock.SetTime(now)
	}
}

// TestOutcome checks what a host's state is made from.
func TestOutcome(t *testing.T) {
	var status atomic.Int32
	status.Store(200)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) })
	n := network()
	if o := n.Outcome(s.host("registry")); o != (registry.Outcome{}) {
		t.Errorf("before any request: %+v", o)
	}
	for code, want := range map[int32]bool{200: true, 404: true, 401: true, 500: false} {
		status.Store(code)
		_, _ = s.repository(n, registry.Credential{}).Head(t.Context(), testDigest.String())
		if o := n.Outcome(s.host("REGISTRY")); (o.Err == nil) != want {
			t.Errorf("after %d: %+v", code, o)
		}
	}
}

// TestRequestsThatEndDuringARest checks that an answer to a request that was sent before the host failed
// does not make it one that answers, and that requests that fail together lead to the rest of one.
func TestRequestsThatEndDuringARest(t *testing.T) {
	const together = 3
	waiting, fail, answer := make(chan struct{}, together+1), make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		waiting <- struct{}{}
		if strings.HasSuffix(r.URL.Path, "/slow") {
			<-answer
			return
		}
		<-fail
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	})
	n := network()
	n.Clock = clocktesting.NewFakePassiveClock(testNow)
	repository := s.repository(n, registry.Credential{})
	var failing, slow sync.WaitGroup
	for range together {
		failing.Go(func() { _, _ = repository.Head(t.Context(), "v1") })
	}
	slow.Go(func() { _, _ = repository.Head(t.Context(), "slow") })
	for range together + 1 {
		<-waiting
	}
	close(fail)
	failing.Wait()
	close(answer)
	slow.Wait()
	if o := n.Outcome(s.host("registry")); o.Err == nil || o.Err.Code != registry.Unavailable {
		t.Errorf("Outcome: %+v", o)
	}
	_, err := repository.Head(t.Context(), "v1")
	if e := wantRefusal(t, err, registry.Unavailable, "broke off"); e.RetryAfter() != 5*time.Second {
		t.Errorf("RetryAfter is %s", e.RetryAfter())
	}
}

// begin sends the beginning of an answer.
func begin(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte("a"))
	_ = http.NewResponseController(w).Flush()
}

// TestBrokenAnswers checks that a host that begins to answer and breaks off is one that does not answer:
// it rests for longer each time, and answers again when an answer has come to its end.
func TestBrokenAnswers(t *testing.T) {
	broken := true
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !broken {
			text(ociManifest, content)(w, r)
			return
		}
		begin(w)
		hangUp(w, r)
	})
	n := network()
	clock := clocktesting.NewFakePassiveClock(testNow)
	changes := 0
	n.Clock, n.HostChanged = clock, func() { changes++ }
	repository := s.repository(n, registry.Credential{})
	now := testNow
	for _, rest := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		_, err := repository.Manifest(t.Context(), testDigest, 1000)
		wantError(t, err, registry.Unavailable, "broke off")
		_, err = repository.Manifest(t.Context(), testDigest, 1000)
		if e := wantRefusal(t, err, registry.Unavailable, "broke off"); e.RetryAfter() != rest {
			t.Errorf("RetryAfter is %s, want %s", e.RetryAfter(), rest)
		}
		now = now.Add(rest)
		clock.SetTime(now)
	}
	broken = false
	if _, err := repository.Manifest(t.Context(), testDigest, 1000); err != nil {
		t.Error(err)
	}
	if o := n.Outcome(s.host("registry")); o.Err != nil || len(n.Troubled()) != 0 || changes != 4 {
		t.Errorf("outcome %v, troubled %v, %d changes", o.Err, n.Troubled(), changes)
	}
}

// TestTimeUsedUp checks that a host rests if it has not answered in the time that it is given, before or
// after the head of its answer, and that it does not where other hosts had used up the time.
func TestTimeUsedUp(t *testing.T) {
	for name, tt := range map[string]struct {
		took    time.Duration
		begins  bool
		resting int
	}{
		"no answer":           {10 * time.Second, false, 1},
		"no end":              {10 * time.Second, true, 1},
		"no time to answer":   {9 * time.Second, false, 0},
		"no time for the end": {9 * time.Second, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			clock := clocktesting.NewFakePassiveClock(testNow)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if tt.begins {
					begin(w)
				}
				clock.SetTime(testNow.Add(tt.took))
				cancel(context.DeadlineExceeded)
				<-r.Context().Done()
			})
			n := network()
			n.Clock = clock
			_, err := s.repository(n, registry.Credential{}).Manifest(ctx, testDigest, 1000)
			wantError(t, err, registry.Unavailable, "in time")
			if n.Resting() != tt.resting {
				t.Errorf("%d hosts rest, want %d", n.Resting(), tt.resting)
			}
		})
	}
}

// TestRequestsAtATime checks that no more than four requests to a host are under way, whichever
// client sends them.
func TestRequestsAtATime(t *testing.T) {
	var now, most, total atomic.Int32
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		if total.Add(1) == 4 {
			close(release)
		}
		<-release
		now.Add(-1)
		text(ociManifest, content)(w, r)
	})
	n := network()
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() {
			if _, err := s.repository(n, registry.Credential{}).Manifest(t.Context(), testDigest, 1000); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most.Load() > 4 || total.Load() != 40 {
		t.Errorf("%d at a time of %d, want at most 4 of 40", most.Load(), total.Load())
	}
}

// TestRestAfterTLSError checks that a host whose certificate is not accepted rests for those who do
// not accept it, and is asked at once by a client that trusts another authority.
func TestRestAfterTLSError(t *testing.T) {
	s := serve(t, text(ociManifest, content))
	n := network()
	ask := func(c *registry.Client) error {
		_, err := c.Repository(named(t, s.host("registry")+"/team/app")).Head(t.Context(), testDigest.String())
		return err
	}
	distrusts := n.NewClient(s.host("registry"), registry.Access{RequestsPerSecond: 1000}, registry.Credential{})
	wantError(t, ask(distrusts), registry.TLSError, "unknown authority")
	if e := wantRefusal(t, ask(distrusts), registry.TLSError, "unknown authority"); e.RetryAfter() == 0 {
		t.Error("the host does not rest")
	}
	if err := ask(s.client(n, registry.Credential{})); err != nil {
		t.Errorf("with the authority: %v", err)
	}
	wantError(t, ask(distrusts), registry.TLSError, "unknown authority")
	// A rest that the host asks for is for all.
	limits := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	host := limits.host("registry")
	ask = func(c *registry.Client) error {
		_, err := c.Repository(named(t, host+"/team/app")).Head(t.Context(), testDigest.String())
		return err
	}
	distrusts = n.NewClient(host, registry.Access{RequestsPerSecond: 1000}, registry.Credential{})
	wantError(t, ask(distrusts), registry.TLSError, "")
	wantError(t, ask(limits.client(n, registry.Credential{})), registry.RateLimited, "")
	wantError(t, ask(distrusts), registry.RateLimited, "")
}
