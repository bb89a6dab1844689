// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package figures writes the measurements of a benchmark with their targets in a machine-readable
// form, a JSON list of
//
//	{"figure": "verify/rsa-2048/plain/over-floor", "value": 1.12, "unit": "x", "target": "<= 1.25", "ok": true}
//
// A benchmark that misses a target records that here and does not fail.
package figures

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// Figure is one measured value and its target.
type Figure struct {
	// Name is a path of lower-case words, beginning with the benchmark's name. It is the same in
	// every run.
	Name string `json:"figure"`
	// Value is rounded to three decimals, also for the comparison with the target.
	Value float64 `json:"value"`
	// Unit of the value; "x" is a ratio.
	Unit string `json:"unit"`
	// Target is "<= limit" or ">= limit", in the same unit.
	Target string `json:"target"`
	// OK reports whether the value meets the target.
	OK bool `json:"ok"`
}

// AtMost returns a figure that should not exceed a limit.
func AtMost(name string, value float64, unit string, limit float64) Figure {
	value = round(value)
	return Figure{Name: name, Value: value, Unit: unit, Target: "<= " + text(limit), OK: value <= limit}
}

// AtLeast returns a figure that should reach a limit.
func AtLeast(name string, value float64, unit string, limit float64) Figure {
	value = round(value)
	return Figure{Name: name, Value: value, Unit: unit, Target: ">= " + text(limit), OK: value >= limit}
}

func round(value float64) float64 {
	const decimals = 1000
	return math.Round(value*decimals) / decimals
}

func text(value float64) string {
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// Write replaces the file at path and creates its directory if needed. A value that is not a number
// was not measured and is an error.
func Write(path string, list []Figure) error {
	if list == nil {
		list = []Figure{}
	}
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false) // Targets begin with < or >.
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(list); err != nil {
		return fmt.Errorf("writing figures: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing figures: %w", err)
	}
	if err := os.WriteFile(path, data.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing figures: %w", err)
	}
	return nil
}
