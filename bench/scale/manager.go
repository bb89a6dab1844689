// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/assay-project/assay/bench/observe"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// lookEvery is the interval of reading the manager's metrics, and the precision of times.
const lookEvery = 200 * time.Millisecond

// manager is a running manager with its metrics.
type testManager struct {
	*manager.Manager
	// Of the metrics and of the profiles.
	address, pprofAddress string
}

func (c *bench) startManager() (*testManager, error) {
	addresses, err := observe.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	m := &testManager{address: addresses[0], pprofAddress: addresses[1]}
	m.Manager, err = c.StartManager("--metrics-bind-address="+m.address, "--metrics-secure=false", "--pprof-bind-address="+m.pprofAddress)
	return m, err
}

// state holds the values of the manager's metrics.
type state struct {
	verified float64 // Checked signatures.
	patches  float64 // Writing requests.
	queued   float64 // Images queued or in progress.
	pending  float64 // Images without a verdict.
	known    float64 // Images in the cache.
}

// metrics reads the manager's metrics.
func (m *testManager) metrics(ctx context.Context) (s state, err error) {
	err = observe.Metrics(ctx, m.address, s.add)
	return s, err
}

func (s *state) add(series string, value float64) {
	name, labels, _ := strings.Cut(series, "{")
	switch {
	case name == "assay_verifications_total":
		s.verified += value
	case name == "rest_client_requests_total" && strings.Contains(labels, `method="PATCH"`):
		s.patches += value
	case name == "workqueue_depth" && strings.Contains(labels, `name="image`):
		s.queued += value
	case name == "controller_runtime_active_workers" && strings.Contains(labels, `controller="image`):
		s.queued += value
	case name == "assay_images":
		s.known += value
		if strings.Contains(labels, `"Pending"`) {
			s.pending += value
		}
	}
}

// until polls the metrics until they meet a condition.
func (m *testManager) until(ctx context.Context, wanted func(state) bool) (state, error) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		// Right after the start the server does not answer yet.
		if s, err := m.metrics(ctx); err == nil && wanted(s) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return state{}, ctx.Err()
		case <-m.Exited():
			return state{}, fmt.Errorf("the manager has ended: %w\n%s", m.Err(), m.LogTail())
		case <-ticker.C:
		}
	}
}

// idle waits until the given number of signatures has been checked and the queue is empty.
func (m *testManager) idle(ctx context.Context, images int) error {
	_, err := m.until(ctx, func(s state) bool {
		return s.known >= float64(images) && s.verified >= float64(images) && s.queued == 0 && s.pending == 0
	})
	return err
}

// resident returns the manager's resident memory in bytes after a delay, in which its garbage
// collector releases unused memory.
func (m *testManager) resident(ctx context.Context, settle time.Duration) (float64, error) {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-timer.C:
	}
	return observe.Resident(m.PID())
}
