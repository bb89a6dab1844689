// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package figures_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/bench/figures"
)

func TestTargets(t *testing.T) {
	for name, tt := range map[string]struct {
		got, want figures.Figure
	}{
		"below the most": {
			figures.AtMost("a", 1.2, "x", 1.25),
			figures.Figure{Name: "a", Value: 1.2, Unit: "x", Target: "<= 1.25", OK: true},
		},
		"the most": {
			figures.AtMost("a", 60, "allocations", 60),
			figures.Figure{Name: "a", Value: 60, Unit: "allocations", Target: "<= 60", OK: true},
		},
		"above the most": {
			figures.AtMost("a", 1.251, "x", 1.25),
			figures.Figure{Name: "a", Value: 1.251, Unit: "x", Target: "<= 1.25", OK: false},
		},
		"the most once rounded": {
			figures.AtMost("a", 1.2504, "x", 1.25),
			figures.Figure{Name: "a", Value: 1.25, Unit: "x", Target: "<= 1.25", OK: true},
		},
		"the least": {
			figures.AtLeast("a", 2, "x", 2),
			figures.Figure{Name: "a", Value: 2, Unit: "x", Target: ">= 2", OK: true},
		},
		"below the least": {
			figures.AtLeast("a", 1.999, "x", 2),
			figures.Figure{Name: "a", Value: 1.999, Unit: "x", Target: ">= 2", OK: false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("figure (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNotANumberMeetsNoTarget(t *testing.T) {
	if figures.AtMost("a", math.NaN(), "x", 1).OK || figures.AtLeast("a", math.NaN(), "x", 1).OK {
		t.Error("a value that was not measured meets a target")
	}
}

func TestWrite(t *testing.T) {
	for name, tt := range map[string]struct {
		list []figures.Figure
		want string
	}{
		"nothing": {nil, "[]\n"},
		"two": {
			[]figures.Figure{figures.AtMost("verify/a", 1.2, "x", 1.25), figures.AtLeast("verify/b", 1, "x", 2)},
			`[
  {
    "figure": "verify/a",
    "value": 1.2,
    "unit": "x",
    "target": "<= 1.25",
    "ok": true
  },
  {
    "figure": "verify/b",
    "value": 1,
    "unit": "x",
    "target": ">= 2",
    "ok": false
  }
]
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out", "verify.json")
			if err := figures.Write(path, tt.list); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteRefusesNaN(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verify.json")
	if err := figures.Write(path, []figures.Figure{figures.AtMost("a", math.NaN(), "x", 1)}); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}

func TestWriteErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := figures.Write(filepath.Join(file, "verify.json"), nil); err == nil {
		t.Error("no error for a folder that is a file")
	}
	if err := figures.Write(t.TempDir(), nil); err == nil {
		t.Error("no error for a file that is a folder")
	}
}
