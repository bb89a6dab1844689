// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command scale measures the operator at the scale of a large cluster: the real program, with the
// permissions of config/rbac, against a real API server and etcd on the same machine.
//
// It compares the rate of verification with the rate of a bare client, which writes the same
// patches to the same images as fast as it can. Both take turns, with the same number of images in
// each round; the report has the median of the ratios within a round.
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
	images     int // Total.
	revoked    int // Signed by the key that is revoked first.
	rounds     int // Turns of the manager and the bare client.
	round      int // Images in each round.
	fresh      int // New images during the re-verification of all.
	freshEvery time.Duration
	blob       int // Bytes of the manifest, and of the configuration, of each image.
	keyBits    int
	settle     time.Duration
	writers    int // Concurrent requests of the bare client.
}

func main() { command.Main(&plan{}) }

// Name implements command.Benchmark.
func (p *plan) Name() string { return "scale" }

// Register implements command.Benchmark.
func (p *plan) Register(flags *flag.FlagSet) {
	flags.IntVar(&p.images, "images", 10000, "total number of images")
	flags.IntVar(&p.revoked, "revoked", 1000, "number of images signed by the key that is revoked first")
	flags.IntVar(&p.rounds, "rounds", 5, "number of rounds of the manager and the bare client")
	flags.IntVar(&p.round, "round", 1000, "number of images per round")
	flags.IntVar(&p.fresh, "new", 100, "number of images created while all others are verified again")
	flags.DurationVar(&p.freshEvery, "new-every", 200*time.Millisecond, "interval between two new images")
	flags.IntVar(&p.blob, "blob", 16<<10, "bytes of the manifest, and of the configuration, of each image")
	flags.IntVar(&p.keyBits, "rsa", 4096, "bits of the RSA keys")
	flags.IntVar(&p.writers, "writers", 8, "number of concurrent requests of the bare client")
	flags.DurationVar(&p.settle, "settle", 10*time.Second, "how long the manager is idle before its memory is read")
}

// Validate implements command.Benchmark.
func (p *plan) Validate() error {
	positive := min(p.images, p.revoked, p.rounds, p.round, p.fresh, p.blob, p.writers)
	switch {
	case positive < 1 || p.freshEvery <= 0:
		return errors.New("all numbers must be positive")
	case p.revoked >= p.images || p.round > p.images:
		return errors.New("-revoked must be less than -images, and -round not more")
	case p.keyBits < 2048:
		return errors.New("-rsa must be at least 2048: smaller keys are refused")
	}
	return nil
}

// Measure implements command.Benchmark.
func (p *plan) Measure(ctx context.Context, progress command.Progress) (report.Report, error) {
	r, err := measure(ctx, *p, progress)
	if err != nil {
		return report.Report{}, err
	}
	return newReport(*p, r), nil
}
