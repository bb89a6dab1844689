// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/assay-project/assay/internal/testenv/process"
)

const (
	// pollInterval is how often a starting component is asked whether it is ready.
	pollInterval = 50 * time.Millisecond
	// logTail is how much of a component's log an error repeats, in bytes.
	logTail = 4 << 10
)

var (
	// errAddressInUse means that the port was taken by somebody else.
	errAddressInUse = errors.New("address already in use")
	errRunning      = errors.New("already running")
	errRetired      = errors.New("the control plane is stopped")
)

// Component is etcd or kube-apiserver as a process of its own. Its methods may be
// called from several goroutines.
type Component struct {
	name    string
	path    string
	args    []string
	logFile string
	timeout time.Duration
	// grace is how long Stop waits for the component to end by itself.
	grace time.Duration
	// ready asks once whether the component does its work.
	ready func(context.Context) error

	mu      sync.Mutex
	current *process.Process // nil before the first start; may have exited
	retired bool
}

// Start starts the component with the data and on the address it had before, and
// returns when it is ready, when it exits, when ctx ends or at Options.StartTimeout,
// whichever is first. On an error it is not running. A component that runs already
// is an error.
func (c *Component) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.retired:
		return fmt.Errorf("start %s: %w", c.name, errRetired)
	case c.current.Running():
		return fmt.Errorf("start %s: %w", c.name, errRunning)
	}
	log, err := os.OpenFile(c.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has a handle of its own
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if c.current, err = process.Start(c.path, c.args, log); err != nil {
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	if err := c.waitReady(ctx); err != nil {
		_ = c.kill()
		return c.explain(err, begin)
	}
	return nil
}

// PID is the process ID, 0 before the first start. After the end of a process it is that of
// the last one.
func (c *Component) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return 0
	}
	return c.current.PID()
}

// waitReady polls until the current process is ready or never will be.
func (c *Component) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.current.Exited():
			return fmt.Errorf("it ended: %w", c.current.Err())
		case <-ctx.Done():
			return fmt.Errorf("%w; the last answer was: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// explain adds what the component logged since the offset begin to the error of its
// start.
func (c *Component) explain(err error, begin int64) error {
	log, readErr := os.ReadFile(c.logFile)
	if readErr != nil {
		return fmt.Errorf("start %s: %w (and its log cannot be read: %w)", c.name, err, readErr)
	}
	log = log[min(begin, int64(len(log))):]
	if bytes.Contains(log, []byte("address already in use")) {
		err = fmt.Errorf("%w: %w", errAddressInUse, err)
	}
	if len(log) > logTail {
		log = log[len(log)-logTail:]
	}
	return fmt.Errorf("start %s: %w\nthe end of its log:\n%s", c.name, err, log)
}

// Stop asks the component to end and waits until it has, killing it after a few
// seconds. A component that does not run is no error.
func (c *Component) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.current.End(syscall.SIGTERM, c.grace); err != nil {
		return fmt.Errorf("stop %s: %w", c.name, err)
	}
	return nil
}

// Kill ends the component at once, as a crash would.
func (c *Component) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kill()
}

// Restart is Stop and Start.
func (c *Component) Restart(ctx context.Context) error {
	if err := c.Stop(); err != nil {
		return err
	}
	return c.Start(ctx)
}

// retire ends the component for good. Its data goes too, so there is nothing to wait
// for: an API server with a watch open would take seconds.
func (c *Component) retire() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retired = true
	return c.kill()
}

func (c *Component) kill() error {
	if _, err := c.current.End(os.Kill, 0); err != nil {
		return fmt.Errorf("kill %s: %w", c.name, err)
	}
	return nil
}
