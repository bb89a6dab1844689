// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// TestEventsOncePerCause counts the events of an Image over changes of its result, which is stored, and over
// restarts, after which nothing else is known.
func TestEventsOncePerCause(t *testing.T) {
	const (
		down, limited = assayv1alpha1.ReasonStoreUnavailable, assayv1alpha1.ReasonRateLimited
		imported      = assayv1alpha1.ReasonImported
		none          = assayv1alpha1.ReasonNoSignaturesFound
		restart, hour = "restart", "an hour later"
	)
	for name, tt := range map[string]struct{ steps, want []string }{
		"imported":                 {[]string{imported}, nil},
		"no signatures":            {[]string{none, none, restart, none}, nil},
		"signatures come":          {[]string{none, imported, none}, nil},
		"down":                     {[]string{down, down}, []string{"Warning " + down}},
		"down over a restart":      {[]string{down, restart, down, restart, down}, []string{"Warning " + down}},
		"down, and up":             {[]string{down, imported}, []string{"Warning " + down, "Normal " + imported}},
		"down, and nothing there":  {[]string{down, none, restart, none}, []string{"Warning " + down, "Normal " + none}},
		"up after a restart":       {[]string{down, restart, imported}, []string{"Warning " + down, "Normal " + imported}},
		"flaps":                    {[]string{down, imported, down, imported, down, imported}, []string{"Warning " + down, "Normal " + imported}},
		"flaps without signatures": {[]string{none, down, none, down, none}, []string{"Warning " + down, "Normal " + none}},
		"fails in several ways":    {[]string{down, limited, down, limited}, []string{"Warning " + down, "Warning " + limited}},
		"again much later":         {[]string{down, imported, hour, down, hour, down}, []string{"Warning " + down, "Normal " + imported, "Warning " + down}},
		"flaps over a restart":     {[]string{down, none, down, restart, down, none}, []string{"Warning " + down, "Normal " + none, "Normal " + none}},
	} {
		t.Run(name, func(t *testing.T) {
			image := &imagev1.Image{}
			image.UID = "uid"
			clock := clocktesting.NewFakePassiveClock(t0)
			recorder := events.NewFakeRecorder(16)
			queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
			defer queue.ShutDown()
			start := func() *Reconciler {
				r := &Reconciler{Clock: clock, Recorder: recorder}
				if err := r.Lead(t.Context(), queue); err != nil {
					t.Fatal(err)
				}
				return r
			}
			r := start()
			for _, step := range tt.steps {
				switch step {
				case restart:
					r = start()
				case hour:
					clock.SetTime(clock.Now().Add(time.Hour))
				default:
					before := image.DeepCopy()
					applyStatus(image, &result{planID: "p", reason: step}, true, metav1.NewTime(clock.Now()))
					r.recordTransition(t.Context(), before, image)
				}
			}
			var got []string
			for len(recorder.Events) > 0 {
				got = append(got, strings.Join(strings.Fields(<-recorder.Events)[:2], " "))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("events %q, want %q", got, tt.want)
			}
		})
	}
}
