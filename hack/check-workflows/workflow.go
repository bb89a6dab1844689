// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"
)

// workflow is what is checked of one. A nil field is not in the file.
type workflow struct {
	// On is true in YAML 1.1, which the decoder reads: the key of triggers is a word for yes.
	On          any            `json:"true"`
	Permissions map[string]any `json:"permissions"`
	Concurrency any            `json:"concurrency"`
	Jobs        map[string]job `json:"jobs"`
}

type job struct {
	Permissions    map[string]string `json:"permissions"`
	TimeoutMinutes int               `json:"timeout-minutes"`
	// Uses is a workflow that is the job, and has its own limits.
	Uses string `json:"uses"`
}

// checkWorkflow returns what is wrong with a workflow.
func checkWorkflow(text []byte) []string {
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		return []string{err.Error()}
	}
	var problems []string
	if w.Permissions == nil || len(w.Permissions) > 0 {
		problems = append(problems, "does not begin with no permissions: {}")
	}
	if w.Concurrency == nil {
		problems = append(problems, "has no concurrency group")
	}
	for _, trigger := range triggers(w.On) {
		// These run with the repository's secrets on what a stranger sent.
		if trigger == "pull_request_target" || trigger == "workflow_run" {
			problems = append(problems, "runs on "+trigger)
		}
	}
	if len(w.Jobs) == 0 {
		problems = append(problems, "has no jobs")
	}
	for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
		if w.Jobs[name].Permissions == nil {
			problems = append(problems, fmt.Sprintf("job %s does not list its permissions", name))
		}
		if w.Jobs[name].Uses == "" && w.Jobs[name].TimeoutMinutes == 0 {
			problems = append(problems, fmt.Sprintf("job %s has no timeout", name))
		}
	}
	return problems
}

// triggers returns what a workflow runs on, which is a name, a list, or names with settings.
func triggers(on any) []string {
	switch on := on.(type) {
	case string:
		return []string{on}
	case []any:
		var names []string
		for _, name := range on {
			names = append(names, fmt.Sprint(name))
		}
		return names
	case map[string]any:
		return slices.Sorted(maps.Keys(on))
	default:
		return nil
	}
}
