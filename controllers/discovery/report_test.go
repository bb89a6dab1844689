// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/assay-project/assay/internal/importstatus"
)

// TestReport checks that the report names the namespaces with the most references that are left
// out, whatever the cause, and counts the others.
func TestReport(t *testing.T) {
	p := &plan{
		counts: counts{verified: 1, unverified: 2, unresolved: 3, excess: 9},
		excess: map[string]int{"b": 4, "a": 4, "c": 1},
	}
	for i := range importstatus.MaxListed + 2 {
		p.moved = append(p.moved, importstatus.MovedTag{Image: fmt.Sprintf("registry.example.com/a:%02d", i)})
	}
	dropped := map[string]int{"a": 7}
	for i := range importstatus.MaxListed {
		dropped[fmt.Sprintf("small-%02d", i)] = 2
	}
	failed := []importstatus.Tag{{Image: "registry.example.com/a:v1", Message: "registry.example.com answered with status 500"}}
	got := reportOf(p, dropped, failed)
	want := &importstatus.Discovery{
		Verified: 1, Unverified: 2, Unresolved: 3, Excess: 9, Dropped: 7 + 2*importstatus.MaxListed, OmittedLeftOut: 4, Tags: failed,
		Moved: p.moved[:importstatus.MaxListed], OmittedMoved: 2,
		LeftOut: []importstatus.LeftOut{
			{Namespace: "a", Cause: importstatus.CauseNotRemembered, References: 7},
			{Namespace: "a", Cause: importstatus.CauseTooMany, References: 4},
			{Namespace: "b", Cause: importstatus.CauseTooMany, References: 4},
		},
	}
	for i := range importstatus.MaxListed - 3 {
		want.LeftOut = append(want.LeftOut, importstatus.LeftOut{
			Namespace: fmt.Sprintf("small-%02d", i), Cause: importstatus.CauseNotRemembered, References: 2,
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProblemOf(t *testing.T) {
	if got := failureText(errors.New("a\x1b[2J\nb")); got != `a\x1b[2J\nb` {
		t.Errorf("got %q", got)
	}
}

// TestExcessIsReportedOnce checks that a namespace at its bound gets one event, and not one for each image
// that comes and goes, and another one when that is gone.
func TestExcessIsReportedOnce(t *testing.T) {
	recorder := events.NewFakeRecorder(16)
	clock := clocktesting.NewFakePassiveClock(now)
	r := &Reconciler{Recorder: recorder, Clock: clock, reported: map[string]bool{}}
	for range 5 {
		r.reportExcess(&plan{excess: map[string]int{"shop": 1}})
		r.reportExcess(&plan{})
	}
	r.reportExcess(&plan{excess: map[string]int{"shop": 1, "test": 2}})
	if n := len(recorder.Events); n != 2 {
		t.Errorf("%d events about two namespaces", n)
	}
	clock.SetTime(now.Add(time.Hour))
	r.reportExcess(&plan{excess: map[string]int{"shop": 1, "test": 2}})
	if n := len(recorder.Events); n != 2 {
		t.Errorf("%d events, although nothing has changed", n)
	}
	r.reportExcess(&plan{excess: map[string]int{"test": 2}})
	r.reportExcess(&plan{excess: map[string]int{"shop": 1, "test": 2}})
	if n := len(recorder.Events); n != 3 {
		t.Errorf("%d events, want one more when the first is gone", n)
	}
}
