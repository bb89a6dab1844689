// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package metricsauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	clocktesting "k8s.io/utils/clock/testing"
)

var errBroken = errors.New("broken")

// apiServer answers reviews. Tokens are names of users; readers may get the metrics.
type apiServer struct {
	users, readers  []string
	tokens, access  func(context.Context) error // May be nil.
	mu              sync.Mutex
	reviewedTokens  []string
	reviewedAccess  []authorizationv1.SubjectAccessReviewSpec
	evaluationError string
}

type tokenReviews struct {
	authenticationv1client.TokenReviewInterface
	*apiServer
}

type accessReviews struct {
	authorizationv1client.SubjectAccessReviewInterface
	*apiServer
}

func (s tokenReviews) Create(ctx context.Context, r *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	s.mu.Lock()
	s.reviewedTokens = append(s.reviewedTokens, r.Spec.Token)
	known := slices.Contains(s.users, r.Spec.Token)
	s.mu.Unlock()
	if s.tokens != nil {
		if err := s.tokens(ctx); err != nil {
			return nil, err
		}
	}
	answer := &authenticationv1.TokenReview{Status: authenticationv1.TokenReviewStatus{Error: "invalid bearer token"}}
	if known {
		answer.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: userInfo(r.Spec.Token)}
	}
	return answer, nil
}

func (s accessReviews) Create(ctx context.Context, r *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	s.mu.Lock()
	s.reviewedAccess = append(s.reviewedAccess, r.Spec)
	isReader := slices.Contains(s.readers, r.Spec.User)
	s.mu.Unlock()
	if s.access != nil {
		if err := s.access(ctx); err != nil {
			return nil, err
		}
	}
	return &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{
		Allowed: isReader, EvaluationError: s.evaluationError,
	}}, nil
}

func userInfo(name string) authenticationv1.UserInfo {
	return authenticationv1.UserInfo{
		Username: name, UID: "uid of " + name, Groups: []string{"system:authenticated"},
		Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a", "b"}},
	}
}

// endpoint is the filter in front of a handler that answers "metrics".
type endpoint struct {
	http.Handler
	server *apiServer
	clock  *clocktesting.FakePassiveClock
}

func newEndpoint(t *testing.T, server *apiServer) *endpoint {
	t.Helper()
	clock := clocktesting.NewFakePassiveClock(time.Unix(1_700_000_000, 0))
	f := newFilter(&reviewer{
		tokens: tokenReviews{apiServer: server}, access: accessReviews{apiServer: server}, slots: make(chan struct{}, maxReviews),
	}, clock)
	handler, err := f.wrap(logr.Discard(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "metrics")
	}))
	if err != nil {
		t.Fatal(err)
	}
	return &endpoint{handler, server, clock}
}

// get requests the metrics with a token and returns the status.
func (e *endpoint) get(ctx context.Context, token string) int {
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, metricsPath, http.NoBody)
	req.Header.Set("Authorization", "Bearer "+token)
	return e.serve(req).Code
}

func (e *endpoint) serve(req *http.Request) *httptest.ResponseRecorder {
	response := httptest.NewRecorder()
	e.ServeHTTP(response, req)
	return response
}

func (e *endpoint) wantReviews(t *testing.T, tokens, access int) {
	t.Helper()
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	if len(e.server.reviewedTokens) != tokens || len(e.server.reviewedAccess) != access {
		t.Errorf("reviews of %d tokens and %d users, want %d and %d",
			len(e.server.reviewedTokens), len(e.server.reviewedAccess), tokens, access)
	}
}

func team() *apiServer {
	return &apiServer{users: []string{"prometheus", "visitor"}, readers: []string{"prometheus"}}
}

func TestTokens(t *testing.T) {
	tests := map[string]struct {
		authorization  []string
		want           int
		tokens, access int
	}{
		"a reader":              {[]string{"Bearer prometheus"}, http.StatusOK, 1, 1},
		"another spelling":      {[]string{"bEARER   prometheus"}, http.StatusOK, 1, 1},
		"not a reader":          {[]string{"Bearer visitor"}, http.StatusForbidden, 1, 1},
		"an unknown token":      {[]string{"Bearer forged"}, http.StatusUnauthorized, 1, 0},
		"no header":             {nil, http.StatusUnauthorized, 0, 0},
		"an empty header":       {[]string{""}, http.StatusUnauthorized, 0, 0},
		"two headers":           {[]string{"Bearer prometheus", "Bearer prometheus"}, http.StatusUnauthorized, 0, 0},
		"another scheme":        {[]string{"Basic prometheus"}, http.StatusUnauthorized, 0, 0},
		"no token":              {[]string{"Bearer "}, http.StatusUnauthorized, 0, 0},
		"no scheme":             {[]string{"prometheus"}, http.StatusUnauthorized, 0, 0},
		"two tokens":            {[]string{"Bearer prometheus prometheus"}, http.StatusUnauthorized, 0, 0},
		"a control character":   {[]string{"Bearer prometheus\x00"}, http.StatusUnauthorized, 0, 0},
		"not ASCII":             {[]string{"Bearer promethe\u00fcs"}, http.StatusUnauthorized, 0, 0},
		"not UTF-8":             {[]string{"Bearer prometheus\xff"}, http.StatusUnauthorized, 0, 0},
		"as long as allowed":    {[]string{"Bearer " + strings.Repeat("a", maxTokenBytes)}, http.StatusUnauthorized, 1, 0},
		"longer than allowed":   {[]string{"Bearer " + strings.Repeat("a", maxTokenBytes+1)}, http.StatusUnauthorized, 0, 0},
		"a token and no scheme": {[]string{" prometheus"}, http.StatusUnauthorized, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t, team())
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, metricsPath, http.NoBody)
			for _, value := range test.authorization {
				req.Header.Add("Authorization", value)
			}
			got := e.serve(req)
			if got.Code != test.want {
				t.Errorf("status %d, want %d", got.Code, test.want)
			}
			if served := got.Body.String() == "metrics"; served != (test.want == http.StatusOK) {
				t.Errorf("status %d with body %q", got.Code, got.Body)
			}
			if challenge := got.Header().Get("WWW-Authenticate"); (challenge == "Bearer") != (test.want == http.StatusUnauthorized) {
				t.Errorf("status %d with challenge %q", got.Code, challenge)
			}
			e.wantReviews(t, test.tokens, test.access)
		})
	}
}

// TestRequests: only a GET of /metrics without a body causes a review.
func TestRequests(t *testing.T) {
	chunked := func(req *http.Request) { req.ContentLength = -1 }
	tests := map[string]struct {
		method, target, body string
		change               func(*http.Request)
		want                 int
	}{
		"metrics":             {http.MethodGet, "/metrics", "", nil, http.StatusOK},
		"with a query":        {http.MethodGet, "/metrics?name[]=up", "", nil, http.StatusOK},
		"another path":        {http.MethodGet, "/metrics/cadvisor", "", nil, http.StatusNotFound},
		"not the same path":   {http.MethodGet, "//metrics", "", nil, http.StatusNotFound},
		"another method":      {http.MethodHead, "/metrics", "", nil, http.StatusMethodNotAllowed},
		"a method of its own": {"SCRAPE", "/metrics", "", nil, http.StatusMethodNotAllowed},
		"with a body":         {http.MethodGet, "/metrics", "body", nil, http.StatusRequestEntityTooLarge},
		"of unknown length":   {http.MethodGet, "/metrics", "body", chunked, http.StatusRequestEntityTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t, team())
			req := httptest.NewRequestWithContext(t.Context(), test.method, test.target, strings.NewReader(test.body))
			req.Header.Set("Authorization", "Bearer prometheus")
			if test.change != nil {
				test.change(req)
			}
			if got := e.serve(req).Code; got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
			if test.want == http.StatusOK {
				e.wantReviews(t, 1, 1)
			} else {
				e.wantReviews(t, 0, 0)
			}
		})
	}
}

// TestQuestion: the API server is asked about the whole user.
func TestQuestion(t *testing.T) {
	e := newEndpoint(t, team())
	e.get(t.Context(), "prometheus")
	if diff := cmp.Diff([]string{"prometheus"}, e.server.reviewedTokens); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	want := []authorizationv1.SubjectAccessReviewSpec{{
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
		User:                  "prometheus", UID: "uid of prometheus", Groups: []string{"system:authenticated"},
		Extra: map[string]authorizationv1.ExtraValue{"scopes": {"a", "b"}},
	}}
	if diff := cmp.Diff(want, e.server.reviewedAccess); diff != "" {
		t.Errorf("access (-want +got):\n%s", diff)
	}
}

func TestNotChecked(t *testing.T) {
	broken := func(context.Context) error { return errBroken }
	for name, change := range map[string]func(*apiServer){
		"tokens": func(s *apiServer) { s.tokens = broken },
		"access": func(s *apiServer) { s.access = broken },
	} {
		t.Run(name, func(t *testing.T) {
			server := team()
			change(server)
			e := newEndpoint(t, server)
			if got := e.get(t.Context(), "prometheus"); got != http.StatusInternalServerError {
				t.Errorf("status %d, want %d", got, http.StatusInternalServerError)
			}
			server.tokens, server.access = nil, nil
			if got := e.get(t.Context(), "prometheus"); got != http.StatusOK {
				t.Errorf("later: status %d, want %d", got, http.StatusOK)
			}
		})
	}
}

// TestEvaluationError: an authorizer that could not evaluate all of its rules has an answer.
func TestEvaluationError(t *testing.T) {
	server := team()
	server.evaluationError = "role not found"
	e := newEndpoint(t, server)
	for user, want := range map[string]int{"prometheus": http.StatusOK, "visitor": http.StatusForbidden} {
		if got := e.get(t.Context(), user); got != want {
			t.Errorf("%s: status %d, want %d", user, got, want)
		}
	}
}

// TestRemembered: a permission is remembered until its time is over, a refusal is not.
func TestRemembered(t *testing.T) {
	e := newEndpoint(t, team())
	steps := []struct {
		name   string
		do     func()
		token  string
		want   int
		tokens int // Reviews so far.
	}{
		{"first", func() {}, "prometheus", http.StatusOK, 1},
		{"again", func() {}, "prometheus", http.StatusOK, 1},
		{"another user", func() {}, "visitor", http.StatusForbidden, 2},
		{"again refused", func() {}, "visitor", http.StatusForbidden, 3},
		{"authorized", func() { e.server.readers = append(e.server.readers, "visitor") }, "visitor", http.StatusOK, 4},
		{"revoked and remembered", func() {
			e.server.users = nil
			e.clock.SetTime(e.clock.Now().Add(allowanceTTL - 1))
		}, "prometheus", http.StatusOK, 4},
		{"revoked", func() { e.clock.SetTime(e.clock.Now().Add(1)) }, "prometheus", http.StatusUnauthorized, 5},
	}
	for _, step := range steps {
		step.do()
		if got := e.get(t.Context(), step.token); got != step.want {
			t.Errorf("%s: status %d, want %d", step.name, got, step.want)
		}
		if got := len(e.server.reviewedTokens); got != step.tokens {
			t.Errorf("%s: %d reviews so far, want %d", step.name, got, step.tokens)
		}
	}
}

// TestConcurrency: of more requests than that, the API server sees maxReviews. The others wait for
// them, and all of them are over when the API server does not answer in time.
func TestConcurrency(t *testing.T) {
	for name, test := range map[string]struct {
		answers bool
		want    int
	}{
		"answered":     {true, http.StatusUnauthorized},
		"not answered": {false, http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer := make(chan struct{})
				server := team()
				server.tokens = func(ctx context.Context) error {
					select {
					case <-answer:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				e := newEndpoint(t, server)
				statuses := make(chan int, 3*maxReviews)
				for i := range cap(statuses) {
					go func() { statuses <- e.get(t.Context(), fmt.Sprint("forged-", i)) }()
				}
				synctest.Wait()
				e.wantReviews(t, maxReviews, 0)
				if test.answers {
					close(answer)
				}
				for range cap(statuses) {
					if got := <-statuses; got != test.want {
						t.Errorf("status %d, want %d", got, test.want)
					}
				}
			})
		})
	}
}

// TestHangUp: a client that is gone gives its slot back.
func TestHangUp(t *testing.T) {
	server := team()
	e := newEndpoint(t, server)
	for range maxReviews + 1 {
		ctx, hangUp := context.WithCancel(t.Context())
		server.tokens = func(ctx context.Context) error {
			hangUp()
			<-ctx.Done()
			return ctx.Err()
		}
		if got := e.get(ctx, "prometheus"); got != http.StatusInternalServerError {
			t.Errorf("status %d, want %d", got, http.StatusInternalServerError)
		}
	}
	server.tokens = nil
	if got := e.get(t.Context(), "prometheus"); got != http.StatusOK {
		t.Errorf("afterwards: status %d, want %d", got, http.StatusOK)
	}
	e.wantReviews(t, maxReviews+2, 1)
}
