// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/observe"
	"github.com/assay-project/assay/bench/report"
)

// Targets of the operator.
const (
	minOverBare      = 0.9             // Fraction of the bare client's rate.
	maxFresh         = 2 * time.Second // For a new image, at the 99th percentile.
	maxRestartWrites = 0
	maxMemory        = 12  // KiB per image.
	maxDecoding      = 0.2 // Fraction of the manager's processor time.
)

const kibi, mebi = 1 << 10, 1 << 20

// evaluate compares the results with the targets.
func evaluate(r results) []figures.Figure {
	return []figures.Figure{
		figures.AtLeast("scale/rate-over-bare-client", r.overBare(), "x", minOverBare),
		figures.AtMost("scale/new-image-p99", observe.Percentile(r.fresh, 99).Seconds(), "s", maxFresh.Seconds()),
		figures.AtMost("scale/writes-after-restart", float64(r.restartWrites), "writes", maxRestartWrites),
		figures.AtMost("scale/memory-per-image", r.memoryPerImage(), "KiB", maxMemory),
		figures.AtMost("scale/decoding-share", r.decoding, "x", maxDecoding),
	}
}

// overBare is the median of the ratios within a round.
func (r *results) overBare() float64 {
	return r.medianOf(func(t turn) float64 { return t.manager.rate / t.bare.rate })
}

func (r *results) medianOf(of func(turn) float64) float64 {
	values := make([]float64, len(r.turns))
	for i, t := range r.turns {
		values[i] = of(t)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// memoryPerImage is the growth per image in KiB of the manager that verified all images, or of one
// restarted with them if that is larger.
func (r *results) memoryPerImage() float64 {
	return (max(r.memoryFull, r.memoryRestarted) - r.memoryEmpty) / kibi / float64(r.images)
}

func newReport(p plan, r results) report.Report {
	return report.Report{
		Parameters: fmt.Sprintf("RSA-%d, %d bytes of manifest and of configuration; %d rounds of %d images.",
			p.keyBits, p.blob, p.rounds, p.round),
		Sections: []report.Section{{Table: table(p, r)}, {Title: "Processor time for each image", Table: r.costs()}},
		Figures:  evaluate(r),
	}
}

func table(p plan, r results) [][]string {
	perSecond := func(v float64) string { return fmt.Sprintf("%.0f images/s", v) }
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
	memory := func(v float64) string { return fmt.Sprintf("%.0f MiB", v/mebi) }
	return [][]string{
		{"what", "measured"},
		{"bare client writes the verdicts", perSecond(r.medianOf(func(t turn) float64 { return t.bare.rate }))},
		{"bare client writes them while somebody watches", perSecond(r.medianOf(func(t turn) float64 { return t.watched.rate }))},
		{"manager verifies and writes them", perSecond(r.medianOf(func(t turn) float64 { return t.manager.rate }))},
		{fmt.Sprintf("%d images created and verified meanwhile", p.images), seconds(r.created)},
		{"share of decoding in the manager's processor time meanwhile", fmt.Sprintf("%.0f %%", r.decoding*100)},
		{"manager starts over them, until idle", seconds(r.restart)},
		{"writes after that start", fmt.Sprint(r.restartWrites)},
		{fmt.Sprintf("key of %d of them revoked, until the last is refused", p.revoked), seconds(r.revoked)},
		{"until admission's list has none of them", seconds(r.unlisted)},
		{fmt.Sprintf("key of the other %d revoked, until the last is refused", p.images-p.revoked), seconds(r.again)},
		{"meanwhile, new image until it is verified, median", seconds(observe.Percentile(r.fresh, 50))},
		{"meanwhile, new image until it is verified, 99th percentile", seconds(observe.Percentile(r.fresh, 99))},
		{"resident memory without images", memory(r.memoryEmpty)},
		{"resident memory after verifying all", memory(r.memoryFull)},
		{"resident memory after a start over all", memory(r.memoryRestarted)},
	}
}

// costs returns the table of the median cost per image of each process.
func (r *results) costs() [][]string {
	rows := [][]string{{"who writes", "API server", "etcd", "the writer", "together"}}
	for _, who := range []struct {
		name string
		of   func(turn) cost
	}{
		{"bare client", func(t turn) cost { return t.bare.each }},
		{"bare client while somebody watches", func(t turn) cost { return t.watched.each }},
		{"manager", func(t turn) cost { return t.manager.each }},
	} {
		row := []string{who.name}
		for _, part := range []func(cost) time.Duration{
			func(c cost) time.Duration { return c.apiServer }, func(c cost) time.Duration { return c.etcd },
			func(c cost) time.Duration { return c.client }, cost.total,
		} {
			ms := r.medianOf(func(t turn) float64 { return part(who.of(t)).Seconds() * 1000 })
			row = append(row, fmt.Sprintf("%.1f ms", ms))
		}
		rows = append(rows, row)
	}
	return rows
}
