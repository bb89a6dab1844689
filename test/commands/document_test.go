// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package commands runs the commands that the documents show, with kubectl against a real API
// server: each of them twice, and then twice what undoes it.
package commands

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is what a reader of a Markdown file copies from it.
type document struct {
	path string
	// commands are the lines of the blocks in the language sh, without comments.
	commands []string
	// files are the texts of the blocks in the language yaml, by the path in their first line.
	files map[string]string
	// run are the commands that a test has run.
	run map[string]bool
}

var (
	blockPattern   = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	spanPattern    = regexp.MustCompile("`(kubectl [^`]+)`")
	commentPattern = regexp.MustCompile(`\s+#.*$`)
)

// readDocument takes a document apart. It fails the test if the document shows commands in a
// way that the test does not find.
func readDocument(t *testing.T, path string) *document {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{path: path, files: map[string]string{}, run: map[string]bool{}}
	for _, block := range blockPattern.FindAllStringSubmatch(string(data), -1) {
		switch language, text := block[1], block[2]; language {
		case "sh":
			for line := range strings.Lines(text) {
				d.commands = append(d.commands, commentPattern.ReplaceAllString(strings.TrimSpace(line), ""))
			}
		case "yaml":
			first, _, _ := strings.Cut(text, "\n")
			name, ok := strings.CutPrefix(first, "# ")
			if !ok {
				t.Errorf("%s: a block of YAML does not begin with the path of its file:\n%s", path, text)
			}
			d.files[name] = text
		case "text": // What a command prints.
		default:
			t.Errorf("%s: a block is in the language %q, and none of sh, yaml and text:\n%s", path, language, text)
		}
	}
	if len(d.commands) == 0 {
		t.Fatalf("%s has no commands", path)
	}
	for _, span := range spanPattern.FindAllStringSubmatch(string(data), -1) {
		if words := strings.Fields(span[1]); len(words) > 2 && !slices.Contains(d.commands, strings.Join(words, " ")) {
			t.Errorf("%s: %q is in the text and not in a block of its own", path, span[1])
		}
	}
	return d
}

// writeFiles writes the files of the document, relative to a folder.
func (d *document) writeFiles(t *testing.T, dir string) {
	t.Helper()
	for name, text := range d.files {
		writeFile(t, filepath.Join(dir, name), text)
	}
}

// take returns a command of the document, and fails the test if the document does not have it.
func (d *document) take(t *testing.T, command string) string {
	t.Helper()
	if !slices.Contains(d.commands, command) {
		t.Errorf("%s does not show the command: %s", d.path, command)
	}
	d.run[command] = true
	return command
}

// checkAllRun fails the test if a command was not run.
func (d *document) checkAllRun(t *testing.T) {
	t.Helper()
	for _, command := range d.commands {
		if !d.run[command] {
			t.Errorf("%s shows a command that no test runs: %s", d.path, command)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
