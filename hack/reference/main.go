// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command reference writes the reference documentation that the program itself can give:
//
//	docs/reference/cli.md      every command with its flags, from the command tree
//	docs/reference/metrics.md  every metric of the operator, from its registry
//	docs/verification.md       the order of checks, between markers, from the table of checks
//
// It is a module of its own because what renders Markdown and what stands in for an API
// server have no place among the product's dependencies. The reference of the API is written
// by crd-ref-docs, whose configuration and templates are in the folder api.
//
//	go run -C hack/reference . -root ../..
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/assay-project/assay/internal/cli"
	"github.com/assay-project/assay/internal/verify"
)

// pages are the files that are written as a whole, and what writes each.
var pages = map[string]func(w io.Writer) error{
	"docs/reference/cli.md":     func(w io.Writer) error { return writeCommands(w, cli.NewCommand()) },
	"docs/reference/metrics.md": func(w io.Writer) error { return writeMetrics(context.Background(), w) },
}

// verificationPage holds the list of checks, among prose that is written by hand.
const verificationPage = "docs/verification.md"

func main() {
	root := flag.String("root", ".", "top `DIRECTORY` of the repository")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	for name, write := range pages {
		var page bytes.Buffer
		if err := write(&page); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := writeFile(filepath.Join(root, name), page.Bytes()); err != nil {
			return err
		}
	}
	return updateChecks(filepath.Join(root, verificationPage))
}

func updateChecks(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	updated, err := replaceBlock(string(text), "checks", checkList(verify.Checks()))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return writeFile(name, []byte(updated))
}

// writeFile writes a file that other people may read, and the directory for it.
func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}
