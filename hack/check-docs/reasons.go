// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
)

const (
	reasonsDir          = "api/v1alpha1"
	specDir             = "docs/spec"
	troubleshootingFile = "docs/troubleshooting.md"
)

var (
	camelCase = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
	// Lists of reasons outside of tables begin like this.
	reasonList = regexp.MustCompile(`(?m)^Reasons of [^:\n]+:.*(?:\n.+)*`)
)

// checkReasons checks that every reason that is declared in api/v1alpha1 stands in code in
// docs/spec and has a row in docs/troubleshooting.md, and that columns headed "reason" in
// any document hold no other.
func checkReasons(r *repository) ([]problem, error) {
	reasons, err := readReasons(r)
	if err != nil {
		return nil, err
	}
	var problems []problem
	documented, explained := map[string]bool{}, map[string]bool{}
	for _, d := range r.documents {
		if path.Dir(d.path) == specDir {
			for _, span := range d.spans() {
				documented[span.text] = true
			}
		}
		for _, named := range d.namedReasons() {
			if d.path == troubleshootingFile {
				explained[named.text] = true
			}
			if _, ok := reasons[named.text]; !ok {
				problems = append(problems, d.problem(named.line, fmt.Sprintf("reason %s, which %s does not have", named.text, reasonsDir)))
			}
		}
	}
	for reason, at := range reasons {
		if !documented[reason] {
			problems = append(problems, problem{at.file, at.line, fmt.Sprintf("reason %s is not documented in %s", reason, specDir)})
		}
		if !explained[reason] {
			problems = append(problems, problem{at.file, at.line, fmt.Sprintf("reason %s has no entry in %s", reason, troubleshootingFile)})
		}
	}
	return problems, nil
}

// readReasons returns the values of all string constants named Reason….
func readReasons(r *repository) (map[string]declaration, error) {
	reasons := map[string]declaration{}
	err := inspectGo(r, reasonsDir, func(files *token.FileSet, node ast.Node) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return
		}
		for i, name := range spec.Names {
			if !strings.HasPrefix(name.Name, "Reason") || i >= len(spec.Values) {
				continue
			}
			if value, ok := stringLiteral(spec.Values[i]); ok {
				at := files.Position(name.Pos())
				reasons[value] = declaration{at.Filename, at.Line}
			}
		}
	})
	if err == nil && len(reasons) == 0 {
		err = errors.New("there are no reasons in " + reasonsDir)
	}
	return reasons, err
}

// namedReasons returns the words that a document calls reasons: those in columns headed
// "reason", and those in code after "Reasons of …:".
func (d *document) namedReasons() []snippet {
	var named []snippet
	column := -1
	line := 0
	for text := range strings.Lines(d.prose) {
		line++
		if !strings.HasPrefix(text, "|") {
			column = -1
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(text), "|"), "|")
		if column < 0 {
			column = columnOf(cells, "reason")
			continue
		}
		if column >= len(cells) {
			continue
		}
		for word := range strings.FieldsFuncSeq(cells[column], func(c rune) bool { return c == ' ' || c == ',' || c == '`' }) {
			if camelCase.MatchString(word) {
				named = append(named, snippet{line, word})
			}
		}
	}
	for _, at := range reasonList.FindAllStringIndex(d.prose, -1) {
		for _, span := range spanPattern.FindAllStringSubmatchIndex(d.prose[at[0]:at[1]], -1) {
			named = append(named, snippet{d.lineAt(at[0] + span[2]), d.prose[at[0]+span[2] : at[0]+span[3]]})
		}
	}
	return named
}

// columnOf returns the index of the column with a heading; len(cells) if there is none.
func columnOf(cells []string, heading string) int {
	for i, cell := range cells {
		if strings.EqualFold(strings.TrimSpace(cell), heading) {
			return i
		}
	}
	return len(cells)
}
