// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report writes the output of the benchmarks: tables in Markdown that are readable as they
// are, and a description of the machine.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assay-project/assay/bench/figures"
)

// Report is the result of a benchmark.
type Report struct {
	// Parameters is a line that describes the parameters of the run, or empty.
	Parameters string
	Sections   []Section
	Figures    []figures.Figure
}

// Section is a table with a title.
type Section struct {
	Title string // Empty for none.
	Table [][]string
}

// Write writes the report, with the machine before and after the run, in Markdown.
func (r *Report) Write(w io.Writer, before, after Machine) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Load average %s before and %s after.\n", before.Description, before.Load, after.Load)
	if r.Parameters != "" {
		b.WriteString(r.Parameters + "\n")
	}
	sections := slices.Concat(r.Sections, []Section{{"Targets", targets(r.Figures)}})
	for _, section := range sections {
		b.WriteString("\n")
		if section.Title != "" {
			b.WriteString(section.Title + "\n\n")
		}
		writeTable(&b, section.Table)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
