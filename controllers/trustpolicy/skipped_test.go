// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trustpolicy

import (
	"fmt"
	"strings"
	"testing"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/trust"
)

// problemFile is a key file with problems.
type problemFile []string

func (f problemFile) Problems() []string { return f }
func (problemFile) Cost() int            { return 0 }

func TestSkippedData(t *testing.T) {
	s := &skippedData{}
	if reason, message := s.add("clean", &trust.File{Location: "inline"}, problemFile(nil)); reason != "" || message != "" || s.condition() != nil {
		t.Errorf("a file without problems: %s, %s, %v", reason, message, s.condition())
	}
	reason, message := s.add("release", &trust.File{Location: "Secret/keys[a.asc]"}, problemFile{"a key was skipped"})
	if reason != assayv1alpha1.ReasonKeyDataSkipped || message != "the key is used; of its file, a key was skipped" {
		t.Errorf("%s: %q", reason, message)
	}
	if got, want := s.condition().Message, "release (Secret/keys[a.asc]): a key was skipped"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSkippedDataIsBounded checks that the message fits its schema whatever a policy reads, and
// that it counts what it leaves out.
func TestSkippedDataIsBounded(t *testing.T) {
	s := &skippedData{}
	var problems problemFile
	for i := range 16 {
		problems = append(problems, fmt.Sprintf("problem %d", i))
	}
	s.add("a", &trust.File{Location: "inline"}, problems)
	if got, want := s.condition().Message, "a (inline): problem 0; a (inline): problem 1; a (inline): problem 2; and 13 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s = &skippedData{}
	long := problemFile{strings.Repeat("é", 128), strings.Repeat("é", 128), strings.Repeat("é", 128), "more"}
	_, message := s.add(strings.Repeat("a", 63), &trust.File{Location: strings.Repeat("b", 600)}, long)
	if condition := s.condition(); len(condition.Message) > maxMessageLength || len(message) > maxMessageLength {
		t.Errorf("messages of %d and %d bytes", len(condition.Message), len(message))
	}
}
