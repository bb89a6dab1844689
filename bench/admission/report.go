// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/observe"
	"github.com/assay-project/assay/bench/report"
)

// Targets of admission.
const (
	maxSigned = 3 * time.Second // From a signature to a Pod, at the 99th percentile.
	// maxStopped bounds the change of the policies' time without an operator, by the difference
	// between two equal measurements.
	maxStopped = 1.15

	targetContainers = 3
)

// maxOverhead bounds the median time of the policies for Pods with targetContainers, by the size of
// the allowlist.
var maxOverhead = map[int]time.Duration{10_000: time.Millisecond, 50_000: 3 * time.Millisecond}

// evaluate compares the results with the targets.
func evaluate(r results) []figures.Figure {
	var list []figures.Figure
	for _, row := range r.rows {
		if limit, ok := maxOverhead[row.images]; ok && row.containers == targetContainers {
			name := fmt.Sprintf("admission/overhead-%d-images", row.images)
			list = append(list, figures.AtMost(name, inMilliseconds(row.overhead()), "ms", inMilliseconds(limit)))
		}
	}
	stopped, _ := r.stopped.median()
	running, _ := r.running.median()
	return append(list,
		figures.AtMost("admission/signature-to-pod-p99", observe.Percentile(r.signed, 99).Seconds(), "s", maxSigned.Seconds()),
		figures.AtMost("admission/without-operator", float64(stopped)/float64(running), "x", maxStopped))
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func newReport(r results) report.Report {
	return report.Report{
		Sections: []report.Section{{Table: latencyTable(r.rows)}, {Title: "With the operator", Table: operatorTable(r)}},
		Figures:  evaluate(r),
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", inMilliseconds(d)) }

func latencyTable(rows []row) [][]string {
	table := [][]string{{"images", "shards", "containers", "with, p50", "without, p50", "policies, p50", "with, p99", "without, p99"}}
	for _, r := range rows {
		with, without := r.median()
		table = append(table, []string{
			fmt.Sprint(r.images), fmt.Sprint(r.shards), fmt.Sprint(r.containers), milliseconds(with), milliseconds(without),
			milliseconds(r.overhead()), milliseconds(observe.Percentile(r.with, 99)), milliseconds(observe.Percentile(r.without, 99)),
		})
	}
	return table
}

func operatorTable(r results) [][]string {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
	running, _ := r.running.median()
	stopped, _ := r.stopped.median()
	return [][]string{
		{"what", "measured"},
		{"signature added until a Pod is admitted, median", seconds(observe.Percentile(r.signed, 50))},
		{"signature added until a Pod is admitted, 99th percentile", seconds(observe.Percentile(r.signed, 99))},
		{"Pod of 3 containers while the operator runs, median", milliseconds(running)},
		{"of that, the policies", milliseconds(r.running.overhead())},
		{"Pod of 3 containers while no operator runs, median", milliseconds(stopped)},
		{"of that, the policies", milliseconds(r.stopped.overhead())},
	}
}
