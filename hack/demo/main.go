// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo shows Assay at work on this machine: it starts a real API server, installs
// what config/default deploys, runs the operator with the permissions that config/rbac
// gives it, applies config/samples and prints what Assay says about each image and whether
// that is what the sample expects.
//
// Without --exit it stays up, so that one can look around with kubectl, until it gets an
// interrupt or SIGTERM. Either way it ends all that it started and removes its files.
// It exits with 1 when a verdict is not as expected, or when something else went wrong.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	// A reader that went away, as in "make demo | head", must not keep us from cleaning up.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx = untilParentEnds(ctx)
	// The second signal ends the program at once.
	context.AfterFunc(ctx, stop)

	// What the client library has to say comes back as errors, too.
	log.SetLogger(logr.Discard())

	exit := flag.Bool("exit", os.Getenv("DEMO_EXIT") != "", "end once the verdicts are shown (default: whether DEMO_EXIT is set)")
	flag.Parse()

	d := &demo{out: &console{w: os.Stdout}, stay: !*exit}
	err := d.run(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// untilParentEnds ends the context with the parent process too: "go run" and make do not
// pass SIGTERM on, and nobody would be left to stop us.
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
