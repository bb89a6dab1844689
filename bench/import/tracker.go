// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// tracker knows when each Image was verified, and which Images could not be fetched.
type tracker struct {
	mu       sync.Mutex
	verified map[string]time.Time
	failed   map[string]bool
	changed  chan struct{} // Closed and replaced after each change.
}

// track watches all Images until ctx ends. It returns when the watch has begun.
func track(ctx context.Context, c client.WithWatch) (*tracker, error) {
	t := &tracker{verified: map[string]time.Time{}, failed: map[string]bool{}, changed: make(chan struct{})}
	events, err := c.Watch(ctx, &imagev1.ImageList{})
	if err != nil {
		return nil, err
	}
	go func() {
		for ctx.Err() == nil {
			t.follow(events)
			// An API server ends the watches of slow readers. A new one begins with the present state.
			for events, err = c.Watch(ctx, &imagev1.ImageList{}); err != nil && ctx.Err() == nil; events, err = c.Watch(ctx, &imagev1.ImageList{}) {
				wait(ctx, time.Second)
			}
		}
		if events != nil {
			events.Stop()
		}
	}()
	return t, nil
}

func (t *tracker) follow(events watch.Interface) {
	defer events.Stop()
	for event := range events.ResultChan() {
		if image, ok := event.Object.(*imagev1.Image); ok {
			t.see(image)
		}
	}
}

func (t *tracker) see(image *imagev1.Image) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.verified[image.Name]
	switch {
	case known:
		return
	case meta.IsStatusConditionTrue(image.Status.Conditions, assayv1alpha1.VerifiedCondition):
		t.verified[image.Name] = time.Now()
	case meta.IsStatusConditionPresentAndEqual(image.Status.Conditions, assayv1alpha1.ImportedCondition, metav1.ConditionFalse):
		t.failed[image.Name] = true
	default:
		return
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

var errExited = errors.New("the manager has ended")

// await waits until so many Images are verified, and so many could not be fetched.
func (t *tracker) await(ctx context.Context, exited <-chan struct{}, verified, failed int) error {
	for {
		t.mu.Lock()
		done, changed := len(t.verified) >= verified && len(t.failed) >= failed, t.changed
		t.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-exited:
			return errExited
		case <-changed:
		}
	}
}

// waits returns the times from the creation of Deployments until their images were verified,
// sorted.
func (t *tracker) waits(created map[string]time.Time) []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []time.Duration
	for name, at := range created {
		list = append(list, t.verified[name].Sub(at))
	}
	slices.Sort(list)
	return list
}
