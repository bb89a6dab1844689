// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

// charge is whom an Image that is not verified counts for.
type charge struct {
	namespaces []string
	// isChild is set for the child of an index that the namespaces refer to.
	isChild bool
}

// chargeImage counts an Image that there is, and remembers for whom.
func (d *decision) chargeImage(f *imageFacts, c charge) {
	d.charge(c)
	if f.discovered {
		d.plan.charges[f.name] = c
	}
}

func (d *decision) charge(c charge) {
	d.total++
	counts := d.unverified
	if c.isChild {
		counts = d.unverifiedChildren
	}
	for _, namespace := range c.namespaces {
		counts[namespace]++
	}
}

// countLeftovers counts the operator's own Images that are not verified and that nothing refers to
// any more, for the namespaces that last asked for them. These are not known after a start. Those of
// idle workloads do not count: the references of a namespace are bounded.
func (d *decision) countLeftovers() {
	for name, f := range d.images.byName {
		if !f.discovered || f.verified || f.keep || !f.unusedSince.IsZero() || d.images.isVerified(f.entry) {
			continue
		}
		before, known := d.input.charges[name]
		_, counted := d.plan.charges[name]
		switch {
		case counted:
		case !d.used[f.entry]:
			d.chargeImage(f, before)
		case known:
			d.plan.charges[name] = before
		}
	}
}

// hasRoom reports whether a namespace may have one more image that is not verified.
func (d *decision) hasRoom(namespace string) bool {
	switch {
	case d.unverified[namespace] >= maxUnverified || d.total >= maxTotal:
		return false
	case d.total >= maxTotal-reserve:
		return d.unverified[namespace] < smallShare
	default:
		return true
	}
}

// hasRoomForChild reports whether a namespace may have one more Image of the child of an index. What
// is left to namespaces with few references is enough for the children of their first index.
func (d *decision) hasRoomForChild(namespace string) bool {
	switch n := d.unverifiedChildren[namespace]; {
	case n >= maxUnverifiedChildren || d.total >= maxTotal:
		return false
	case d.total >= maxTotal-reserve:
		return n < maxChildren
	default:
		return true
	}
}
