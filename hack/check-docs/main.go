// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command check-docs compares the documents of this repository with the rest of it. It reads
// every *.md file, prints each disagreement as file:line: problem, and exits with 1 if there
// are any.
//
//	go run ./hack/check-docs [DIRECTORY]
//
// It checks what no generator can keep right:
//
//	links      relative links and their anchors lead somewhere
//	paths      paths in code exist; a path is a word that begins with a directory of the
//	           top level, or looks like the name of a source file
//	targets    targets of `make` exist in the Makefile
//	reference  commands and flags of `assay`, and metrics, are in docs/reference
//	reasons    docs/spec documents every reason of api/v1alpha1, docs/troubleshooting.md
//	           explains what to do about each, and tables name no others
//	alerts     docs/runbooks.md has an entry for every alert of config/prometheus, and no others
//	versions   versions of Go, Kubernetes and the main modules are those of go.mod
//	width      prose wraps at 120 columns
package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := run(os.DirFS(root), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "check-docs:", err)
		os.Exit(1)
	}
}

// problem is a statement of a document that is wrong.
type problem struct {
	file string
	line int // from 1
	text string
}

func (p problem) String() string { return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.text) }

// run checks the documents of a file tree and prints all problems. The error counts them, or
// is what kept it from checking.
func run(tree fs.FS, w io.Writer) error {
	repo, err := readRepository(tree)
	if err != nil {
		return err
	}
	var problems []problem
	for _, check := range []func(*repository) ([]problem, error){
		checkLinks, checkPaths, checkTargets, checkCommands, checkMetrics, checkReasons, checkAlerts, checkVersions, checkWidth,
	} {
		found, err := check(repo)
		if err != nil {
			return err
		}
		problems = append(problems, found...)
	}
	slices.SortFunc(problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.text, b.text))
	})
	problems = slices.Compact(problems)
	for _, p := range problems {
		if _, err := fmt.Fprintln(w, p); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("the documents and the repository disagree in %d places", len(problems))
	}
	_, err = fmt.Fprintf(w, "%d documents agree with the repository\n", len(repo.documents))
	return err
}
