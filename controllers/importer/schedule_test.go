// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// scheduled returns an Image that was created at t0, with a verdict of that time.
func scheduled(verified metav1.ConditionStatus, in *imagev1.ImageImport) *imagev1.Image {
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{UID: "u", CreationTimestamp: metav1.NewTime(t0)}}
	image.Status.Import = in
	if verified != "" {
		image.Status.Conditions = []metav1.Condition{{Type: assayv1alpha1.VerifiedCondition, Status: verified, LastTransitionTime: metav1.NewTime(t0)}}
	}
	return image
}

func importedAt(at time.Time) *imagev1.ImageImport {
	return &imagev1.ImageImport{Result: assayv1alpha1.ReasonNoSignaturesFound, LastTime: metav1.NewTime(at), Configuration: "p"}
}

func TestDue(t *testing.T) {
	askedAt := func(at time.Duration) *attempt { return &attempt{uid: "u", planID: "p", at: t0.Add(at)} }
	rests := func(a *attempt, d time.Duration) *attempt { a.retryAfter = d; return a }
	recheck := func(image *imagev1.Image) *imagev1.Image {
		image.Annotations = map[string]string{assayv1alpha1.RecheckRequestedAtAnnotation: "now"}
		return image
	}
	changed := func(image *imagev1.Image) *imagev1.Image { image.Generation++; return image }
	const never = -1
	now := 10 * time.Hour
	tests := map[string]struct {
		image    *imagev1.Image
		last     *attempt
		started  time.Duration
		min, max time.Duration // After t0.
		urgent   bool
	}{
		"never asked":                      {scheduled("", nil), nil, 0, now, now, true},
		"verified":                         {scheduled(metav1.ConditionTrue, importedAt(t0)), nil, 0, never, never, false},
		"verified, other configuration":    {scheduled(metav1.ConditionTrue, &imagev1.ImageImport{Configuration: "q"}), nil, 0, never, never, false},
		"verified, never asked":            {scheduled(metav1.ConditionTrue, nil), nil, 0, now, now, true},
		"verified, a recheck is asked for": {recheck(scheduled(metav1.ConditionTrue, importedAt(t0))), nil, 0, now, now, false},
		"other configuration":              {scheduled(metav1.ConditionFalse, importedAt(t0)), &attempt{uid: "u", planID: "q", at: t0}, 0, now, now, false},
		"configuration of the status":      {scheduled(metav1.ConditionFalse, &imagev1.ImageImport{Configuration: "q"}), nil, 0, now, now, false},
		"a recheck is asked for":           {recheck(scheduled(metav1.ConditionFalse, importedAt(t0))), askedAt(0), 0, now, now, false},
		"once asked":                       {scheduled(metav1.ConditionFalse, importedAt(t0)), askedAt(0), 0, 30 * time.Second, 33 * time.Second, false},
		"again":                            {scheduled(metav1.ConditionFalse, importedAt(t0)), askedAt(30 * time.Second), 0, time.Minute, 63 * time.Second, false},
		"twice as long":                    {scheduled(metav1.ConditionFalse, importedAt(t0)), askedAt(10 * time.Minute), 0, 20 * time.Minute, 21 * time.Minute, false},
		"no more than an hour":             {scheduled(metav1.ConditionFalse, importedAt(t0)), askedAt(9 * time.Hour), 0, now, now + 6*time.Minute, false},
		"the verdict has changed":          {scheduled(metav1.ConditionFalse, importedAt(t0.Add(-time.Hour))), askedAt(-time.Hour), 0, 30 * time.Second, 30 * time.Second, false},
		"the host rests":                   {scheduled(metav1.ConditionFalse, importedAt(t0)), rests(askedAt(0), time.Hour), 0, time.Hour, time.Hour + 30*time.Second, false},
		"asked, but not stored":            {scheduled("", nil), askedAt(0), 0, 30 * time.Second, 33 * time.Second, false},
		"another image of the name":        {scheduled("", nil), &attempt{uid: "v", planID: "p", at: t0}, 0, now, now, true},
		"its verdict is due":               {changed(scheduled(metav1.ConditionUnknown, importedAt(t0))), askedAt(0), 0, verdictLag, verdictLag, false},
		"due, and the host rests":          {changed(scheduled(metav1.ConditionUnknown, importedAt(t0))), rests(askedAt(0), time.Minute), 0, time.Minute, 90 * time.Second, false},
		"a restart, soon":                  {scheduled(metav1.ConditionFalse, importedAt(t0)), nil, 10 * time.Second, 30 * time.Second, 30 * time.Second, false},
		"a restart, later":                 {scheduled(metav1.ConditionFalse, importedAt(t0)), nil, 10 * time.Minute, 10*time.Minute + minInterval, 20*time.Minute + minInterval, false},
		"a restart, much later":            {scheduled(metav1.ConditionFalse, importedAt(t0)), nil, 9 * time.Hour, 9*time.Hour + minInterval, 10*time.Hour + minInterval, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := schedule{started: t0.Add(tt.started), now: t0.Add(now)}
			at, urgent, ok := s.due(tt.image, tt.last, "p")
			if tt.min == never {
				if ok {
					t.Errorf("due at %s", at)
				}
				return
			}
			if after := at.Sub(t0); !ok || after < tt.min || after > tt.max || urgent != tt.urgent {
				t.Errorf("due %s after (%t), urgent: %t; want %s to %s, %t", after, ok, urgent, tt.min, tt.max, tt.urgent)
			}
		})
	}
}

// TestRestartIsSpread checks that a restart asks for no image at once, and spreads the images over
// the interval that they have reached.
func TestRestartIsSpread(t *testing.T) {
	s := schedule{started: t0.Add(24 * time.Hour), now: t0.Add(24 * time.Hour)}
	minutes := map[int]bool{}
	for i := range 1000 {
		image := scheduled(metav1.ConditionFalse, importedAt(t0))
		image.UID = types.UID(fmt.Sprint("uid-", i))
		at, _, _ := s.due(image, nil, "p")
		wait := at.Sub(s.now)
		if wait < minInterval {
			t.Errorf("%s is due after %s", image.UID, wait)
		}
		minutes[int(wait/time.Minute)] = true
	}
	if len(minutes) < 20 {
		t.Errorf("in %d different minutes", len(minutes))
	}
}

// TestCacheBehind checks that an Image is left alone while the cache shows it as it was before the
// last write, as it does while the API server is away, but not for ever.
func TestCacheBehind(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(t0)
	r := &Reconciler{Clock: clock}
	image := &imagecache.Image{}
	image.Name, image.UID = "image", "u"
	for name, tt := range map[string]struct {
		version string
		uid     types.UID
		after   time.Duration
		want    bool
	}{
		"older":                 {"5", "u", 9 * time.Minute, true},
		"the same":              {"7", "u", 0, false},
		"newer":                 {"8", "u", 0, false},
		"another of that name":  {"5", "v", 0, false},
		"older for a long time": {"5", "u", 11 * time.Minute, false},
	} {
		clock.SetTime(t0.Add(tt.after))
		r.written = map[string]writtenImage{"image": {uid: tt.uid, resourceVersion: "7", at: t0}}
		image.ResourceVersion = tt.version
		if got := r.isBehind(image); got != tt.want {
			t.Errorf("%s: behind: %t", name, got)
		}
	}
}
