// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/assay-project/assay/bench/report"
)

func newReport(p plan, results []result) report.Report {
	return report.Report{
		Parameters: fmt.Sprintf("Medians of %d rounds, blocks of %s.", p.rounds, p.block),
		Sections: []report.Section{
			{Title: "Time of one verification in µs, in brackets as a multiple of bare crypto", Table: timeTable(results)},
			{Title: "Time of one verification with the manifest in µs, in brackets as a multiple of Assay", Table: peerTable(results)},
			{Title: "Allocations of one verification, in brackets their KiB", Table: allocationTable(results)},
		},
		Figures: evaluate(results),
	}
}

func timeTable(results []result) [][]string {
	rows := [][]string{{"signature", "bare crypto", "Assay, message", "Assay, verdict"}}
	for i := range results {
		r := &results[i]
		rows = append(rows, []string{r.title(), micros(r.median(floor)),
			r.timeOver(message, floor), r.timeOver(verdict, floor)})
	}
	return rows
}

func peerTable(results []result) [][]string {
	rows := [][]string{{"signature", "Assay", "containers/image, keys kept", "containers/image, policy"}}
	for i := range results {
		r := &results[i]
		rows = append(rows, []string{r.title(), micros(r.median(image)),
			r.timeOver(mechanism, image), r.timeOver(policy, image)})
	}
	return rows
}

func allocationTable(results []result) [][]string {
	rows := [][]string{{"signature", "bare crypto", "Assay, message", "Assay, verdict",
		"containers/image, keys kept", "containers/image, policy"}}
	for i := range results {
		r := &results[i]
		row := []string{r.title()}
		for _, of := range []role{floor, message, verdict, mechanism, policy} {
			s := &r.samples[of]
			const kibi = 1024
			row = append(row, fmt.Sprintf("%d (%.1f)", s.allocations, float64(s.bytes)/kibi))
		}
		rows = append(rows, row)
	}
	return rows
}

func (r *result) title() string {
	return r.algorithm + ", " + string(r.framing)
}

func (r *result) timeOver(of, over role) string {
	return fmt.Sprintf("%s (%.2f)", micros(r.median(of)), r.ratio(of, over))
}

func micros(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 1, 64)
}
