// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command import measures discovery and import at the scale of a large cluster: the real program,
// with the permissions of config/rbac, against a real API server and etcd on the same machine, and
// registries in this process that answer after a latency.
//
// One registry answers that there are too many requests, and one does not answer at all. The images
// of the others must not notice.
package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/report"
)

// plan holds the parameters of a run.
type plan struct {
	references int // Of the backlog, over all registries.
	fresh      int // New Deployments, at rest and again during the backlog.
	freshEvery time.Duration
	latency    time.Duration // Of each answer of a registry.
	keyBits    int
	settle     time.Duration
}

func main() { command.Main(&plan{}) }

// Name implements command.Benchmark.
func (p *plan) Name() string { return "import" }

// Register implements command.Benchmark.
func (p *plan) Register(flags *flag.FlagSet) {
	flags.IntVar(&p.references, "references", 10000, "number of distinct images that workloads refer to")
	flags.IntVar(&p.fresh, "new", 100, "number of new Deployments, at rest and again while the others are fetched")
	flags.DurationVar(&p.freshEvery, "new-every", 200*time.Millisecond, "interval between two new Deployments")
	flags.DurationVar(&p.latency, "latency", 20*time.Millisecond, "how long a registry takes to answer")
	flags.IntVar(&p.keyBits, "rsa", 2048, "bits of the RSA key")
	flags.DurationVar(&p.settle, "settle", 10*time.Second, "how long the manager is idle before its memory is read, and is watched after a restart")
}

// Validate implements command.Benchmark.
func (p *plan) Validate() error {
	switch {
	case p.references < registries || p.fresh < 1 || p.freshEvery <= 0 || p.latency < 0 || p.settle <= 0:
		return errors.New("all numbers must be positive, and -references at least 5")
	case p.keyBits < 2048:
		return errors.New("-rsa must be at least 2048: smaller keys are refused")
	}
	return nil
}

// Measure implements command.Benchmark.
func (p *plan) Measure(ctx context.Context, progress command.Progress) (report.Report, error) {
	r, err := measure(ctx, p, progress)
	if err != nil {
		return report.Report{}, err
	}
	return newReport(p, r), nil
}
