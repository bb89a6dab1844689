// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import "time"

// charge is whom an Image that is not verified counts for.
type charge struct {
	namespaces []string
	// isChild is set for the child of an index that the namespaces refer to.
	isChild bool
	// made is when the Image was to be made; zero for one that was there.
	made time.Time
}

// makingTime bounds how long it takes until an Image that was to be made is there or is not.
const makingTime = time.Minute

// chargeImage counts an Image that there is, and remembers for whom.
func (d *decision) chargeImage(f *imageFacts, c charge) {
	d.charge(c)
	if f.discovered {
		d.plan.charges[f.entry] = c
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

// make has an Image made that was charged.
func (d *decision) make(entry string, c charge) {
	d.create = append(d.create, entry)
	// Its reference may be gone before it is there.
	c.made = d.now
	d.plan.charges[entry] = c
}

// countLeftovers counts the operator's own Images that are not verified and that nothing refers to
// any more, for the namespaces that last asked for them. These are not known after a start. Those of
// idle workloads do not count: the references of a namespace are bounded.
func (d *decision) countLeftovers() {
	for _, f := range d.images.byName {
		if !f.discovered || f.verified || f.keep || !f.unusedSince.IsZero() || d.images.isVerified(f.entry) {
			continue
		}
		before, known := d.input.charges[f.entry]
		_, counted := d.plan.charges[f.entry]
		switch {
		case counted:
		case !d.used[f.entry]:
			d.chargeImage(f, before)
		case known:
			d.plan.charges[f.entry] = before
		}
	}
	d.countUnseen()
}

// countUnseen counts Images that were to be made and are not to be seen yet, whose references are gone.
func (d *decision) countUnseen() {
	for entry, c := range d.input.charges {
		age := d.now.Sub(c.made)
		if d.used[entry] || len(d.images.byEntry[entry]) > 0 || age < 0 || age >= makingTime {
			continue
		}
		d.charge(c)
		d.plan.charges[entry] = c
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
