// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"hash/fnv"
	"time"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/verify"
)

// jitterFraction spreads the probes of images that were checked together: each waits up
// to a tenth of the interval longer.
const jitterFraction = 10

// probeInterval returns the interval between two probes of an image. It depends on the
// image's UID alone, so that restarts and other replicas agree about it.
func (r *ImageReconciler) probeInterval(image *imagev1.Image) time.Duration {
	spread := r.ProbeInterval / jitterFraction
	if spread <= 0 {
		return r.ProbeInterval
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(image.UID))
	return r.ProbeInterval + time.Duration(h.Sum32())*time.Millisecond%spread
}

// probeDue says whether lastProbeTime is to be refreshed although the verdict stays: when
// the interval has passed, or when somebody asked for a check. A time in the future, from
// a replica whose clock is ahead, is left alone unless it is absurd.
func (r *ImageReconciler) probeDue(image *imagev1.Image, now time.Time) bool {
	if probeRequest(image) != image.Status.LastHandledProbeRequest {
		return true
	}
	last := lastProbe(image)
	interval := r.probeInterval(image)
	return now.Sub(last) >= interval || last.Sub(now) > interval
}

// nextCheck returns after which time the image is to be looked at again without any
// event, at least a second: when the next probe is due, or when the verdict may change by
// the clock alone.
func (r *ImageReconciler) nextCheck(image *imagev1.Image, verdict *verify.Verdict, now time.Time) time.Duration {
	wait := r.probeInterval(image)
	if last := lastProbe(image); !last.IsZero() {
		wait = last.Add(wait).Sub(now)
	}
	if !verdict.RecheckAt.IsZero() {
		// One second later, because times in OpenPGP are whole seconds and a key is good in its last one.
		wait = min(wait, verdict.RecheckAt.Sub(now)+time.Second)
	}
	return max(wait, time.Second)
}
