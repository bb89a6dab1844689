// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/assay-project/assay/bench/figures"
)

// report is all that a run has to say.
type report struct {
	plan          plan
	before, after machine
	results       []result
	figures       []figures.Figure
}

// writeReport writes the report in Markdown that can be read as it is.
func writeReport(w io.Writer, r report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Medians of %d rounds, blocks of %s. Load average %s before and %s after.\n",
		r.before.description, r.plan.rounds, r.plan.block, r.before.load, r.after.load)
	b.WriteString("\nTime of one verification in µs, in brackets as a multiple of bare crypto\n\n")
	writeTable(&b, timeTable(r.results))
	b.WriteString("\nTime of one verification with the manifest in µs, in brackets as a multiple of Assay\n\n")
	writeTable(&b, peerTable(r.results))
	b.WriteString("\nAllocations of one verification, in brackets their KiB\n\n")
	writeTable(&b, allocationTable(r.results))
	b.WriteString("\nTargets\n\n")
	writeTable(&b, targetTable(r.figures))
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

func targetTable(list []figures.Figure) [][]string {
	rows := [][]string{{"figure", "value", "target", "holds"}}
	for _, f := range list {
		holds := "yes"
		if !f.OK {
			holds = "no"
		}
		rows = append(rows, []string{f.Name, strconv.FormatFloat(f.Value, 'f', -1, 64) + " " + f.Unit, f.Target, holds})
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

// writeTable writes a Markdown table with columns of equal width: the first to the left,
// the others to the right. The first row is the heading.
func writeTable(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				cell += padding
			} else {
				cell = padding + cell
			}
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
		if n == 0 {
			writeRule(b, widths)
		}
	}
}

func writeRule(b *strings.Builder, widths []int) {
	for i, width := range widths {
		rule := strings.Repeat("-", width+1)
		if i == 0 {
			b.WriteString("|" + rule + "-")
		} else {
			b.WriteString("|" + rule + ":")
		}
	}
	b.WriteString("|\n")
}
