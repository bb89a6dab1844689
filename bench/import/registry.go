// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/bench/team"
)

// registries is how many there are: the first healthy ones, then one that limits requests, then one
// that is down.
const (
	registries = 5
	healthy    = 3
	limits     = 3
)

const (
	namespacePath = "bench"
	manifestType  = "application/vnd.oci.image.manifest.v1+json"
	// retryAfter is what the registry that limits requests asks for, in seconds.
	retryAfter = "30"
	// signers is how many signatures are made at the same time.
	signers = 4
)

// registry is a registry on loopback, with a lookaside store below /sigstore.
type registry struct {
	address  string
	latency  time.Duration
	limits   bool
	requests atomic.Int64
	server   *http.Server

	mu         sync.RWMutex
	signatures map[string][]byte // By path.
}

// site has all registries.
type site []*registry

// newSite starts the registries. The last one is down: nobody listens at its address.
func newSite(latency time.Duration) (site, error) {
	var all site
	for n := range registries {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return all, errors.Join(err, all.close())
		}
		r := &registry{address: listener.Addr().String(), latency: latency, limits: n == limits, signatures: map[string][]byte{}}
		all = append(all, r)
		if n > limits {
			if err := listener.Close(); err != nil {
				return all, errors.Join(err, all.close())
			}
			continue
		}
		r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
		go func() { _ = r.server.Serve(listener) }() // Until it is closed.
	}
	return all, nil
}

func (s site) close() error {
	var errs []error
	for _, r := range s {
		if r.server != nil {
			errs = append(errs, r.server.Close())
		}
	}
	return errors.Join(errs...)
}

// requests is the number of requests to some of the registries.
func (s site) requests() int64 {
	var sum int64
	for _, r := range s {
		sum += r.requests.Load()
	}
	return sum
}

// image is an image of a registry, and the name of the Image that discovery makes of it.
type image struct {
	registry          *registry
	repository, image string
	digest            digest.Digest
}

func (i *image) reference() string { return i.repository + "@" + i.digest.String() }

// newImage returns an image of a registry.
func (r *registry) newImage(name string) image {
	repository := fmt.Sprintf("%s/%s/%s", r.address, namespacePath, name)
	d := digest.FromString(repository)
	return image{registry: r, repository: repository, image: "sha256-" + d.Encoded(), digest: d}
}

// sign puts a signature into the store.
func (i *image) sign(t *team.Team) {
	content := t.Sign(i.repository+":v1", i.digest)
	_, name, _ := strings.Cut(i.repository, "/")
	path := fmt.Sprintf("/sigstore/%s@sha256=%s/signature-1", name, i.digest.Encoded())
	i.registry.mu.Lock()
	defer i.registry.mu.Unlock()
	i.registry.signatures[path] = content
}

// ServeHTTP implements http.Handler.
func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.requests.Add(1)
	wait(req.Context(), r.latency)
	if r.limits {
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	r.mu.RLock()
	signature, signed := r.signatures[req.URL.Path]
	r.mu.RUnlock()
	_, d, named := strings.Cut(req.URL.Path, "/manifests/sha256:")
	switch {
	case signed:
		_, _ = w.Write(signature)
	case named:
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Content-Length", "500")
		w.Header().Set("Docker-Content-Digest", "sha256:"+d)
	case strings.Contains(req.URL.Path, "/referrers/"):
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		_, _ = w.Write([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`))
	case req.URL.Path == "/v2/":
	default:
		http.NotFound(w, req)
	}
}

// wait waits for a while, or until the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
