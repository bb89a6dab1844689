// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

const (
	alertsFile       = "config/prometheus/rules.yaml"
	runbooksDocument = "docs/runbooks.md"
)

var (
	alertPattern   = regexp.MustCompile(`^ *- alert: (\S+)`)
	runbookPattern = regexp.MustCompile(`^ *runbook: (\S+)`)
)

// alert is an alert of the rules, and the document that its annotation names.
type alert struct {
	declaration
	name, runbook string
}

// checkAlerts checks that every alert has a heading in docs/runbooks.md and points to it,
// and that the headings of the second level there are alerts.
func checkAlerts(r *repository) ([]problem, error) {
	alerts, err := readAlerts(r)
	if err != nil {
		return nil, err
	}
	document := r.document(runbooksDocument)
	if document == nil {
		return nil, errors.New("there is no " + runbooksDocument)
	}
	var problems []problem
	known, explained := map[string]bool{}, document.headings("## ")
	for _, a := range alerts {
		known[a.name] = true
		if _, ok := explained[a.name]; !ok {
			problems = append(problems, problem{a.file, a.line, fmt.Sprintf("alert %s has no entry in %s", a.name, runbooksDocument)})
		}
		if want := runbooksDocument + "#" + strings.ToLower(a.name); a.runbook != want {
			problems = append(problems, problem{a.file, a.line, fmt.Sprintf("alert %s has the runbook %q, not %s", a.name, a.runbook, want)})
		}
	}
	for name, line := range explained {
		if !known[name] {
			problems = append(problems, document.problem(line, fmt.Sprintf("alert %s, which %s does not have", name, path.Base(alertsFile))))
		}
	}
	return problems, nil
}

// headings returns the headings that begin so, and their lines.
func (d *document) headings(prefix string) map[string]int {
	headings := map[string]int{}
	line := 0
	for text := range strings.Lines(d.prose) {
		line++
		if heading, ok := strings.CutPrefix(text, prefix); ok {
			headings[strings.TrimSpace(heading)] = line
		}
	}
	return headings
}

// readAlerts reads the alerts line by line, to know where they are.
func readAlerts(r *repository) ([]alert, error) {
	text, err := fs.ReadFile(r, alertsFile)
	if err != nil {
		return nil, err
	}
	var alerts []alert
	line := 0
	for text := range strings.Lines(string(text)) {
		line++
		if found := alertPattern.FindStringSubmatch(text); found != nil {
			alerts = append(alerts, alert{declaration: declaration{alertsFile, line}, name: found[1]})
		}
		if found := runbookPattern.FindStringSubmatch(text); found != nil && len(alerts) > 0 {
			alerts[len(alerts)-1].runbook = found[1]
		}
	}
	if len(alerts) == 0 {
		return nil, errors.New("there are no alerts in " + alertsFile)
	}
	return alerts, nil
}
