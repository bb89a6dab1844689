// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo shows Assay at work on this machine. It starts a real API server with Kubernetes'
// controllers, and a registry with signed images, installs config/default, and runs the operator with
// the permissions of config/rbac.
//
// First, Deployments roll out: Images and signatures come by themselves, an unsigned image is refused,
// and so is one whose key is revoked. Then it applies config/samples, and prints the verdict on each
// image. What is shown are commands of kubectl, with what they print.
//
// Without --exit it keeps running for exploration with kubectl, until an interrupt or SIGTERM. In
// any case it stops everything that it started and removes its files. It exits with 1 after an
// unexpected verdict or an error.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	// A closed pipe, as in "make demo | head", must not prevent the cleanup.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx = untilParentEnds(ctx)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)

	exit := flag.Bool("exit", os.Getenv("DEMO_EXIT") != "", "end once the verdicts are shown (default: whether DEMO_EXIT is set)")
	cosign := flag.Bool("cosign", os.Getenv("COSIGN") != "", "sign with cosign itself (default: whether COSIGN is set)")
	flag.Parse()

	d := &demo{out: &console{w: os.Stdout}, stay: !*exit, cosign: *cosign}
	err := d.run(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// untilParentEnds also ends the context with the parent process: "go run" and make do not pass
// SIGTERM on, so nothing else would stop the demo.
func untilParentEnds(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		defer cancel()
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return ctx
}
