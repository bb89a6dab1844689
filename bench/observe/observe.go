// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package observe reads what the benchmarks measure: the metrics and the memory of the manager, and
// percentiles of times.
package observe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// scraper reads uncompressed metrics: compression would cost the manager more than some of its
// work.
var scraper = &http.Client{Transport: &http.Transport{DisableCompression: true}}

// FreeAddresses returns different addresses of loopback that nobody listens on.
func FreeAddresses(n int) (addresses []string, err error) {
	var listeners []net.Listener // Open until all addresses are known, so that they differ.
	defer func() {
		for _, listener := range listeners {
			err = errors.Join(err, listener.Close())
		}
	}()
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// Metrics calls add with each series of the metrics endpoint at an address, without comments, and
// its value. A series is its name and its labels.
func Metrics(ctx context.Context, address string, add func(series string, value float64)) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return err
	}
	response, err := scraper.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // Only read.
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		at := strings.LastIndexByte(lines.Text(), ' ')
		if at < 0 || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		value, err := strconv.ParseFloat(lines.Text()[at+1:], 64)
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		add(lines.Text()[:at], value)
	}
	return lines.Err()
}

// Resident returns the resident memory of a process in bytes.
func Resident(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return residentIn(data)
}

// residentIn finds the resident memory in /proc/<pid>/status, proc_pid_status(5).
func residentIn(status []byte) (float64, error) {
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kibi, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 64)
			return kibi * 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS")
}

// Percentile returns the value in a sorted list that the given percentage of values does not
// exceed.
func Percentile(sorted []time.Duration, percent int) time.Duration {
	const hundred = 100
	return sorted[(len(sorted)*percent+hundred-1)/hundred-1]
}

// InParallel calls a function for every number below count, several at the same time.
func InParallel(workers, count int, do func(int) error) error {
	numbers := make(chan int)
	errs := make([]error, workers)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for n := range numbers {
				if errs[w] == nil {
					errs[w] = do(n)
				}
			}
		})
	}
	for n := range count {
		numbers <- n
	}
	close(numbers)
	running.Wait()
	return errors.Join(errs...)
}
