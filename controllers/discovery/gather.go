// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"time"
	"unique"

	"github.com/distribution/reference"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/references"
	"github.com/assay-project/assay/internal/trust"
)

// maxRemembered is how many parsed references are remembered beyond those that are in use.
const maxRemembered = 1024

// parsedReference is a reference as it is written in workloads, understood.
type parsedReference struct {
	// name is nil for what is no reference.
	name reference.Named
	// entry is <repository>@<digest> of a reference by digest.
	entry string
	// tag is <repository>:<tag> of a reference by tag alone.
	tag string

	// inScope is set when policies want Images of it, in their state of revision.
	inScope  bool
	revision uint64
}

// parse understands a reference. Where it has a tag and a digest, the tag does not count, as it
// does not for a node.
func parse(text string) *parsedReference {
	p := &parsedReference{}
	named, err := imageref.ParseImage(text)
	if err != nil {
		return p
	}
	named, err = imageref.Canonical(named)
	if err != nil {
		return p
	}
	switch ref := named.(type) {
	case reference.Digested:
		if !isSHA256(ref.Digest()) {
			return p
		}
		p.entry = named.Name() + "@" + ref.Digest().String()
	case reference.Tagged:
		p.tag = named.Name() + ":" + ref.Tag()
	default:
		// A node adds the tag.
		latest := reference.TagNameOnly(named)
		p.tag, named = latest.String(), latest
	}
	p.name = named
	return p
}

// inScopeOf reports whether policies want Images of the reference.
func (p *parsedReference) inScopeOf(snapshot *trust.Snapshot) bool {
	if p.revision != snapshot.Revision()+1 {
		p.revision = snapshot.Revision() + 1 // Not zero, for a reference that was never looked up.
		p.inScope = p.name != nil && snapshot.IsDiscovered(p.name)
	}
	return p.inScope
}

// gather collects what a plan depends on.
func (r *Reconciler) gather(ctx context.Context, now time.Time) (*input, error) {
	snapshot, err := r.Trust.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	// In this order: a workload that is made in between is missing nowhere.
	in := &input{now: now, images: r.images, isComplete: r.References.IsCurrent(), unusedFrom: r.unusedFrom, charges: r.charges, retention: r.Retention}
	var all []references.Reference
	r.References.Each(func(ref references.Reference) { all = append(all, ref) })
	if len(r.parsed) > len(all)+maxRemembered {
		r.parsed = make(map[unique.Handle[string]]*parsedReference, len(all))
	}
	tagsInUse := map[string]bool{}
	for i := range all {
		p := r.parsed[all[i].Text]
		if p == nil {
			p = parse(all[i].Text.Value())
			r.parsed[all[i].Text] = p
		}
		if p.name == nil || p.tag != "" && r.Resolver == nil {
			continue
		}
		u := usage{entry: p.entry, tag: p.tag, arrival: all[i].Arrival, isNew: all[i].IsNew}
		if p.inScopeOf(snapshot) {
			u.namespaces, u.arrivals = all[i].Namespaces, all[i].Arrivals
		}
		if p.tag != "" {
			tagsInUse[p.tag] = true
			u.entry = r.entryOf(p)
		}
		in.usages = append(in.usages, u)
	}
	r.tags.forget(tagsInUse)
	return in, nil
}

// entryOf returns the entry of a reference by tag, empty while its digest is not known.
func (r *Reconciler) entryOf(p *parsedReference) string {
	digest := r.tags.digestOf(p.tag, r.images.tagged(p.tag))
	if digest == "" {
		return ""
	}
	return p.name.Name() + "@" + digest.String()
}
