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

const cliDocument = "docs/cli.md"

// commandFlags holds the flags of every command of assay, with their dashes, by its words:
// "policy convert". Those of assay itself are under "".
type commandFlags map[string][]string

var (
	subcommandPattern = regexp.MustCompile(`(?m)^ {2}([a-z]+) +\S`)
	flagPattern       = regexp.MustCompile(`(?m)^ +(?:(-[a-z]), )?(--[a-z][a-z0-9-]*)`)
	flagWord          = regexp.MustCompile(`^\[?(--?[a-z][a-z0-9-]*)`)
)

// readCommands reads the commands and flags from the help that assay prints.
func readCommands(assay func(args ...string) (string, error)) (commandFlags, error) {
	commands := commandFlags{}
	if err := commands.read(assay, nil); err != nil {
		return nil, err
	}
	if len(commands) == 1 {
		return nil, errors.New("assay --help lists no commands")
	}
	return commands, nil
}

// read adds a command, given by its words, and the commands below it.
func (c commandFlags) read(assay func(args ...string) (string, error), command []string) error {
	help, err := assay(slices.Concat(command, []string{"--help"})...)
	if err != nil {
		return err
	}
	c[strings.Join(command, " ")] = flagsOf(help)
	_, list, _ := strings.Cut(help, "Available Commands:")
	list, _, _ = strings.Cut(list, "Flags:")
	for _, found := range subcommandPattern.FindAllStringSubmatch(list, -1) {
		if err := c.read(assay, slices.Concat(command, found[1:])); err != nil {
			return err
		}
	}
	return nil
}

func flagsOf(help string) []string {
	var flags []string
	_, list, _ := strings.Cut(help, "Flags:")
	for _, found := range flagPattern.FindAllStringSubmatch(list, -1) {
		flags = append(flags, found[1:]...)
	}
	return flags
}

// check checks the commands of assay that documents show. A code span that begins with
// two dashes is about a flag of assay as well: a flag of something else needs its command.
func (c commandFlags) check(r *repository) ([]problem, error) {
	var problems []problem
	for _, d := range r.documents {
		for _, shown := range d.commands() {
			var wrong []string
			if first := shown.words[0]; strings.HasPrefix(first, "--") {
				wrong = c.unknownAnywhere(first)
			} else if path.Base(first) == "assay" {
				wrong = c.unknown(shown.words[1:])
			}
			for _, text := range wrong {
				problems = append(problems, d.problem(shown.line, text))
			}
		}
	}
	return problems, nil
}

// checkDocumented checks that docs/cli.md names every command, and has a section with every
// long flag of each command that has flags of its own.
func (c commandFlags) checkDocumented(r *repository) ([]problem, error) {
	document := r.document(cliDocument)
	if document == nil {
		return nil, errors.New("there is no " + cliDocument)
	}
	sections, named := document.spansByHeading("### "), map[string]bool{}
	for _, span := range document.spans() {
		named[span.text] = true
	}
	var problems []problem
	for command, flags := range c {
		if command == "" || command == "help" || strings.HasPrefix(command, "completion") {
			continue // They are cobra's own.
		}
		name := "assay " + command
		if !named[name] && !c.hasCommands(command) {
			problems = append(problems, document.problem(1, name+" is not documented here"))
		}
		for _, flag := range flags {
			if strings.HasPrefix(flag, "--") && flag != "--help" && !sections["`"+name+"`"][flag] {
				problems = append(problems, document.problem(1, fmt.Sprintf("%s %s is not documented here, below a heading with the command", name, flag)))
			}
		}
	}
	return problems, nil
}

// hasCommands tells whether there are commands below a command.
func (c commandFlags) hasCommands(command string) bool {
	for other := range c {
		if strings.HasPrefix(other, command+" ") {
			return true
		}
	}
	return false
}

// spansByHeading returns the code spans below each heading that begins so, until the next
// heading of any level.
func (d *document) spansByHeading(prefix string) map[string]map[string]bool {
	sections := map[string]map[string]bool{}
	var current map[string]bool
	for line := range strings.Lines(d.prose) {
		if strings.HasPrefix(line, "#") {
			current = map[string]bool{}
			if heading, ok := strings.CutPrefix(line, prefix); ok {
				sections[strings.TrimSpace(heading)] = current
			}
			continue
		}
		for _, span := range spanPattern.FindAllStringSubmatch(line, -1) {
			if current != nil {
				current[span[1]] = true
			}
		}
	}
	return sections
}

// unknownAnywhere says whether no command has a flag.
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

// unknown says which words after assay are a command or flags that do not exist.
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
