// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command check-workflows holds the GitHub workflows to what a linter of their syntax does
// not ask for:
//
//   - every action is pinned by a commit, whose version stands in a comment, and one action
//     is pinned once
//   - no permission but those that a job lists
//   - every job ends after some minutes, and runs of a workflow have a concurrency group
//   - none runs a stranger's code with the repository's secrets
//   - every Go module of the repository is updated
//
// It prints what is wrong, a line each, and exits with 1 if anything is.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

func main() {
	problems, err := check(os.DirFS("."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "check-workflows:", err)
		os.Exit(2)
	}
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// check returns what is wrong in a repository, in order of files and lines.
func check(repository fs.FS) ([]string, error) {
	names, err := fs.Glob(repository, ".github/workflows/*")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there are no workflows in .github/workflows")
	}
	slices.Sort(names)
	var problems []string
	pins := pins{}
	for _, name := range names {
		text, err := fs.ReadFile(repository, name)
		if err != nil {
			return nil, err
		}
		for _, problem := range append(pins.check(string(text)), checkWorkflow(text)...) {
			problems = append(problems, path.Base(name)+": "+problem)
		}
	}
	updates, err := checkUpdates(repository)
	if err != nil {
		return nil, err
	}
	return append(problems, updates...), nil
}
