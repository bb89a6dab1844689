// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/assay-project/assay/bench/figures"
)

// targets returns the table of figures with their targets.
func targets(list []figures.Figure) [][]string {
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

// writeTable writes a Markdown table with columns of equal width, the first left-aligned and the
// others right-aligned. The first row is the heading.
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
