// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/assay-project/assay/internal/verdictcache"
)

// After a start, an image that takes long to evaluate stays listed for a while, and keeps nothing
// else waiting: what is revoked leaves the allowlist at once.
func TestPendingImagesStayListedForAWhile(t *testing.T) {
	l := newWriter(t)
	const images, size = 4, 80
	entry := func(n int) string { return l.entry(n, images, size) }
	const plain, revoked, slow, slowAndNew = 0, 1, 2, 3
	record := func(n int, verdict verdictcache.Verdict) {
		verdict.UID, verdict.Scope = "1", "a"
		l.Verdicts.Record(entry(n), verdict)
	}
	for _, n := range []int{plain, revoked, slow} {
		record(n, verdictcache.Verdict{Entry: entry(n)})
	}
	l.settle()

	l.Verdicts = verdictcache.New()
	l.restart()
	for n := range images {
		l.images = append(l.images, cachedImage(entry(n), "1"))
	}
	record(plain, verdictcache.Verdict{Entry: entry(plain)})
	record(revoked, verdictcache.Verdict{})
	record(slow, verdictcache.Verdict{Pending: entry(slow), Incomplete: true})
	record(slowAndNew, verdictcache.Verdict{Pending: entry(slowAndNew), Incomplete: true})
	lists := func(after string, want ...bool) {
		t.Helper()
		for n, listed := range want {
			if got := l.admits(entry(n)); got != listed {
				t.Errorf("%s: image %d is listed: %v, want %v", after, n, got, listed)
			}
		}
	}
	for range 4 { // The fence, the shard, and the end of the pause after a write.
		l.clock.SetTime(l.clock.Now().Add(2 * time.Second))
		result, err := l.Reconcile(l.ctx, ctrl.Request{})
		if err != nil {
			t.Fatal(err)
		}
		l.requeueAfter = result.RequeueAfter
	}
	lists("shortly after the start", true, false, true, false)
	if l.requeueAfter <= 0 || l.requeueAfter > time.Minute {
		t.Errorf("the next run is in %s, want it when the time is over", l.requeueAfter)
	}
	l.settle()
	lists("a while later", true, false, false, false)
	for _, n := range []int{slow, slowAndNew} {
		record(n, verdictcache.Verdict{Entry: entry(n)})
	}
	l.settle()
	lists("in the end", true, false, true, true)
}
