// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/report"
)

// constant is a benchmark that measures the value of a flag.
type constant struct{ value float64 }

func (c *constant) Name() string { return "constant" }

func (c *constant) Register(flags *flag.FlagSet) { flags.Float64Var(&c.value, "value", 1, "the value") }

func (c *constant) Validate() error {
	if c.value < 0 {
		return errors.New("-value must not be negative")
	}
	return nil
}

func (c *constant) Measure(ctx context.Context, progress Progress) (report.Report, error) {
	progress("measured %d of %d", 1, 1)
	return report.Report{Figures: []figures.Figure{figures.AtMost("constant/value", c.value, "x", 2)}}, ctx.Err()
}

func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out", "constant.json")
	var stdout, stderr bytes.Buffer
	// A missed target is not an error.
	if err := Run(t.Context(), &constant{}, []string{"-value", "3", "-out", out}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	if got := stderr.String(); got != "measured 1 of 1\n" {
		t.Errorf("progress: %q", got)
	}
	if !strings.Contains(stdout.String(), "| constant/value |   3 x |   <= 2 |    no |\n") {
		t.Errorf("report:\n%s", stdout.String())
	}
	if data, err := os.ReadFile(out); err != nil || !bytes.Contains(data, []byte(`"figure": "constant/value"`)) {
		t.Errorf("figures: %s, %v", data, err)
	}
}

func TestRunFails(t *testing.T) {
	out := filepath.Join(t.TempDir(), "constant.json")
	for name, args := range map[string][]string{
		"an argument":      {"fast"},
		"an unknown flag":  {"-fast"},
		"a broken value":   {"-value", "many"},
		"an invalid value": {"-value", "-1"},
		"no such folder":   {"-out", filepath.Join(os.DevNull, "constant.json")},
	} {
		if err := Run(t.Context(), &constant{}, args, io.Discard, io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, &constant{}, []string{"-out", out}, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a failed benchmark leaves figures: %v", err)
	}
	if err := Run(t.Context(), &constant{}, []string{"-help"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
}
