// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package distribution runs distribution, the registry on which most others are based, as a process
// on loopback, and a store of signatures beside it, for the demo, tests and benchmarks. push.go
// pushes images and what cosign attaches to them.
//
// The registry speaks plain HTTP and keeps everything in memory. The program is the one that
// hack/install-controlplane -registry installs.
package distribution

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/crypto/bcrypt"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
	"github.com/assay-project/assay/internal/testenv/process"
)

const (
	// startTimeout is generous: a start takes less than a second.
	startTimeout = time.Minute
	pollInterval = 20 * time.Millisecond
	// stopGrace is short, because nothing is kept.
	stopGrace = 2 * time.Second
	// startAttempts is the number of ports to try. Another process may take a free one first.
	startAttempts = 3
)

// errNotInstalled means that the program is not beside those of the control plane.
var errNotInstalled = errors.New("distribution is not installed: run make setup-envtest")

// Options configures a registry.
type Options struct {
	// Dir is an existing directory for the configuration and the log.
	Dir string
	// Username and Password are needed to pull and to push. Empty means that nobody is asked.
	Username, Password string
}

// Registry is a running registry.
type Registry struct {
	*process.Process
	// Host is the host and the port, with which the names of images begin.
	Host string

	options Options
	client  *auth.Client
}

// Start starts a registry and returns when it answers.
func Start(ctx context.Context, o Options) (*Registry, error) {
	dir, err := assets.Locate(assets.DefaultVersion)
	if err != nil {
		return nil, fmt.Errorf("start a registry: %w", err)
	}
	if !assets.Has(dir, assets.Registry) {
		return nil, fmt.Errorf("start a registry: %w", errNotInstalled)
	}
	for attempt := 1; ; attempt++ {
		r := &Registry{options: o}
		if err = r.start(ctx, filepath.Join(dir, assets.Registry)); err == nil {
			return r, nil
		}
		if attempt == startAttempts || ctx.Err() != nil {
			log, _ := os.ReadFile(r.logFile())
			return nil, fmt.Errorf("start a registry: %w\nits log:\n%.4000s", err, log)
		}
	}
}

func (r *Registry) logFile() string { return filepath.Join(r.options.Dir, "registry.log") }

// start makes one attempt, with a port of its own.
func (r *Registry) start(ctx context.Context, program string) (err error) {
	if r.Host, err = controlplane.FreeAddress(); err != nil {
		return err
	}
	configuration, err := r.configure()
	if err != nil {
		return err
	}
	log, err := os.Create(r.logFile())
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // The process has a handle of its own.
	// Otherwise it sends traces to a collector on this machine.
	if r.Process, err = process.Start(program, []string{"serve", configuration}, log, "OTEL_TRACES_EXPORTER=none"); err != nil {
		return err
	}
	if err := r.awaitReady(ctx); err != nil {
		return errors.Join(err, r.Stop())
	}
	r.client = &auth.Client{Client: http.DefaultClient, Cache: auth.NewCache()}
	if r.options.Username != "" {
		r.client.Credential = auth.StaticCredential(r.Host, auth.Credential{Username: r.options.Username, Password: r.options.Password})
	}
	return nil
}

// configure writes the configuration and returns its path.
func (r *Registry) configure() (path string, err error) {
	text := fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {inmemory: {}, maintenance: {uploadpurging: {enabled: false}}}
http: {addr: %q, secret: one-process}
`, r.Host)
	if r.options.Username != "" {
		users := filepath.Join(r.options.Dir, "htpasswd")
		hash, err := bcrypt.GenerateFromPassword([]byte(r.options.Password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", r.options.Username, hash), 0o600); err != nil {
			return "", err
		}
		text += fmt.Sprintf("auth: {htpasswd: {realm: registry, path: %q}}\n", users)
	}
	path = filepath.Join(r.options.Dir, "registry.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// awaitReady waits until the registry answers, with or without asking for a credential.
func (r *Registry) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := r.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-r.Exited():
			return fmt.Errorf("it exited: %w", r.Err())
		case <-ctx.Done():
			return fmt.Errorf("%w; the last answer was: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

func (r *Registry) ping(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Host+"/v2/", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	want := http.StatusOK
	if r.options.Username != "" {
		want = http.StatusUnauthorized
	}
	if response.StatusCode != want {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return errors.Join(err, response.Body.Close())
}

// Stop ends the registry. Its content is gone.
func (r *Registry) Stop() error {
	_, err := r.End(syscall.SIGTERM, stopGrace)
	return err
}
