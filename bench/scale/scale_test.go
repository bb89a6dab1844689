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

// TestRun measures a small cluster, from the API server to the file.
func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "scale.json")
	var stdout, stderr bytes.Buffer
	err := command.Run(t.Context(), &plan{}, []string{"-images", "30", "-revoked", "10", "-rounds", "1", "-round", "10", "-new", "3",
		"-blob", "500", "-rsa", "2048", "-settle", "1s", "-out", out}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, row := range []string{"| manager verifies and writes them", "| writes after that start", "| scale/new-image-p99"} {
		if !strings.Contains(stdout.String(), row) {
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
	if len(list) != 5 || list[2].Value != 0 || list[4].Value <= 0 || list[4].Value >= 1 {
		t.Errorf("figures %+v; want five, no write after a restart, and a share of decoding", list)
	}
}

func TestEvaluate(t *testing.T) {
	r := results{
		images: 1024, turns: []turn{turnAt(80, 100), turnAt(50, 50), turnAt(99, 110)},
		memoryEmpty: 50 * mebi, memoryFull: 62 * mebi, memoryRestarted: 60 * mebi, restartWrites: 1,
		fresh:    []time.Duration{time.Second, 3 * time.Second},
		decoding: 0.25,
	}
	want := []figures.Figure{
		{Name: "scale/rate-over-bare-client", Value: 0.9, Unit: "x", Target: ">= 0.9", OK: true},
		{Name: "scale/new-image-p99", Value: 3, Unit: "s", Target: "<= 2"},
		{Name: "scale/writes-after-restart", Value: 1, Unit: "writes", Target: "<= 0"},
		{Name: "scale/memory-per-image", Value: 12, Unit: "KiB", Target: "<= 12", OK: true},
		{Name: "scale/decoding-share", Value: 0.25, Unit: "x", Target: "<= 0.2"},
	}
	if diff := cmp.Diff(want, evaluate(r)); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func turnAt(manager, bare float64) turn {
	return turn{manager: pace{rate: manager}, bare: pace{rate: bare}}
}

func TestProcessorTimeIn(t *testing.T) {
	const stat = "42 (kube api) S 1 42 42 0 -1 4194560 9 0 0 0 1234 66 0 0 20 0 9 0 5555 1 2"
	if got, err := processorTimeIn(stat); err != nil || got != 13*time.Second {
		t.Errorf("%s, %v; want 13 s", got, err)
	}
	for _, stat := range []string{"", "42 (x) S 1", strings.Replace(stat, "1234", "many", 1), strings.Replace(stat, "66", "many", 1)} {
		if _, err := processorTimeIn(stat); err == nil {
			t.Errorf("%q: no error", stat)
		}
	}
}

func TestRefusesArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument":        {"fast"},
		"no images":          {"-images", "0"},
		"all images revoked": {"-images", "10", "-revoked", "10", "-round", "5"},
		"a round too large":  {"-images", "10", "-revoked", "5", "-round", "11"},
		"a weak key":         {"-rsa", "1024"},
		"no pause":           {"-new-every", "0s"},
	} {
		if err := command.Run(t.Context(), &plan{}, args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
