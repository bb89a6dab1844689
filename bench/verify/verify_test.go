// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/report"
)

// testResults are invented measurements with obvious medians.
func testResults() []result {
	rsa := result{algorithm: "RSA-2048", framing: plain}
	for r, nanoseconds := range [roles][]float64{
		floor:     {30_000, 20_000, 90_000},
		message:   {33_000, 22_000, 90_000},
		verdict:   {36_000, 26_000, 90_000},
		image:     {40_000, 30_000, 90_000},
		mechanism: {60_000, 45_000, 90_000},
		policy:    {100_000, 60_000, 90_000},
	} {
		rsa.samples[r] = sample{nanoseconds: nanoseconds, allocations: uint64(60 + r), bytes: uint64(1024 + 512*r)}
	}
	ecdsa := rsa
	ecdsa.algorithm, ecdsa.framing = "P-256", zipped
	return []result{rsa, ecdsa}
}

func TestEvaluate(t *testing.T) {
	want := []figures.Figure{
		{Name: "verify/rsa-2048/plain/over-floor", Value: 1.2, Unit: "x", Target: "<= 1.25", OK: true},
		{Name: "verify/rsa-2048/plain/policy-over-assay", Value: 2, Unit: "x", Target: ">= 2", OK: true},
		{Name: "verify/rsa-2048/plain/allocations", Value: 62, Unit: "allocations", Target: "<= 60", OK: false},
		{Name: "verify/p-256/zip/policy-over-assay", Value: 2, Unit: "x", Target: ">= 2", OK: true},
	}
	if diff := cmp.Diff(want, evaluate(testResults())); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestWriteReport(t *testing.T) {
	r := newReport(plan{rounds: 3, block: time.Millisecond}, testResults())
	var got strings.Builder
	err := r.Write(&got, report.Machine{Description: "a machine", Load: "0.50"}, report.Machine{Description: "a machine", Load: "0.75"})
	if err != nil {
		t.Fatal(err)
	}
	want := `a machine. Load average 0.50 before and 0.75 after.
Medians of 3 rounds, blocks of 1ms.

Time of one verification in µs, in brackets as a multiple of bare crypto

| signature       | bare crypto | Assay, message | Assay, verdict |
|-----------------|------------:|---------------:|---------------:|
| RSA-2048, plain |        30.0 |    33.0 (1.10) |    36.0 (1.20) |
| P-256, ZIP      |        30.0 |    33.0 (1.10) |    36.0 (1.20) |

Time of one verification with the manifest in µs, in brackets as a multiple of Assay

| signature       | Assay | containers/image, keys kept | containers/image, policy |
|-----------------|------:|----------------------------:|-------------------------:|
| RSA-2048, plain |  40.0 |                 60.0 (1.50) |              90.0 (2.00) |
| P-256, ZIP      |  40.0 |                 60.0 (1.50) |              90.0 (2.00) |

Allocations of one verification, in brackets their KiB

| signature       | bare crypto | Assay, message | Assay, verdict | containers/image, keys kept | containers/image, policy |
|-----------------|------------:|---------------:|---------------:|----------------------------:|-------------------------:|
| RSA-2048, plain |    60 (1.0) |       61 (1.5) |       62 (2.0) |                    64 (3.0) |                 65 (3.5) |
| P-256, ZIP      |    60 (1.0) |       61 (1.5) |       62 (2.0) |                    64 (3.0) |                 65 (3.5) |

Targets

| figure                                  |          value |  target | holds |
|-----------------------------------------|---------------:|--------:|------:|
| verify/rsa-2048/plain/over-floor        |          1.2 x | <= 1.25 |   yes |
| verify/rsa-2048/plain/policy-over-assay |            2 x |    >= 2 |   yes |
| verify/rsa-2048/plain/allocations       | 62 allocations |   <= 60 |    no |
| verify/p-256/zip/policy-over-assay      |            2 x |    >= 2 |   yes |
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestMedian(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		want   float64
	}{
		"none": {nil, 0},
		"one":  {[]float64{3}, 3},
		"odd":  {[]float64{9, 1, 3}, 3},
		"even": {[]float64{9, 1, 3, 5}, 4},
	} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestRatio simulates a machine that is ten times slower in one round. That does not change the
// ratio; the ratio of the medians would be 10.
func TestRatio(t *testing.T) {
	var r result
	r.samples[floor].nanoseconds = []float64{10, 100, 10}
	r.samples[verdict].nanoseconds = []float64{20, 200, 200}
	if got := r.ratio(verdict, floor); got != 2 {
		t.Errorf("ratio %v, want 2", got)
	}
}

func TestMeasureStops(t *testing.T) {
	fixtures := testFixtures(t)[:1]
	p := plan{rounds: 1, block: time.Microsecond}
	t.Run("when it is told to", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.measure(ctx, fixtures, t.Logf); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	})
	t.Run("when a contender refuses", func(t *testing.T) {
		altered := []fixture{alter(t, fixtures[0], len(fixtures[0].message)-1)}
		if results, err := p.measure(t.Context(), altered, t.Logf); err == nil {
			t.Errorf("no error, but %v", results)
		}
	})
}

func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out", "verify.json")
	var stdout, stderr bytes.Buffer
	args := []string{"-rounds", "2", "-block", "1us", "-out", out}
	if err := command.Run(t.Context(), &plan{}, args, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var list []figures.Figure
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	const perSignature, perPlain, perFloor = 8, 4, 6
	if want := perSignature + perPlain + perFloor; len(list) != want {
		t.Errorf("%d figures, want %d", len(list), want)
	}
	if !strings.HasSuffix(stderr.String(), "measured 2 of 2 rounds\n") {
		t.Errorf("progress:\n%s", stderr.String())
	}
	if n := strings.Count(stdout.String(), "\n| RSA-4096, ZIP"); n != 3 {
		t.Errorf("%d lines for a signature, want 3:\n%s", n, stdout.String())
	}
}

func TestRunRefusesArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"no rounds":        {"-rounds", "0"},
		"an empty block":   {"-block", "0s"},
		"an argument":      {"rsa"},
		"an unknown flag":  {"-fast"},
		"a broken number":  {"-rounds", "many"},
		"a unitless block": {"-block", "1"},
	} {
		if err := command.Run(t.Context(), &plan{}, args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
