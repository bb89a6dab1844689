// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/imagecache"
)

// pusher returns a function that queues n jobs of an owner, in the order of their sequence.
func pusher(push func(*job)) func(owner string, arrival uint64, n int) {
	sequence := uint64(0)
	return func(owner string, arrival uint64, n int) {
		for range n {
			sequence++
			push(&job{owner: owner, name: fmt.Sprint(owner, sequence), arrival: arrival, sequence: sequence})
		}
	}
}

// owners pops n jobs and returns their owners.
func (q *queue) popOwners(n int) string {
	var order strings.Builder
	for range n {
		order.WriteString(q.pop().owner)
	}
	return order.String()
}

// TestOwnersTakeTurns checks that an owner with few jobs does not wait for all of another's, whether it
// comes later or has one at a time, and that neither starves the other.
func TestOwnersTakeTurns(t *testing.T) {
	q := &queue{}
	push := pusher(q.push)
	push("a", 0, 6)
	order := q.popOwners(2)
	push("b", 0, 2)
	order += q.popOwners(4)
	push("a", 0, 1)
	if order += q.popOwners(q.jobs); order != "aaababaaa" {
		t.Errorf("order %s", order)
	}
	// One owner adds a job whenever one of it has begun.
	push("d", 0, 10)
	push("e", 0, 1)
	order = ""
	for range 10 {
		owner := q.popOwners(1)
		if order += owner; owner == "e" {
			push("e", 0, 1)
		}
	}
	if n := strings.Count(order, "d"); n != 5 {
		t.Errorf("order %s", order)
	}
	for q.jobs > 0 {
		q.pop()
	}
	if q.pop() != nil || len(q.owners) != 0 || q.ring.Len() != 0 {
		t.Errorf("%d owners are left", len(q.owners))
	}
}

// TestLatestArrivalFirst checks that the image of a roll-out goes before all that its owner waits for
// already, that what has waited longest gets a turn of four, and that the order within an owner changes
// nothing for others, whatever arrivals it has.
func TestLatestArrivalFirst(t *testing.T) {
	q := &queue{}
	push := pusher(q.push)
	push("a", 0, 400) // a1 to a400
	push("b", 0, 4)   // b401 to b404
	push("a", 5, 1)   // a405
	var order []string
	for range 6 {
		order = append(order, q.pop().name)
	}
	push("a", 7, 1) // a406
	push("a", 8, 1) // a407
	for range 6 {
		order = append(order, q.pop().name)
	}
	want := []string{"a405", "b401", "a1", "b402", "a2", "b403", "a3", "b404", "a407", "a406", "a4", "a5"}
	if !slices.Equal(order, want) {
		t.Errorf("order %v\n want %v", order, want)
	}

	// New ones come all the time.
	q = &queue{}
	push = pusher(q.push)
	push("a", 0, 10)
	backlog := 0
	for arrival := range uint64(40) {
		push("a", arrival+1, 1)
		if q.pop().arrival == 0 {
			backlog++
		}
	}
	if backlog != 10 {
		t.Errorf("%d of 10 of the backlog among 40", backlog)
	}
}

// TestUrgentJobsLeaveAShare checks that urgent jobs go first, and that those whose stores were asked
// before get one of four, however many urgent ones come.
func TestUrgentJobsLeaveAShare(t *testing.T) {
	b := &backlog{}
	push := pusher(b.push)
	pushUrgent := pusher(func(j *job) {
		j.urgent = true
		b.push(j)
	})
	pushUrgent("u", 0, 5)
	order := ""
	pop := func() { order += b.pop().owner }
	pop()
	push("o", 0, 3)
	for b.len() > 0 {
		pop()
	}
	if order != "uuuuouoo" {
		t.Errorf("order %s", order)
	}
	push("o", 0, 1)
	pop()
	push("o", 0, 1)
	pushUrgent("u", 0, 1)
	if pop(); order != "uuuuouooou" {
		t.Errorf("order %s: an urgent job waits for no other", order)
	}
}

// TestJobHasOrigin checks that what discovery knows of an image orders its job.
func TestJobHasOrigin(t *testing.T) {
	r := &Reconciler{OriginOf: func(reference string) (string, uint64) { return "namespace of " + reference, 7 }}
	image := &imagecache.Image{}
	image.Name, image.DockerImageReference = "image", "app"
	if j := r.newJob(t.Context(), image, &plan{}, attempt{}); j.name != "image" || j.owner != "namespace of app" || j.arrival != 7 {
		t.Errorf("job %+v", j)
	}
}
