// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/assay-project/assay/internal/importstatus"
)

// listGrace is how long after the start the first lists may take before what is missing is
// reported. Until then the report of the last leader stands, so that a restart writes nothing.
const listGrace = time.Minute

// Report returns how discovery stands, nil before the workloads were listed.
func (r *Reconciler) Report() *importstatus.Discovery {
	last := r.report.Load()
	if last == nil {
		return nil
	}
	d := *last
	d.LeftOut, d.Tags, d.NotListed = slices.Clone(d.LeftOut), slices.Clone(d.Tags), slices.Clone(d.NotListed)
	d.Moved = slices.Clone(d.Moved)
	return &d
}

// updateReport replaces the report if it differs.
func (r *Reconciler) updateReport(in *input, p *plan) {
	if r.firstRun.IsZero() {
		r.firstRun = in.now
	}
	if !in.isComplete && in.now.Sub(r.firstRun) < listGrace {
		return
	}
	next := reportOf(p, r.References.Stats().Dropped, r.tags.failed())
	for resource, synced := range r.References.Synced() {
		if !synced {
			next.NotListed = append(next.NotListed, resource)
		}
	}
	slices.Sort(next.NotListed)
	if before := r.report.Load(); before != nil && equality.Semantic.DeepEqual(before, next) {
		return
	}
	r.report.Store(next)
	if r.Reports != nil {
		r.Reports()
	}
}

// reportOf returns what a plan says of the references, and what is left out for which cause.
func reportOf(p *plan, dropped map[string]int, failed []importstatus.Tag) *importstatus.Discovery {
	d := &importstatus.Discovery{
		Verified: p.counts.verified, Unverified: p.counts.unverified, Unresolved: p.counts.unresolved, Excess: p.counts.excess,
	}
	for _, n := range dropped {
		d.Dropped += n
	}
	d.LeftOut, d.OmittedLeftOut = largest(append(
		leftOut(importstatus.CauseTooMany, p.excess), leftOut(importstatus.CauseNotRemembered, dropped)...))
	d.OmittedTags = max(0, len(failed)-importstatus.MaxListed)
	d.Tags = failed[:min(len(failed), importstatus.MaxListed)]
	d.OmittedMoved = max(0, len(p.moved)-importstatus.MaxListed)
	d.Moved = p.moved[:min(len(p.moved), importstatus.MaxListed)]
	return d
}

func leftOut(cause string, byNamespace map[string]int) []importstatus.LeftOut {
	var list []importstatus.LeftOut
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		list = append(list, importstatus.LeftOut{Namespace: namespace, Cause: cause, References: byNamespace[namespace]})
	}
	return list
}

// largest returns the entries with the most references, and how many others there are.
func largest(list []importstatus.LeftOut) (first []importstatus.LeftOut, omitted int) {
	slices.SortStableFunc(list, func(a, b importstatus.LeftOut) int {
		return cmp.Or(cmp.Compare(b.References, a.References), cmp.Compare(a.Namespace, b.Namespace))
	})
	n := min(len(list), importstatus.MaxListed)
	return list[:n], len(list) - n
}
