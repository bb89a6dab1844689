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

// TestRun measures a few Pods, from the API server to the file.
func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "admission.json")
	var stdout, stderr bytes.Buffer
	err := command.Run(t.Context(), &plan{}, []string{"-images", "1,10000", "-containers", "1,3", "-pods", "2", "-signed", "2", "-turns", "1", "-out", out}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, row := range []string{"| 1 ", "| 10000 ", "| signature added until a Pod is admitted, median", "| admission/without-operator"} {
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
	if len(list) != 3 {
		t.Errorf("figures %+v; want three", list)
	}
}

func TestEvaluate(t *testing.T) {
	at := func(with, without time.Duration) latencies {
		return latencies{with: []time.Duration{with}, without: []time.Duration{without}}
	}
	const ms = time.Millisecond
	r := results{
		rows: []row{
			{images: 10_000, containers: 3, latencies: at(6*ms, 5*ms)}, {images: 10_000, containers: 10, latencies: at(60*ms, 5*ms)},
			{images: 50_000, containers: 3, latencies: at(9*ms, 5*ms)}, {images: 1, containers: 3, latencies: at(90*ms, 5*ms)},
		},
		signed: []time.Duration{time.Second, 2 * time.Second}, running: at(4*ms, 3*ms), stopped: at(5*ms, 3*ms),
	}
	want := []figures.Figure{
		{Name: "admission/overhead-10000-images", Value: 1, Unit: "ms", Target: "<= 1", OK: true},
		{Name: "admission/overhead-50000-images", Value: 4, Unit: "ms", Target: "<= 3"},
		{Name: "admission/signature-to-pod-p99", Value: 2, Unit: "s", Target: "<= 3", OK: true},
		{Name: "admission/without-operator", Value: 1.25, Unit: "x", Target: "<= 1.15"},
	}
	if diff := cmp.Diff(want, evaluate(r)); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestRefusesArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument":     {"fast"},
		"no Pods":         {"-pods", "0"},
		"no images":       {"-images", "0"},
		"not a number":    {"-images", "many"},
		"going down":      {"-containers", "3,1"},
		"the same twice":  {"-containers", "3,3"},
		"no numbers":      {"-images", ""},
		"an unknown flag": {"-fast"},
	} {
		if err := command.Run(t.Context(), &plan{}, args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
