// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command verify measures how long it takes to verify an atomic container signature:
// with Assay, with containers/image (go.podman.io/image/v5, in pure Go), and with nothing
// but crypto/*, which no verifier of the same signature can undercut.
//
// All verify the same bytes. What each contender counts is said where it is made: see
// floor.go, assay.go and containersimage.go. The contenders take turns in short blocks,
// so that what disturbs the machine disturbs them alike; reported are medians over all
// rounds, and ratios are medians of the ratios within a round.
//
// The tables go to standard output, progress to standard error, and the figures with
// their targets to a file. A missed target is no error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(stderr)
	plan := plan{}
	flags.IntVar(&plan.rounds, "rounds", 401, "how often every contender has its turn")
	flags.DurationVar(&plan.block, "block", time.Millisecond, "how long a turn lasts, about")
	out := flags.String("out", "out/verify.json", "file for the figures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || plan.rounds < 1 || plan.block <= 0 {
		return errors.New("wants no arguments, at least one round, and blocks of positive length")
	}

	before := report.ReadMachine()
	_, _ = fmt.Fprintln(stderr, "making keys and signatures")
	// An hour ago: the contenders have different opinions on how far clocks may differ.
	fixtures, err := newFixtures(time.Now().Add(-time.Hour))
	if err != nil {
		return fmt.Errorf("making keys and signatures: %w", err)
	}
	results, err := plan.measure(ctx, fixtures, stderr)
	if err != nil {
		return err
	}
	list := judge(results)
	all := outcome{plan: plan, before: before, after: report.ReadMachine(), results: results, figures: list}
	if err := writeReport(stdout, all); err != nil {
		return err
	}
	return figures.Write(*out, list)
}
