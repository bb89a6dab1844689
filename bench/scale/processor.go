// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// cost is the processor time of each process.
type cost struct {
	apiServer, etcd time.Duration
	// client is the manager or the bare client, which is this program.
	client time.Duration
}

// total is the sum of all times.
func (c cost) total() time.Duration { return c.apiServer + c.etcd + c.client }

// clocks read the processor time of a cluster and of its client.
func (c *bench) clocks(client int) (now cost, err error) {
	for _, p := range []struct {
		pid  int
		into *time.Duration
	}{{c.APIServer.PID(), &now.apiServer}, {c.Etcd.PID(), &now.etcd}, {client, &now.client}} {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
		if err != nil {
			return now, err
		}
		if *p.into, err = processorTimeIn(string(stat)); err != nil {
			return now, fmt.Errorf("process %d: %w", p.pid, err)
		}
	}
	return now, nil
}

// since returns the cost per image since an earlier reading.
func (c cost) since(earlier cost, images int) cost {
	n := time.Duration(max(1, images)) // A turn may be over at the first poll.
	return cost{
		apiServer: (c.apiServer - earlier.apiServer) / n,
		etcd:      (c.etcd - earlier.etcd) / n,
		client:    (c.client - earlier.client) / n,
	}
}

// processorTimeIn finds utime and stime in /proc/<pid>/stat, proc_pid_stat(5). Their unit is a
// hundredth of a second on all supported architectures.
func processorTimeIn(stat string) (time.Duration, error) {
	const utime, tick = 14, 10 * time.Millisecond
	_, text, ok := strings.Cut(stat, ") ") // The name in front may have spaces.
	fields := strings.Fields(text)
	const first = 3
	if !ok || len(fields) <= utime-first+1 {
		return 0, fmt.Errorf("no times in %q", stat)
	}
	user, err := strconv.ParseInt(fields[utime-first], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[utime-first+1], 10, 64)
	return time.Duration(user+system) * tick, err
}
