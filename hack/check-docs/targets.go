// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

var (
	// targetPattern finds rules of a Makefile, and no assignments.
	targetPattern = regexp.MustCompile(`(?m)^([a-z0-9][a-z0-9-]*):(?:[^=]|$)`)
	targetName    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
)

// checkTargets checks that every target that a command of make names is in the Makefile.
func checkTargets(r *repository) ([]problem, error) {
	makefile, err := fs.ReadFile(r, "Makefile")
	if err != nil {
		return nil, err
	}
	targets := map[string]bool{}
	for _, rule := range targetPattern.FindAllStringSubmatch(string(makefile), -1) {
		targets[rule[1]] = true
	}
	if len(targets) == 0 {
		return nil, errors.New("there are no targets in the Makefile")
	}
	var problems []problem
	for _, d := range r.documents {
		for _, c := range d.commands() {
			if c.words[0] != "make" {
				continue
			}
			for _, word := range c.words[1:] {
				word = strings.TrimRight(word, ".,)")
				if targetName.MatchString(word) && !targets[word] {
					problems = append(problems, d.problem(c.line, fmt.Sprintf("make %s, which the Makefile does not have", word)))
				}
			}
		}
	}
	return problems, nil
}
