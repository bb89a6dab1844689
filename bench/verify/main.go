// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command verify measures how long it takes to verify an atomic container signature: with Assay,
// with containers/image (go.podman.io/image/v5, in pure Go), and with bare crypto/*, the lower
// bound for any verifier of the same signature.
//
// All verify the same bytes. floor.go, assay.go and containersimage.go document what each contender
// includes. The contenders take turns in short blocks, so that disturbances of the machine affect
// them alike; the report has medians over all rounds, and medians of the ratios within a round.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/report"
)

func main() { command.Main(&plan{}) }

// plan holds the parameters of a run.
type plan struct {
	rounds int
	block  time.Duration
}

// Name implements command.Benchmark.
func (p *plan) Name() string { return "verify" }

// Register implements command.Benchmark.
func (p *plan) Register(flags *flag.FlagSet) {
	flags.IntVar(&p.rounds, "rounds", 401, "number of turns of each contender")
	flags.DurationVar(&p.block, "block", time.Millisecond, "approximate duration of a turn")
}

// Validate implements command.Benchmark.
func (p *plan) Validate() error {
	if p.rounds < 1 || p.block <= 0 {
		return errors.New("-rounds and -block must be positive")
	}
	return nil
}

// Measure implements command.Benchmark.
func (p *plan) Measure(ctx context.Context, progress command.Progress) (report.Report, error) {
	progress("making keys and signatures")
	// An hour ago: the contenders tolerate different clock skews.
	fixtures, err := newFixtures(time.Now().Add(-time.Hour))
	if err != nil {
		return report.Report{}, fmt.Errorf("making keys and signatures: %w", err)
	}
	results, err := p.measure(ctx, fixtures, progress)
	if err != nil {
		return report.Report{}, err
	}
	return newReport(*p, results), nil
}
