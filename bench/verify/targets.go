// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path"
	"strings"

	"github.com/assay-project/assay/bench/figures"
)

// Targets of the verifier.
const (
	minSpeedup     = 2  // Policy evaluation takes at least this many times as long, for any signature.
	maxAllocations = 60 // Of a plain signature.
)

// maxOverFloor bounds the time of a verdict as a multiple of the floor. RSA-4096 has the lowest:
// the same overhead is a smaller part of a longer time. P-256 has no such target.
var maxOverFloor = map[string]map[framing]float64{
	"RSA-2048": {plain: 1.25, zipped: 1.5},
	"Ed25519":  {plain: 1.25, zipped: 1.5},
	"RSA-4096": {plain: 1.1, zipped: 1.1},
}

// evaluate compares the results with the targets. The verdict, not only the message, counts for the
// floor and the allocations. Everything that Assay does for an image is compared with policy
// evaluation, which does the same.
func evaluate(results []result) []figures.Figure {
	var list []figures.Figure
	for i := range results {
		r := &results[i]
		name := func(what string) string {
			return path.Join("verify", strings.ToLower(r.algorithm), strings.ToLower(string(r.framing)), what)
		}
		if limit, ok := maxOverFloor[r.algorithm][r.framing]; ok {
			list = append(list, figures.AtMost(name("over-floor"), r.ratio(verdict, floor), "x", limit))
		}
		list = append(list, figures.AtLeast(name("policy-over-assay"), r.ratio(policy, image), "x", minSpeedup))
		if r.framing == plain {
			list = append(list, figures.AtMost(name("allocations"),
				float64(r.samples[verdict].allocations), "allocations", maxAllocations))
		}
	}
	return list
}
