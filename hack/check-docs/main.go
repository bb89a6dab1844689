// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command check-docs compares what the documents of this repository say with what is in
// it. It reads every *.md file, prints all that does not agree as file:line: problem, and
// exits with 1 if there is anything.
//
//	go run ./hack/check-docs [DIRECTORY]
//
// What is checked (each in a file of its own):
//
//	links     relative links and their anchors lead somewhere
//	paths     paths in code exist; a path is a word that begins with a directory of the
//	          top level, or looks like the name of a source file
//	targets   targets of `make` exist in the Makefile
//	flags     commands and flags of `assay` exist, and docs/cli.md has all of them
//	reasons   docs/spec documents every reason of api/v1alpha1, docs/troubleshooting.md says
//	          what to do about each, and tables name no others
//	metrics   docs/metrics.md documents every metric of controllers, and no document
//	          names others
//	alerts    docs/runbooks.md has an entry for every alert of config/prometheus, and no others
//	versions  versions of Go, Kubernetes and the main modules are those of go.mod
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/assay-project/assay/internal/cli"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := run(os.DirFS(root), assay, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "check-docs:", err)
		os.Exit(1)
	}
}

// assay runs an assay command and returns what it prints.
func assay(args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	if code := cli.Main(args, &bytes.Buffer{}, &stdout, &stderr); code != cli.ExitOK {
		return "", fmt.Errorf("assay %v: exit status %d: %s", args, code, stderr.String())
	}
	return stdout.String(), nil
}

// problem is something that a document says and that is not so.
type problem struct {
	file string
	line int // from 1
	text string
}

func (p problem) String() string { return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.text) }

// run checks the documents of a file tree and prints all problems. The error says how
// many there are, or what kept it from checking.
func run(tree fs.FS, assay func(args ...string) (string, error), w io.Writer) error {
	repo, err := readRepository(tree)
	if err != nil {
		return err
	}
	commands, err := readCommands(assay)
	if err != nil {
		return err
	}
	var problems []problem
	for _, check := range []func(*repository) ([]problem, error){
		checkLinks, checkPaths, checkTargets, commands.check, commands.checkDocumented, checkReasons, checkMetrics, checkAlerts, checkVersions,
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
