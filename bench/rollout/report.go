// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/report"
)

// maxRollout is the target from applying a Deployment until its Pod exists, at the 99th percentile.
const maxRollout = 3 * time.Second

func newReport(rows []row) report.Report {
	r := report.Report{Parameters: "From applying a Deployment, one after the other, each with an image that is new to the cluster."}
	table := [][]string{{"kind", "Deployments", "verified, p50", "verified, p99", "Pod, p50", "Pod, p99", "Pod, longest"}}
	for _, row := range rows {
		table = append(table, []string{
			row.kind, fmt.Sprint(len(row.pods)), seconds(row.verified, 50), seconds(row.verified, 99),
			seconds(row.pods, 50), seconds(row.pods, 99), seconds(row.pods, 100),
		})
		name := "rollout/" + slug(row.kind) + "-p99"
		r.Figures = append(r.Figures, figures.AtMost(name, percentile(row.pods, 99).Seconds(), "s", maxRollout.Seconds()))
	}
	r.Sections = []report.Section{{Table: table}}
	return r
}

// seconds is a percentile of a sorted list, as text.
func seconds(sorted []time.Duration, percent int) string {
	if len(sorted) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f s", percentile(sorted, percent).Seconds())
}

// percentile returns the value in a sorted list that the given percentage of values does not exceed.
func percentile(sorted []time.Duration, percent int) time.Duration {
	const hundred = 100
	return sorted[(len(sorted)*percent+hundred-1)/hundred-1]
}
