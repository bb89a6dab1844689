// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metricsauth restricts the metrics endpoint to clients that the API server authorizes. A
// client presents a bearer token (RFC 6750, section 2.1), a TokenReview reports whose it is, and a
// SubjectAccessReview whether that user may get /metrics. The operator needs permission to create
// both kinds of reviews.
//
//	401  there is no token, or the API server does not accept it
//	403  the user of the token may not get /metrics
//	500  the API server could not be asked in time
//
// A request that is not a GET of /metrics without a body is refused before any of this. Everything
// that a client without a valid token can cause is bounded: the size of the token, the number of
// requests that are reviewed at a time, and how long one of them takes. Refusals are not remembered,
// so that a client is served as soon as it is authorized.
//
// The filter of controller-runtime does the same by way of k8s.io/apiserver, which would make the
// operator's program larger by half.
package metricsauth

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// What a client must be authorized to do: the permission of config/rbac/metrics_reader_role.yaml.
const (
	metricsPath = "/metrics"
	metricsVerb = "get"
)

// maxTokenBytes bounds a token. Those of service accounts have about 1 KB. Those of OIDC providers
// grow with the groups of the user, up to the 8 KB or so that proxies accept as a header.
const maxTokenBytes = 16 << 10

// reviewTimeout bounds the reviews of one request, including the wait for those of others. It is
// shorter than the ten seconds that Prometheus waits by default, so that the scraper sees a status.
const reviewTimeout = 5 * time.Second

// maxReviews bounds the requests that are reviewed at a time. Anyone who reaches the endpoint can
// cause a review, and the API server counts it as the operator's own request.
const maxReviews = 4

// NewFilter returns a filter for the metrics server of controller-runtime, of which it is a
// FilterProvider. The configuration and the HTTP client are those of the operator.
func NewFilter(config *rest.Config, httpClient *http.Client) (metricsserver.Filter, error) {
	authentication, err := authenticationv1client.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	authorization, err := authorizationv1client.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	return newFilter(&reviewer{
		tokens: authentication.TokenReviews(),
		access: authorization.SubjectAccessReviews(),
		slots:  make(chan struct{}, maxReviews),
	}, clock.RealClock{}).wrap, nil
}

// filter authenticates and authorizes requests.
type filter struct {
	reviewer *reviewer
	allowed  *allowances
	clock    clock.PassiveClock
}

func newFilter(r *reviewer, c clock.PassiveClock) *filter {
	return &filter{reviewer: r, allowed: newAllowances(), clock: c}
}

// wrap implements metricsserver.Filter.
func (f *filter) wrap(log logr.Logger, next http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		status := f.check(log, req)
		switch status {
		case http.StatusOK:
			next.ServeHTTP(w, req)
			return
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", "Bearer")
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", http.MethodGet)
		}
		http.Error(w, http.StatusText(status), status)
	}), nil
}

// check returns the status of the response, http.StatusOK for a request to serve.
func (f *filter) check(log logr.Logger, req *http.Request) int {
	switch {
	case req.URL.Path != metricsPath:
		return http.StatusNotFound
	case req.Method != http.MethodGet:
		return http.StatusMethodNotAllowed
	case req.ContentLength != 0:
		return http.StatusRequestEntityTooLarge
	}
	token, ok := bearerToken(req.Header)
	if !ok {
		return http.StatusUnauthorized
	}
	key, now := sha256.Sum256([]byte(token)), f.clock.Now()
	if f.allowed.has(key, now) {
		return http.StatusOK
	}
	ctx, cancel := context.WithTimeout(req.Context(), reviewTimeout)
	defer cancel()
	decision, err := f.reviewer.review(ctx, token)
	switch {
	case err != nil && req.Context().Err() != nil:
		// Nobody reads the response, and the reason is not the API server's.
		return http.StatusInternalServerError
	case err != nil:
		log.Error(err, "Could not check who requests metrics")
		return http.StatusInternalServerError
	}
	log.V(1).Info("Checked who requests metrics", "decision", decision)
	switch decision {
	case allowed:
		f.allowed.add(key, now)
		return http.StatusOK
	case forbidden:
		return http.StatusForbidden
	default:
		return http.StatusUnauthorized
	}
}

// bearerToken returns the token in the header Authorization (RFC 6750, section 2.1), and false if
// there is none that can be valid: it has visible characters of ASCII only. Several headers are
// none, because programs differ in which one of them counts.
func bearerToken(header http.Header) (string, bool) {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxTokenBytes {
		return "", false
	}
	invisible := func(r rune) bool { return r <= ' ' || r > '~' }
	return token, !strings.ContainsFunc(token, invisible)
}
