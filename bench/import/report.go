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

// Targets of discovery and import.
const (
	maxNew         = 3 * time.Second // From a Deployment to a verified Image, at the 99th percentile.
	maxRequests    = 6               // For each image: five, and a share of those about a registry.
	maxToUnhealthy = 200             // Requests to a registry that limits them, or is down.
	maxPatches     = 4               // For each image: signatures, status of import, verdict.
	maxMemory      = 12              // KiB for each image.
)

const kibi, mebi = 1 << 10, 1 << 20

// evaluate compares the results with the targets.
func evaluate(r *results) []figures.Figure {
	all := float64(r.images + r.failed)
	return []figures.Figure{
		figures.AtMost("import/new-deployment-p99", observe.Percentile(r.quiet, 99).Seconds(), "s", maxNew.Seconds()),
		figures.AtMost("import/new-deployment-in-backlog-p99", observe.Percentile(r.busy, 99).Seconds(), "s", maxNew.Seconds()),
		figures.AtMost("import/requests-per-image", float64(r.requests)/float64(r.images), "requests", maxRequests),
		figures.AtMost("import/requests-to-limiting-registry", float64(r.limited), "requests", maxToUnhealthy),
		figures.AtMost("import/requests-to-absent-registry", float64(r.unanswered), "requests", maxToUnhealthy),
		figures.AtMost("import/patches-per-image", r.patches/all, "patches", maxPatches),
		figures.AtMost("import/memory-per-image", (r.memoryFull-r.memoryEmpty)/kibi/all, "KiB", maxMemory),
		figures.AtMost("import/requests-after-restart", float64(r.restRequests), "requests", 0),
		figures.AtMost("import/writes-after-restart", float64(r.restWrites), "writes", 0),
	}
}

func newReport(p *plan, r *results) report.Report {
	return report.Report{
		Parameters: fmt.Sprintf("%d references on %d registries that answer after %s, one of which limits requests and one of which is down; RSA-%d.",
			p.references, registries, p.latency, p.keyBits),
		Sections: []report.Section{{Table: table(r)}},
		Figures:  evaluate(r),
	}
}

func table(r *results) [][]string {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
	memory := func(v float64) string { return fmt.Sprintf("%.0f MiB", v/mebi) }
	return [][]string{
		{"what", "measured"},
		{"new Deployment until its image is verified, median", seconds(observe.Percentile(r.quiet, 50))},
		{"new Deployment until its image is verified, 99th percentile", seconds(observe.Percentile(r.quiet, 99))},
		{"during the backlog, median", seconds(observe.Percentile(r.busy, 50))},
		{"during the backlog, 99th percentile", seconds(observe.Percentile(r.busy, 99))},
		{fmt.Sprintf("backlog until all %d images of healthy registries are verified", r.images), seconds(r.backlog)},
		{"requests to healthy registries", fmt.Sprint(r.requests)},
		{fmt.Sprintf("requests to the others, which have %d images", r.failed), fmt.Sprintf("%d and %d", r.limited, r.unanswered)},
		{"patches", fmt.Sprintf("%.0f", r.patches)},
		{"resident memory without images", memory(r.memoryEmpty)},
		{"resident memory after all", memory(r.memoryFull)},
		{"manager starts over what is verified, until idle", fmt.Sprintf("%.2f s", r.restarts)},
		{"resident memory after that start", memory(r.memoryRestarted)},
		{"requests and writes after that start", fmt.Sprintf("%d and %d", r.restRequests, r.restWrites)},
	}
}
