// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/report"
)

// outcome is all that a run has to say.
type outcome struct {
	plan          plan
	before, after report.Machine
	results       []result
	figures       []figures.Figure
}

// writeReport writes the report in Markdown that can be read as it is.
func writeReport(w io.Writer, r outcome) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Medians of %d rounds, blocks of %s. Load average %s before and %s after.\n",
		r.before.Description, r.plan.rounds, r.plan.block, r.before.Load, r.after.Load)
	b.WriteString("\nTime of one verification in µs, in brackets as a multiple of bare crypto\n\n")
	report.WriteTable(&b, timeTable(r.results))
	b.WriteString("\nTime of one verification with the manifest in µs, in brackets as a multiple of Assay\n\n")
	report.WriteTable(&b, peerTable(r.results))
	b.WriteString("\nAllocations of one verification, in brackets their KiB\n\n")
	report.WriteTable(&b, allocationTable(r.results))
	b.WriteString("\nTargets\n\n")
	report.WriteTable(&b, report.Targets(r.figures))
	_, err := io.WriteString(w, b.String())
	return err
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
