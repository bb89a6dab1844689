// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"hash/fnv"
	"time"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/verify"
)

// jitterFraction spreads the rechecks of images that were checked together: each waits up
// to a tenth of the interval longer.
const jitterFraction = 10

// recheckInterval returns the interval between two rechecks of an image. It depends on the
// image's UID alone, so that restarts and other replicas agree about it.
func (r *Reconciler) recheckInterval(image *imagev1.Image) time.Duration {
	spread := r.RecheckInterval / jitterFraction
	if spread <= 0 {
		return r.RecheckInterval
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(image.UID))
	return r.RecheckInterval + time.Duration(h.Sum32())*time.Millisecond%spread
}

// recheckDue reports whether lastProbeTime is refreshed although the verdict stays: when the
// interval has passed, or when somebody asked for a check. A time in the future, from
// a replica whose clock is ahead, is left alone unless it is absurd.
func (r *Reconciler) recheckDue(image *imagev1.Image, now time.Time) bool {
	if recheckRequest(image) != image.Status.LastHandledRecheckRequest {
		return true
	}
	last := LastProbe(image)
	interval := r.recheckInterval(image)
	return now.Sub(last) >= interval || last.Sub(now) > interval
}

// nextCheck returns the time after which the image is reconciled again without any event, at
// least a second: when the next recheck is due, or when the clock alone may change the verdict.
func (r *Reconciler) nextCheck(image *imagev1.Image, verdict *verify.Verdict, now time.Time) time.Duration {
	wait := r.recheckInterval(image)
	if last := LastProbe(image); !last.IsZero() {
		wait = last.Add(wait).Sub(now)
	}
	if !verdict.RecheckAt.IsZero() {
		// One second later, because times in OpenPGP are whole seconds, and a key is valid in its last one.
		wait = min(wait, verdict.RecheckAt.Sub(now)+time.Second)
	}
	return max(wait, time.Second)
}
