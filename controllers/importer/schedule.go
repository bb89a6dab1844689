// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"hash/fnv"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

const (
	// The stores of an image that is not verified are asked again after minInterval, and then after
	// twice as long each time, up to maxInterval.
	minInterval = 30 * time.Second
	maxInterval = time.Hour

	// verdictLag is how long what was fetched may wait for its verdict. Before that, nobody knows
	// whether the image needs another signature: an API server that is away takes no verdicts.
	verdictLag = 10 * time.Minute

	// restSpread spreads the images of a host over the time after its rest.
	restSpread = 30 * time.Second

	// maxRecheckRequest is how much of a request for a recheck is compared.
	maxRecheckRequest = 256
)

// attempt is what this process remembers of the last time that it asked the stores of an image.
// Images that are verified have none.
type attempt struct {
	uid     types.UID
	planID  string
	recheck string
	at      time.Time
	// retryAfter is how long a host rests; zero when none does.
	retryAfter time.Duration
	// single is the digest of the image if a registry has said that it is no index, which remains so.
	single digest.Digest
}

// schedule is when the stores of an image are asked. It is a function of the Image and of what this
// process remembers, so that a restart asks nothing again that was asked before: what follows from
// the Image alone is spread over the interval that has been reached by then.
type schedule struct {
	// started is when this process began to import.
	started time.Time
	now     time.Time
}

// due returns when the stores of an image are asked next, and false for never: an image that is
// verified needs no other signature. urgent means that they were never asked.
func (s schedule) due(image *imagev1.Image, last *attempt, planID string) (at time.Time, urgent, ok bool) {
	if last != nil && last.uid != image.UID {
		last = nil
	}
	status := image.Status.Import
	if status == nil && last == nil {
		return s.now, true, true
	}
	asked := attempt{}
	switch {
	case last != nil:
		asked = *last
	default:
		asked.planID, asked.recheck = status.Configuration, status.LastHandledRecheckRequest
	}
	if recheckRequest(image) != asked.recheck {
		return s.now, false, true
	}
	verified := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
	if verified != nil && verified.Status == metav1.ConditionTrue {
		return time.Time{}, false, false
	}
	if asked.planID != planID {
		return s.now, false, true
	}
	return s.again(image, asked, verified), false, true
}

// again returns when the stores are asked again. The interval grows with the time since the answers
// or the verdict last changed, which doubles it each time.
func (s schedule) again(image *imagev1.Image, asked attempt, verified *metav1.Condition) time.Time {
	changed := image.CreationTimestamp.Time
	if status := image.Status.Import; status != nil {
		changed = later(changed, status.LastTime.Time)
	}
	if verified != nil {
		changed = later(changed, verified.LastTransitionTime.Time)
	}
	spread := fraction(image.UID)
	switch {
	case asked.at.IsZero() && s.started.Before(changed.Add(minInterval)):
		return changed.Add(minInterval)
	case asked.at.IsZero():
		return s.started.Add(minInterval + scale(interval(s.started.Sub(changed)), spread))
	case asked.retryAfter > 0:
		return asked.at.Add(asked.retryAfter + scale(restSpread, spread))
	case changed.After(asked.at):
		return changed.Add(minInterval)
	case image.Status.ObservedGeneration != image.Generation:
		return asked.at.Add(verdictLag)
	default:
		wait := interval(asked.at.Sub(changed))
		return asked.at.Add(wait + scale(wait/10, spread))
	}
}

func interval(since time.Duration) time.Duration { return min(max(since, minInterval), maxInterval) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// fraction is a number from 0 to 255 that depends on the UID alone.
func fraction(uid types.UID) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(uid))
	return time.Duration(h.Sum32() % 256)
}

// scale returns d*fraction/256.
func scale(d, fraction time.Duration) time.Duration { return d * fraction / 256 }

// recheckRequest returns the value of the annotation by which people ask for a check.
func recheckRequest(image *imagev1.Image) string {
	value := image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation]
	return value[:min(len(value), maxRecheckRequest)]
}
