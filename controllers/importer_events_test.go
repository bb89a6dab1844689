// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// emitted returns the events since the last call, by type and reason.
func (i *byHandImporter) emitted() []string {
	i.f.Helper()
	recorder, ok := i.Recorder.(*events.FakeRecorder)
	if !ok {
		i.f.Fatal("not a fake recorder")
	}
	var all []string
	for len(recorder.Events) > 0 {
		all = append(all, strings.Join(strings.Fields(<-recorder.Events)[:2], " "))
	}
	return all
}

// TestImportEventsOnce checks that a cause gets one event although the write of its status conflicts, the
// stores are asked and the status is written again, and the process is started again; and that a store that
// comes and goes emits one of each.
func TestImportEventsOnce(t *testing.T) {
	f, s := importByHand(t)
	signature := s.signaturePath(digest.FromString(testManifest), 1)
	up := s.answers[signature]
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	rechecks := 0
	recheck := func() {
		rechecks++
		update(f, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(image *imagev1.Image) {
			metav1.SetMetaDataAnnotation(&image.ObjectMeta, assayv1alpha1.RecheckRequestedAtAnnotation, fmt.Sprint(rechecks))
		})
	}
	expect := func(name string, i *byHandImporter, result string, want ...string) {
		t.Helper()
		if got := f.get().Status.Import; got == nil || got.Result != result {
			t.Errorf("%s: import %+v, want %s", name, got, result)
		}
		if got := i.emitted(); !slices.Equal(got, want) {
			t.Errorf("%s: events %q, want %q", name, got, want)
		}
	}
	const unavailable, imported = assayv1alpha1.ReasonStoreUnavailable, assayv1alpha1.ReasonImported

	s.set(signature, down)
	hooks, once := &writeHooks{}, false
	hooks.beforeStatusPatch = func() error {
		if !once {
			once = true
			recheck()
		}
		return nil
	}
	i := hooks.importer(f, testNow)
	if result, err := i.fetch(); err != nil || result.RequeueAfter == 0 || len(i.emitted()) != 0 {
		t.Fatalf("a write that conflicts: %+v, %v", result, err)
	}
	if _, err := i.reconcile(); err != nil {
		t.Fatal(err)
	}
	expect("down", i, unavailable, "Warning "+unavailable)

	i = (&writeHooks{}).importer(f, testNow.Add(10*time.Hour))
	for range 2 {
		before := f.get().ResourceVersion
		recheck()
		if _, err := i.fetch(); err != nil || f.get().ResourceVersion == before {
			t.Fatalf("the status is not written: %v", err)
		}
		expect("down after a restart", i, unavailable)
	}
	want := []string{"Normal " + imported, "Warning " + unavailable}
	for n := range 4 {
		reason := []string{imported, unavailable}[n%2]
		s.set(signature, []http.HandlerFunc{up, down}[n%2])
		recheck()
		if _, err := i.fetch(); err != nil {
			t.Fatal(err)
		}
		if n < len(want) {
			expect(fmt.Sprint("change ", n), i, reason, want[n])
		} else {
			expect(fmt.Sprint("change ", n), i, reason)
		}
	}
}
