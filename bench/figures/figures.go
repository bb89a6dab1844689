// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package figures writes what a benchmark measured beside what it was meant to reach,
// in a form that a script can read: a JSON list of
//
//	{"figure": "verify/rsa-2048/plain/over-floor", "value": 1.12, "unit": "x", "target": "<= 1.25", "ok": true}
//
// A benchmark that misses a target says so here and does not fail.
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
	// Name is a path of lower-case words, the benchmark's name first. It stays the same
	// from run to run.
	Name string `json:"figure"`
	// Value is rounded to three decimals, and judged as it is written.
	Value float64 `json:"value"`
	// Unit of the value; "x" is a ratio.
	Unit string `json:"unit"`
	// Target is "<= limit" or ">= limit", in the same unit.
	Target string `json:"target"`
	// OK says whether the value meets the target.
	OK bool `json:"ok"`
}

// AtMost is a figure that is meant not to exceed a limit.
func AtMost(name string, value float64, unit string, limit float64) Figure {
	value = round(value)
	return Figure{Name: name, Value: value, Unit: unit, Target: "<= " + text(limit), OK: value <= limit}
}

// AtLeast is a figure that is meant to reach a limit.
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

// Write replaces the file at path, and makes its folder where that is missing. A value
// that is not a number is an error: it was not measured.
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
