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
	out := filepath.Join(t.TempDir(), "import.json")
	var stdout, stderr bytes.Buffer
	err := command.Run(t.Context(), &plan{}, []string{"-references", "20", "-new", "3", "-new-every", "50ms", "-settle", "6s", "-out", out}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, row := range []string{"| backlog until all 18 images of healthy registries are verified", "| import/new-deployment-p99"} {
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
	values := map[string]float64{}
	for _, f := range list {
		values[f.Name] = f.Value
	}
	if len(list) != 9 || values["import/requests-per-image"] < 4 || values["import/requests-to-limiting-registry"] < 1 || values["import/requests-to-absent-registry"] < 1 {
		t.Errorf("figures %+v; want nine, and requests to every registry", list)
	}
	if values["import/requests-after-restart"] != 0 || values["import/writes-after-restart"] != 0 {
		t.Errorf("at rest after a start there are requests or writes: %+v", list)
	}
}

func TestEvaluate(t *testing.T) {
	r := &results{
		quiet: []time.Duration{time.Second}, busy: []time.Duration{time.Second, 4 * time.Second}, images: 600, failed: 400,
		requests: 3000, limited: 20, unanswered: 300, patches: 4500, memoryEmpty: 50 * mebi, memoryFull: 60 * mebi, restWrites: 1,
	}
	want := []figures.Figure{
		{Name: "import/new-deployment-p99", Value: 1, Unit: "s", Target: "<= 3", OK: true},
		{Name: "import/new-deployment-in-backlog-p99", Value: 4, Unit: "s", Target: "<= 3"},
		{Name: "import/requests-per-image", Value: 5, Unit: "requests", Target: "<= 6", OK: true},
		{Name: "import/requests-to-limiting-registry", Value: 20, Unit: "requests", Target: "<= 200", OK: true},
		{Name: "import/requests-to-absent-registry", Value: 300, Unit: "requests", Target: "<= 200"},
		{Name: "import/patches-per-image", Value: 4.5, Unit: "patches", Target: "<= 4"},
		{Name: "import/memory-per-image", Value: 10.24, Unit: "KiB", Target: "<= 12", OK: true},
		{Name: "import/requests-after-restart", Unit: "requests", Target: "<= 0", OK: true},
		{Name: "import/writes-after-restart", Value: 1, Unit: "writes", Target: "<= 0"},
	}
	if diff := cmp.Diff(want, evaluate(r)); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestRefusesArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument":    {"fast"},
		"no references":  {"-references", "4"},
		"no Deployments": {"-new", "0"},
		"a weak key":     {"-rsa", "1024"},
		"no pause":       {"-new-every", "0s"},
		"no rest":        {"-settle", "0s"},
	} {
		if err := command.Run(t.Context(), &plan{}, args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
