// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// maxComplaints bounds the repeated lines of a failed command.
const maxComplaints = 20

// buildMeter follows the progress of `go list` and `go build -v` through their standard error. It
// is an io.Writer and safe for concurrent use.
type buildMeter struct {
	name string

	mu         sync.Mutex
	partial    []byte // an unfinished line
	packages   map[string]bool
	downloaded int
	compiled   int
	outcome    string
	other      []string // the last lines that are neither a download nor a package
}

// setPackages sets the import paths of the program.
func (m *buildMeter) setPackages(paths []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.packages = make(map[string]bool, len(paths))
	for _, path := range paths {
		m.packages[path] = true
	}
}

// Write adds a piece of the command's output.
func (m *buildMeter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.partial = append(m.partial, p...)
	for {
		line, rest, found := bytes.Cut(m.partial, []byte{'\n'})
		if !found {
			return len(p), nil
		}
		m.partial = rest
		m.line(strings.TrimRight(string(line), "\r"))
	}
}

func (m *buildMeter) line(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		m.downloaded++
	case m.packages[line]:
		m.compiled++
	default:
		m.other = append(m.other, line)
		if len(m.other) > maxComplaints {
			m.other = m.other[1:]
		}
	}
}

// finish records the result of the command.
func (m *buildMeter) finish(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outcome = "done"
	if err != nil {
		m.outcome = "failed"
	}
}

// status describes the state in one line. `go build -v` names only packages that are not in the
// build cache, hence "at most". Main packages come last, followed by linking.
func (m *buildMeter) status() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.outcome != "" && m.packages == nil:
		return fmt.Sprintf("%s: %s, %d modules downloaded", m.name, m.outcome, m.downloaded)
	case m.outcome != "":
		return fmt.Sprintf("%s: %s, %d modules downloaded, %d of %d packages compiled", m.name, m.outcome, m.downloaded, m.compiled, len(m.packages))
	case m.packages == nil:
		return fmt.Sprintf("%s: fetching modules, %d so far", m.name, m.downloaded)
	default:
		return fmt.Sprintf("%s: compiling and linking, %d of at most %d packages", m.name, m.compiled, len(m.packages))
	}
}

// complaints returns the command's output other than its progress.
func (m *buildMeter) complaints() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := m.other
	if len(m.partial) > 0 {
		lines = append(lines[:len(lines):len(lines)], string(m.partial))
	}
	return strings.Join(lines, "\n")
}
