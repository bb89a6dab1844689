// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/verify"
)

// testNow is the present time of these tests.
var testNow = time.Unix(1704067200, 0)

// probedAt returns an image whose only signature was last checked at a time.
func probedAt(at time.Time) *imagev1.Image {
	image := &imagev1.Image{Signatures: make([]imagev1.ImageSignature, 1)}
	for _, conditionType := range []imagev1.SignatureConditionType{imagev1.SignatureComplete, imagev1.SignatureFailed} {
		image.Signatures[0].Conditions = append(image.Signatures[0].Conditions,
			imagev1.SignatureCondition{Type: conditionType, LastProbeTime: metav1.NewTime(at)})
	}
	return image
}

func TestRecheckDue(t *testing.T) {
	now := testNow
	r := &Reconciler{RecheckInterval: time.Hour}
	asked := probedAt(now)
	asked.Annotations = map[string]string{assayv1alpha1.RecheckRequestedAtAnnotation: "now"}
	handled := asked.DeepCopy()
	handled.Status.LastHandledRecheckRequest = "now"
	withoutTimes := &imagev1.Image{Signatures: make([]imagev1.ImageSignature, 1)}
	cases := map[string]struct {
		image *imagev1.Image
		want  bool
	}{
		"just checked":                      {probedAt(now), false},
		"checked within the interval":       {probedAt(now.Add(-59 * time.Minute)), false},
		"checked longer ago":                {probedAt(now.Add(-67 * time.Minute)), true},
		"never checked":                     {withoutTimes, true},
		"by a replica whose clock is ahead": {probedAt(now.Add(5 * time.Minute)), false},
		"in the far future":                 {probedAt(now.Add(3 * time.Hour)), true},
		"asked for":                         {asked, true},
		"asked for and done":                {handled, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := r.recheckDue(c.image, now); got != c.want {
				t.Errorf("recheckDue = %v, want %v", got, c.want)
			}
		})
	}
}

func TestNextCheck(t *testing.T) {
	now := testNow
	r := &Reconciler{RecheckInterval: time.Hour}
	interval := r.recheckInterval(&imagev1.Image{})
	cases := map[string]struct {
		last, recheck time.Time
		want          time.Duration
	}{
		"after the interval":               {now, time.Time{}, interval},
		"what is left of the interval":     {now.Add(-20 * time.Minute), time.Time{}, interval - 20*time.Minute},
		"at a key's expiry":                {now, now.Add(90 * time.Second), 91 * time.Second},
		"an expiry after the next recheck": {now, now.Add(24 * time.Hour), interval},
		"at least a second":                {now.Add(-24 * time.Hour), time.Time{}, time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := r.nextCheck(probedAt(c.last), &verify.Verdict{RecheckAt: c.recheck}, now)
			if got != c.want {
				t.Errorf("nextCheck = %s, want %s", got, c.want)
			}
		})
	}
}

func TestRechecksAreSpread(t *testing.T) {
	r := &Reconciler{RecheckInterval: 10 * time.Hour}
	seen := map[time.Duration]struct{}{}
	for i := range 100 {
		image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint(i))}}
		got := r.recheckInterval(image)
		if got < 10*time.Hour || got >= 11*time.Hour {
			t.Fatalf("interval %s is not within a tenth above 10h", got)
		}
		if again := r.recheckInterval(image); again != got {
			t.Fatalf("the interval of one image is %s and then %s", got, again)
		}
		seen[got] = struct{}{}
	}
	if len(seen) < 90 {
		t.Errorf("100 images have only %d different intervals", len(seen))
	}
}
