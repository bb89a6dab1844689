// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

// Effort bounds the work on the signatures of one image. A signature that the effort does not
// suffice for could not be checked, with the reason OverBudget. It never makes an image verified,
// and hides no other signature.
type Effort int

const (
	// FullEffort is all that is ever spent on an image: up to half a second.
	FullEffort Effort = iota
	// QuickEffort suffices for images as they are, and bounds what hostile ones cost to about
	// 15 milliseconds. Where it does not suffice, the verdict is incomplete.
	QuickEffort
)

const (
	// maxCost bounds what authenticating the signatures of one image costs, in microseconds by
	// Circumstances.Spend. 128 signatures by 12 keys on P-256 are within it.
	maxCost = 250_000
	// maxQuickCost is the same for QuickEffort: 20 signatures with RSA-4096 are within it, or 3
	// on P-521.
	maxQuickCost = 10_000

	// maxHeavySteps bounds the heavy steps of all signatures of one image. A signature takes
	// two at most, and most take none.
	maxHeavySteps = 8
)

func (e Effort) maxCost() int {
	if e == QuickEffort {
		return maxQuickCost
	}
	return maxCost
}

func (e Effort) heavySteps() int {
	if e == QuickEffort {
		return 0
	}
	return maxHeavySteps
}
