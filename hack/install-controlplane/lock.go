// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is the interval at which a waiting invocation tries to acquire the lock.
const lockPoll = 500 * time.Millisecond

// lockStore acquires the store's lock, waiting for another holder until ctx ends, and returns a
// function that releases it. The kernel releases the lock of a process that dies, so the file
// itself means nothing and is never removed.
func lockStore(ctx context.Context, store string, log *progress) (unlock func(), err error) {
	if err := os.MkdirAll(store, 0o755); err != nil {
		return nil, fmt.Errorf("create the directory of the control plane's programs: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(store, ".assay.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the directory of the control plane's programs: %w", err)
	}
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for waited := false; ; waited = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		if !waited {
			log.printf("another run is installing the control plane; waiting for it")
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		case <-poll.C:
		}
	}
}
