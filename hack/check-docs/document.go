// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
)

// document is a Markdown file, taken apart as far as the checks need it.
type document struct {
	path string
	// prose is the text with blanks in place of fenced code, so that offsets and lines are
	// still those of the file.
	prose  string
	fences []fence
}

// fence is a block of fenced code.
type fence struct {
	language string
	lines    []snippet
}

// snippet is a piece of a document and the line on which it begins.
type snippet struct {
	line int
	text string
}

// command is a command line that a document shows, in words.
type command struct {
	line  int
	words []string
}

var (
	fencePattern = regexp.MustCompile("^ *(```+|~~~+) *([a-z]*)")
	// A code span ends in its paragraph.
	spanPattern       = regexp.MustCompile("`((?:[^`\n]|\n[^`\n])+)`")
	assignmentPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
)

func readDocument(path, text string) *document {
	d := &document{path: path}
	var prose strings.Builder
	closing := ""
	number := 0
	for line := range strings.Lines(text) {
		number++
		mark := fencePattern.FindStringSubmatch(line)
		switch {
		case closing == "" && mark != nil:
			closing = mark[1]
			d.fences = append(d.fences, fence{language: mark[2]})
		case closing != "" && mark != nil && strings.HasPrefix(mark[1], closing):
			closing = ""
		case closing != "":
			last := &d.fences[len(d.fences)-1]
			last.lines = append(last.lines, snippet{number, strings.TrimRight(line, "\n")})
		default:
			prose.WriteString(line)
			continue
		}
		prose.WriteString(strings.Repeat(" ", len(strings.TrimRight(line, "\n"))) + "\n")
	}
	d.prose = prose.String()
	return d
}

// lineAt returns the line of an offset in the prose.
func (d *document) lineAt(offset int) int { return strings.Count(d.prose[:offset], "\n") + 1 }

func (d *document) problem(line int, text string) problem {
	return problem{file: d.path, line: line, text: text}
}

// spans returns the code spans, with blanks in place of line breaks.
func (d *document) spans() []snippet {
	var spans []snippet
	for _, at := range spanPattern.FindAllStringSubmatchIndex(d.prose, -1) {
		spans = append(spans, snippet{d.lineAt(at[2]), strings.Join(strings.Fields(d.prose[at[2]:at[3]]), " ")})
	}
	return spans
}

// code returns all code: spans, and the lines of fenced blocks.
func (d *document) code() []snippet {
	code := d.spans()
	for _, f := range d.fences {
		code = append(code, f.lines...)
	}
	return code
}

// commands returns the command lines in code spans and in fenced blocks.
func (d *document) commands() []command {
	var commands []command
	for _, span := range d.spans() {
		commands = append(commands, splitCommands(span)...)
	}
	for _, f := range d.fences {
		for i := 0; i < len(f.lines); i++ {
			whole := f.lines[i]
			for strings.HasSuffix(whole.text, `\`) && i+1 < len(f.lines) {
				i++
				whole.text = strings.TrimSuffix(whole.text, `\`) + " " + f.lines[i].text
			}
			commands = append(commands, splitCommands(whole)...)
		}
	}
	return commands
}

// splitCommands splits a line of a shell into its commands, without prompt, comment and
// assignments. It knows no quotes: words are only looked at for what they begin with.
func splitCommands(line snippet) []command {
	var commands []command
	var words []string
	end := func() {
		if len(words) > 0 {
			commands = append(commands, command{line.line, words})
		}
		words = nil
	}
	for _, word := range strings.Fields(line.text) {
		switch {
		case strings.HasPrefix(word, "#"):
			end()
			return commands
		case word == "|" || word == "||" || word == "&&" || word == ";":
			end()
		case len(words) == 0 && (word == "$" || assignmentPattern.MatchString(word)):
		case strings.HasSuffix(word, ";"):
			words = append(words, strings.TrimSuffix(word, ";"))
			end()
		default:
			words = append(words, word)
		}
	}
	end()
	return commands
}
