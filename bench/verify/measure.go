// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/assay-project/assay/bench/command"
)

// contender verifies one signature once. An error means that it refused the signature, which
// invalidates the measurement.
type contender func() error

// role identifies a contender.
type role int

const (
	floor     role = iota // Bare crypto/*.
	message               // Assay, the signed message alone.
	verdict               // Assay, the decision about an image.
	image                 // Assay, from the manifest's bytes to the decision.
	mechanism             // containers/image, keys kept.
	policy                // containers/image, policy evaluation.
	roles
)

var makers = [roles]func(fixture) (contender, error){
	floor:     newFloor,
	message:   newMessage,
	verdict:   newVerdict,
	image:     newImage,
	mechanism: newMechanism,
	policy:    newPolicy,
}

// newContenders returns all contenders for a signature.
func newContenders(f fixture) ([roles]contender, error) {
	var all [roles]contender
	for r, newContender := range makers {
		var err error
		if all[r], err = newContender(f); err != nil {
			return all, fmt.Errorf("%s %s, contender %d: %w", f.algorithm, f.framing, r, err)
		}
	}
	return all, nil
}

// sample has the measurements of one contender with one signature.
type sample struct {
	nanoseconds []float64 // Of one verification, one value per round.
	allocations uint64    // Of one verification.
	bytes       uint64
}

// result has the measurements with one signature.
type result struct {
	algorithm string
	framing   framing
	samples   [roles]sample
}

// median returns the median time of one verification.
func (r *result) median(of role) time.Duration {
	return time.Duration(median(r.samples[of].nanoseconds))
}

// ratio returns the median, over all rounds, of one contender's time over another's in the same
// round. Both ran within milliseconds of each other, so that a slow phase of the machine cancels
// out.
func (r *result) ratio(of, over role) float64 {
	a, b := r.samples[of].nanoseconds, r.samples[over].nanoseconds
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return median(ratios)
}

// median returns the middle value, or the mean of the two in the middle; 0 for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// course is a signature with its contenders and their repetitions per block.
type course struct {
	fixture
	contenders  [roles]contender
	repetitions [roles]int
}

// measure lets all contenders verify all signatures. Every round runs all contenders for each
// signature, starting with a different one each time.
func (p plan) measure(ctx context.Context, fixtures []fixture, progress command.Progress) ([]result, error) {
	courses := make([]course, len(fixtures))
	results := make([]result, len(fixtures))
	for i, f := range fixtures {
		results[i] = result{algorithm: f.algorithm, framing: f.framing}
		courses[i].fixture = f
		if err := p.prepare(&courses[i], &results[i]); err != nil {
			return nil, err
		}
	}
	const reports = 10
	for round := range p.rounds {
		for i := range courses {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := courses[i].run(round, &results[i]); err != nil {
				return nil, err
			}
		}
		if done := round + 1; done*reports/p.rounds != round*reports/p.rounds {
			progress("measured %d of %d rounds", done, p.rounds)
		}
	}
	return results, nil
}

// prepare creates the contenders, counts their allocations and determines their repetitions per
// block.
func (p plan) prepare(c *course, out *result) error {
	contenders, err := newContenders(c.fixture)
	if err != nil {
		return err
	}
	c.contenders = contenders
	for r, verify := range contenders {
		s := &out.samples[r]
		if s.allocations, s.bytes, err = countAllocations(verify); err != nil {
			return c.refused(role(r), err)
		}
		const tries = 10
		fastest := p.block
		for range tries {
			took, err := clock(verify, 1)
			if err != nil {
				return c.refused(role(r), err)
			}
			fastest = min(fastest, took)
		}
		c.repetitions[r] = max(1, int(p.block/max(fastest, 1)))
	}
	return nil
}

// run gives every contender one turn. Garbage is collected before a turn and rarely during one:
// allocations are counted separately, and a collection would burden an arbitrary contender.
func (c *course) run(round int, out *result) error {
	runtime.GC()
	for i := range roles {
		r := (i + role(round)) % roles
		if err := c.contenders[r](); err != nil { // Fills caches and pools.
			return c.refused(r, err)
		}
		took, err := clock(c.contenders[r], c.repetitions[r])
		if err != nil {
			return c.refused(r, err)
		}
		s := &out.samples[r]
		s.nanoseconds = append(s.nanoseconds, float64(took)/float64(c.repetitions[r]))
	}
	return nil
}

func (c *course) refused(r role, err error) error {
	return fmt.Errorf("%s %s, contender %d: %w", c.algorithm, c.framing, r, err)
}

// clock measures the time of a number of verifications.
func clock(verify contender, repetitions int) (time.Duration, error) {
	begin := time.Now()
	for range repetitions {
		if err := verify(); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), nil
}

// countAllocations returns the allocations of one verification with filled pools. It disables
// garbage collection, which would empty the pools.
func countAllocations(verify contender) (allocations, bytes uint64, err error) {
	const repetitions = 64
	if err := verify(); err != nil {
		return 0, 0, err
	}
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if err := verify(); err != nil {
		return 0, 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = clock(verify, repetitions)
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / repetitions, (after.TotalAlloc - before.TotalAlloc) / repetitions, err
}
