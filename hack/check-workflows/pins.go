// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	usesPattern = regexp.MustCompile(`^\s*(?:-\s+)?["']?uses["']?\s*:\s*(.*)$`)
	// A tag can be moved to other code; a commit cannot. The comment is for people and for
	// the program that updates it.
	pinnedPattern = regexp.MustCompile(`^([A-Za-z0-9_.-]+/[A-Za-z0-9_./-]+)@([0-9a-f]{40}) # (v[0-9]+\.[0-9]+\.[0-9]+)$`)
)

// pins has the commit and version of each action that was seen.
type pins map[string]string

// check returns the actions of a workflow that are not pinned, or not as before. It reads
// lines, since the version is in a comment.
func (p pins) check(workflow string) []string {
	var problems []string
	for i, line := range strings.Split(workflow, "\n") {
		found := usesPattern.FindStringSubmatch(line)
		if found == nil || strings.HasPrefix(found[1], "./") {
			continue // what is in this repository is pinned with it
		}
		pin := pinnedPattern.FindStringSubmatch(strings.TrimSpace(found[1]))
		if pin == nil {
			problems = append(problems, fmt.Sprintf("line %d: %q is not OWNER/NAME@COMMIT # VERSION", i+1, found[1]))
			continue
		}
		action, now := pin[1], pin[2]+" "+pin[3]
		if before, ok := p[action]; ok && before != now {
			problems = append(problems, fmt.Sprintf("line %d: %s is %s here and %s elsewhere", i+1, action, now, before))
		}
		p[action] = now
	}
	return problems
}
