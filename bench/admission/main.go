// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command admission measures the cost of admission: how long a real API server takes to create a
// Pod with verified images, with and without the policies of config/admission, for allowlists of
// several sizes.
//
// "Without" is a namespace in the same API server, with the label that turns the policies off. The
// two alternate, Pod by Pod; the report has the differences of the medians and of the 99th
// percentiles.
//
// With the real manager, it also measures the time from adding a signature to an Image until the
// API server admits a Pod with it, and whether admission takes longer when no operator runs.
package main

import (
	"context"
	"errors"
	"flag"
	"strconv"
	"strings"

	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/report"
)

// plan holds the parameters of a run.
type plan struct {
	images     numbers // Images in the allowlist.
	containers numbers // Containers of a Pod.
	pods       int     // Pods of each kind, with and without the policies.
	signed     int     // Images that are signed, one after the other.
	turns      int     // Of a running and a stopped operator.
}

func main() { command.Main(&plan{}) }

// Name implements command.Benchmark.
func (p *plan) Name() string { return "admission" }

// Register implements command.Benchmark.
func (p *plan) Register(flags *flag.FlagSet) {
	p.images, p.containers = numbers{1, 100, 1000, 10_000, 50_000}, numbers{1, 3, 10}
	flags.Var(&p.images, "images", "sizes of the allowlist, ascending")
	flags.Var(&p.containers, "containers", "numbers of containers in a Pod, ascending")
	flags.IntVar(&p.pods, "pods", 400, "number of Pods of each kind created with and without the policies")
	flags.IntVar(&p.signed, "signed", 100, "number of images signed one after the other")
	flags.IntVar(&p.turns, "turns", 3, "number of times the operator is started and stopped")
}

// Validate implements command.Benchmark.
func (p *plan) Validate() error {
	if min(p.pods, p.signed, p.turns) < 1 {
		return errors.New("all numbers must be positive")
	}
	return nil
}

// Measure implements command.Benchmark.
func (p *plan) Measure(ctx context.Context, progress command.Progress) (report.Report, error) {
	r, err := measure(ctx, *p, progress)
	if err != nil {
		return report.Report{}, err
	}
	return newReport(r), nil
}

// numbers is a flag with ascending positive numbers, separated by commas.
type numbers []int

// String implements flag.Value.
func (n *numbers) String() string {
	texts := make([]string, len(*n))
	for i, number := range *n {
		texts[i] = strconv.Itoa(number)
	}
	return strings.Join(texts, ",")
}

// Set implements flag.Value.
func (n *numbers) Set(text string) error {
	var list numbers
	last := 0
	for part := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(part)
		if err != nil {
			return err
		}
		if number <= last {
			return errors.New("the numbers must be positive and ascending")
		}
		list, last = append(list, number), number
	}
	*n = list
	return nil
}
