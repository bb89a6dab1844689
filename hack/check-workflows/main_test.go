// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const (
	commit = "0123456789abcdef0123456789abcdef01234567"

	goodWorkflow = `name: ci
on:
  pull_request:
permissions: {}
concurrency: ci
jobs:
  called:
    uses: ./.github/workflows/other.yml
    permissions: {contents: read}
  test:
    timeout-minutes: 5
    permissions: {}
    steps:
      - uses: actions/checkout@` + commit + ` # v1.2.3
      - run: make test
`
	goodUpdates = `version: 2
updates:
  - package-ecosystem: gomod
    directories: ["/", "/tools"]
  - package-ecosystem: docker
    directory: /
`
)

func repository(workflow, updates string) fstest.MapFS {
	return fstest.MapFS{
		".github/workflows/ci.yml": {Data: []byte(workflow)},
		".github/dependabot.yml":   {Data: []byte(updates)},
		"go.mod":                   {},
		"tools/go.mod":             {},
		"a/testdata/go.mod":        {},
		".cache/go.mod":            {},
	}
}

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		old, new string
		want     []string
	}{
		"good": {},
		"a tag": {"@" + commit + " # v1.2.3", "@v1",
			[]string{`ci.yml: line 14: "actions/checkout@v1" is not OWNER/NAME@COMMIT # VERSION`}},
		"a short commit": {commit, "0123456",
			[]string{`ci.yml: line 14: "actions/checkout@0123456 # v1.2.3" is not OWNER/NAME@COMMIT # VERSION`}},
		"no version": {" # v1.2.3", "",
			[]string{`ci.yml: line 14: "actions/checkout@` + commit + `" is not OWNER/NAME@COMMIT # VERSION`}},
		"a version in part": {"v1.2.3", "v1",
			[]string{`ci.yml: line 14: "actions/checkout@` + commit + ` # v1" is not OWNER/NAME@COMMIT # VERSION`}},
		"an image": {"actions/checkout@" + commit + " # v1.2.3", "docker://alpine:3",
			[]string{`ci.yml: line 14: "docker://alpine:3" is not OWNER/NAME@COMMIT # VERSION`}},
		"two commits of an action": {"      - run: make test", "      - uses: actions/checkout@" + strings.Repeat("0", 40) + " # v2.0.0",
			[]string{"ci.yml: line 15: actions/checkout is " + strings.Repeat("0", 40) + " v2.0.0 here and " + commit + " v1.2.3 elsewhere"}},
		"permissions for all": {"permissions: {}\nconc", "permissions: {contents: read}\nconc",
			[]string{"ci.yml: does not begin with no permissions: {}"}},
		"the default permissions": {"permissions: {}\nconc", "conc",
			[]string{"ci.yml: does not begin with no permissions: {}"}},
		"a job's default permissions": {"    permissions: {}\n", "", []string{"ci.yml: job test does not list its permissions"}},
		"no concurrency":              {"concurrency: ci\n", "", []string{"ci.yml: has no concurrency group"}},
		"no timeout":                  {"    timeout-minutes: 5\n", "", []string{"ci.yml: job test has no timeout"}},
		"a stranger's code":           {"pull_request:", "pull_request_target:", []string{"ci.yml: runs on pull_request_target"}},
		"in a list":                   {"on:\n  pull_request:", "on: [push, workflow_run]", []string{"ci.yml: runs on workflow_run"}},
		"as a word":                   {"on:\n  pull_request:", "on: pull_request_target", []string{"ci.yml: runs on pull_request_target"}},
		"a module that is missing":    {`, "/tools"`, "", []string{"dependabot.yml: the module in /tools is not updated"}},
		"a folder without a module":   {`"/tools"`, `"/tools", "/none"`, []string{"dependabot.yml: there is no module in /none"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			replace := func(text string) string { return strings.Replace(text, test.old, test.new, 1) }
			if !strings.Contains(goodWorkflow+goodUpdates, test.old) {
				t.Fatalf("nothing has %q", test.old)
			}
			got, err := check(repository(replace(goodWorkflow), replace(goodUpdates)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckFails(t *testing.T) {
	without := func(name string) fstest.MapFS {
		r := repository(goodWorkflow, goodUpdates)
		delete(r, name)
		return r
	}
	tests := map[string]fstest.MapFS{
		"no workflow":    without(".github/workflows/ci.yml"),
		"no updates":     without(".github/dependabot.yml"),
		"broken updates": repository(goodWorkflow, "updates: 1"),
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := check(r); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestCheckWorkflowRefuses(t *testing.T) {
	for name, text := range map[string]string{"no YAML": "a: b: c", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			if len(checkWorkflow([]byte(text))) == 0 {
				t.Error("no problem found")
			}
		})
	}
}
