// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// maxColumns is where documents wrap.
	maxColumns = 120
	// generatedDir holds pages that nobody wraps by hand.
	generatedDir = "docs/reference/"
)

// checkWidth checks that lines of prose are wrapped. Rows of tables and code cannot be.
func checkWidth(r *repository) ([]problem, error) {
	var problems []problem
	for _, d := range r.documents {
		if strings.HasPrefix(d.path, generatedDir) {
			continue
		}
		number := 0
		for line := range strings.Lines(d.prose) {
			number++
			columns := utf8.RuneCountInString(strings.TrimRight(line, " \n"))
			if columns > maxColumns && !strings.HasPrefix(strings.TrimSpace(line), "|") {
				problems = append(problems, d.problem(number, fmt.Sprintf("%d columns; prose wraps at %d", columns, maxColumns)))
			}
		}
	}
	return problems, nil
}
