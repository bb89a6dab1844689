// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/figures"
)

// TestRun rolls out two Deployments of each kind, from the registry to the file with the figures.
func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "rollout.json")
	var stdout, stderr bytes.Buffer
	if err := command.Run(t.Context(), &plan{}, []string{"-deployments", "2", "-out", out}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, row := range []string{
		"| image, public ", "| index, public ", "| index of signed images, public ", "| attachment of cosign, public ", "| bundle of cosign, public ",
		"| image, private ", "| index, private ",
	} {
		if !strings.Contains(stdout.String(), "\n"+row) {
			t.Errorf("no row %q in\n%s", row, stdout.String())
		}
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var list []figures.Figure
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 7 {
		t.Errorf("figures %+v; want seven", list)
	}
}

func TestFigures(t *testing.T) {
	got := newReport([]row{
		{kind: "image, public", verified: []time.Duration{time.Second}, pods: []time.Duration{time.Second, 3 * time.Second}},
		{kind: "index of signed images, public", pods: []time.Duration{3100 * time.Millisecond}},
	}).Figures
	want := []figures.Figure{
		{Name: "rollout/image-public-p99", Value: 3, Unit: "s", Target: "<= 3", OK: true},
		{Name: "rollout/index-of-signed-images-public-p99", Value: 3.1, Unit: "s", Target: "<= 3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestRefusesArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument": {"fast"}, "no Deployments": {"-deployments", "0"}, "an unknown flag": {"-fast"},
	} {
		if err := command.Run(t.Context(), &plan{}, args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
