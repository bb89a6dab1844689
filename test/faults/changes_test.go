// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// changes counts every change of a test's images: a watch shows each one.
type changes struct {
	t       *testing.T
	events  <-chan watch.Event
	byName  map[string]int
	decided map[string]bool
}

// maxUnread is more changes than any test makes.
const maxUnread = 10_000

// watchImages starts counting, until the end of the test.
func (s *scenario) watchImages() *changes {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), fixture.Timeout)
	s.Cleanup(cancel)
	var now imagev1.ImageList
	if err := admin.List(ctx, &now, client.Limit(1)); err != nil {
		s.Fatal(err)
	}
	events, err := admin.Watch(ctx, &imagev1.ImageList{}, client.MatchingLabels{testLabel: s.name},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: now.ResourceVersion}})
	if err != nil {
		s.Fatal(err)
	}
	// The API server ends a watch that is not read for a while.
	read := make(chan watch.Event, maxUnread)
	go func() {
		defer close(read)
		for event := range events.ResultChan() {
			read <- event
		}
	}()
	return &changes{t: s.T, events: read, byName: map[string]int{}, decided: map[string]bool{}}
}

// untilVerdicts waits until at least n images have a verdict.
func (c *changes) untilVerdicts(n int) {
	c.t.Helper()
	for len(c.decided) < n {
		event, ok := <-c.events
		if !ok {
			c.t.Fatalf("%d of %d verdicts when the watch ended", len(c.decided), n)
		}
		c.add(event)
	}
}

// verdicts returns the current number of images with a verdict.
func (c *changes) verdicts() int {
	for {
		select {
		case event := <-c.events:
			c.add(event)
		default:
			return len(c.decided)
		}
	}
}

func (c *changes) add(event watch.Event) {
	c.t.Helper()
	image, ok := event.Object.(*imagev1.Image)
	if !ok || event.Type != watch.Modified {
		c.t.Fatalf("unexpected event %s: %v", event.Type, event.Object)
	}
	c.byName[image.Name]++
	if meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition) != nil {
		c.decided[image.Name] = true
	}
}

// of returns the number of changes of an image.
func (c *changes) of(name string) int {
	c.verdicts()
	return c.byName[name]
}
