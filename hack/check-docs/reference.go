// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The pages that hack/reference writes. What they do not have does not exist.
const (
	commandsReference = "docs/reference/cli.md"
	metricsReference  = "docs/reference/metrics.md"
)

var (
	flagPattern   = regexp.MustCompile(`(?m)^ +(?:(-[a-z]), )?(--[a-z][a-z0-9-]*)`)
	flagWord      = regexp.MustCompile(`^\[?(--?[a-z][a-z0-9-]*)`)
	metricPattern = regexp.MustCompile(`\bassay_[a-z0-9_]+\b`)
	// seriesSuffix is the ending of a time series of a histogram.
	seriesSuffix = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// commandFlags holds the flags of every command of assay, with their dashes, by the words of
// the command: "policy convert". Those of assay itself are under "".
type commandFlags map[string][]string

// checkCommands checks that the commands of assay and their flags that documents show are in
// the reference. A code span that begins with two dashes is about a flag of assay as well: a
// flag of another program needs its command.
func checkCommands(r *repository) ([]problem, error) {
	reference := r.document(commandsReference)
	if reference == nil {
		return nil, errors.New("there is no " + commandsReference)
	}
	commands := readCommands(reference)
	if len(commands) < 2 {
		return nil, errors.New("there are no commands in " + commandsReference)
	}
	var problems []problem
	for _, d := range r.documents {
		for _, shown := range d.commands() {
			var wrong []string
			if first := shown.words[0]; strings.HasPrefix(first, "--") {
				wrong = commands.unknownAnywhere(first)
			} else if path.Base(first) == "assay" {
				wrong = commands.unknown(shown.words[1:])
			}
			for _, text := range wrong {
				problems = append(problems, d.problem(shown.line, text))
			}
		}
	}
	return problems, nil
}

// readCommands reads the commands from the headings of the reference, and the flags of each
// from the code below.
func readCommands(reference *document) commandFlags {
	commands := commandFlags{}
	type heading struct {
		command string
		line    int
	}
	var headings []heading
	for text, line := range reference.headings("## assay") {
		command := strings.TrimSpace(text)
		commands[command] = nil
		headings = append(headings, heading{command, line})
	}
	slices.SortFunc(headings, func(a, b heading) int { return a.line - b.line })
	for _, f := range reference.fences {
		command := ""
		for _, h := range headings {
			if len(f.lines) > 0 && h.line < f.lines[0].line {
				command = h.command
			}
		}
		for _, line := range f.lines {
			if found := flagPattern.FindStringSubmatch(line.text); found != nil {
				commands[command] = append(commands[command], found[1:]...)
			}
		}
	}
	return commands
}

// unknownAnywhere returns a problem when no command has a flag.
func (c commandFlags) unknownAnywhere(word string) []string {
	flag := flagWord.FindStringSubmatch(word)
	if flag == nil {
		return nil
	}
	for _, flags := range c {
		if slices.Contains(flags, flag[1]) {
			return nil
		}
	}
	return []string{fmt.Sprintf("flag %s, which no assay command has", flag[1])}
}

// unknown returns a problem for each of the words after assay that is a command or a flag
// that does not exist.
func (c commandFlags) unknown(words []string) []string {
	if len(words) == 0 {
		return nil
	}
	name := ""
	if targetName.MatchString(words[0]) {
		name = words[0]
	}
	flags, ok := c[name]
	if !ok {
		return []string{fmt.Sprintf("assay %s, which is no command", name)}
	}
	if len(words) > 1 {
		if below, ok := c[name+" "+words[1]]; ok {
			name, flags = name+" "+words[1], below
		}
	}
	var wrong []string
	for _, word := range words {
		if flag := flagWord.FindStringSubmatch(word); flag != nil && !slices.Contains(flags, flag[1]) {
			wrong = append(wrong, fmt.Sprintf("assay %s %s, which it does not have", name, flag[1]))
		}
	}
	return wrong
}

// checkMetrics checks that the metrics that documents name are in the reference.
func checkMetrics(r *repository) ([]problem, error) {
	reference := r.document(metricsReference)
	if reference == nil {
		return nil, errors.New("there is no " + metricsReference)
	}
	metrics := map[string]bool{}
	for _, span := range reference.spans() {
		metrics[metricPattern.FindString(span.text)] = true
	}
	delete(metrics, "")
	if len(metrics) == 0 {
		return nil, errors.New("there are no metrics in " + metricsReference)
	}
	var problems []problem
	for _, d := range r.documents {
		for _, code := range d.code() {
			for _, name := range metricPattern.FindAllString(code.text, -1) {
				if !metrics[name] && !metrics[seriesSuffix.ReplaceAllString(name, "")] {
					problems = append(problems, d.problem(code.line, fmt.Sprintf("metric %s, which %s does not have", name, metricsReference)))
				}
			}
		}
	}
	return problems, nil
}
