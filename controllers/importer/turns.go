// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"container/heap"
	"container/list"
)

// backlogShare bounds how long what waits is passed over: each fourth job of an owner is the one that
// has waited longest, and each fourth job of a host is one whose stores were asked before.
const backlogShare = 4

// backlog holds the jobs that wait for one host.
type backlog struct {
	// urgent jobs go before the others, up to their share.
	urgent, other queue
	// passed counts the urgent jobs since the last one of the others, while there are any.
	passed int
}

func (b *backlog) len() int { return b.urgent.jobs + b.other.jobs }

func (b *backlog) push(j *job) { b.queueOf(j).push(j) }

func (b *backlog) remove(j *job) { b.queueOf(j).remove(j) }

func (b *backlog) queueOf(j *job) *queue {
	if j.urgent {
		return &b.urgent
	}
	return &b.other
}

// pop takes the next job; nil when there is none.
func (b *backlog) pop() *job {
	if b.urgent.jobs == 0 || b.other.jobs > 0 && b.passed >= backlogShare-1 {
		b.passed = 0
		return b.other.pop()
	}
	if b.other.jobs > 0 {
		b.passed++
	}
	return b.urgent.pop()
}

// queue holds jobs of one kind. Their owners take turns: one with a single job waits for one of each
// other owner, and not for all that they have. Which of its jobs an owner's turn serves changes nothing
// for the others. It is the one of the latest arrival, because somebody has just begun to wait for it,
// and each fourth time the one that has waited longest.
type queue struct {
	owners map[string]*owner
	// ring has the owners, the next one in front.
	ring list.List
	jobs int
}

// owner has the jobs of one owner in a queue, of which there is at least one.
type owner struct {
	name   string
	place  *list.Element // In the ring.
	latest byArrival
	oldest list.List // Of the same jobs.
	served int
}

func (q *queue) push(j *job) {
	o := q.owners[j.owner]
	if o == nil {
		if q.owners == nil {
			q.owners = map[string]*owner{}
		}
		o = &owner{name: j.owner}
		q.owners[j.owner] = o
		o.place = q.ring.PushBack(o)
	}
	heap.Push(&o.latest, j)
	j.place = o.insert(j)
	q.jobs++
}

// insert puts a job behind those that came before it. Only one that has waited elsewhere is not the last.
func (o *owner) insert(j *job) *list.Element {
	for e := o.oldest.Back(); e != nil; e = e.Prev() {
		if other, ok := e.Value.(*job); ok && other.sequence <= j.sequence {
			return o.oldest.InsertAfter(j, e)
		}
	}
	return o.oldest.PushFront(j)
}

// pop takes the next job; nil when there is none.
func (q *queue) pop() *job {
	front := q.ring.Front()
	if front == nil {
		return nil
	}
	o, _ := front.Value.(*owner)
	j := o.pop()
	q.jobs--
	if o.latest.Len() > 0 {
		q.ring.MoveToBack(front)
		return j
	}
	q.ring.Remove(front)
	delete(q.owners, o.name)
	return j
}

// remove takes a job out that waits.
func (q *queue) remove(j *job) {
	o := q.owners[j.owner]
	o.remove(j)
	q.jobs--
	if o.latest.Len() == 0 {
		q.ring.Remove(o.place)
		delete(q.owners, o.name)
	}
}

func (o *owner) pop() *job {
	o.served++
	j := o.latest[0]
	if o.served%backlogShare == 0 {
		j, _ = o.oldest.Front().Value.(*job)
	}
	o.remove(j)
	return j
}

func (o *owner) remove(j *job) {
	heap.Remove(&o.latest, j.index)
	o.oldest.Remove(j.place)
	j.place = nil
}

// byArrival is a heap: the latest arrivals first, and otherwise in the order in which they came.
type byArrival []*job

func (h byArrival) Len() int { return len(h) }
func (h byArrival) Less(i, j int) bool {
	if h[i].arrival != h[j].arrival {
		return h[i].arrival > h[j].arrival
	}
	return h[i].sequence < h[j].sequence
}

func (h byArrival) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *byArrival) Push(x any) {
	if j, ok := x.(*job); ok {
		j.index = len(*h)
		*h = append(*h, j)
	}
}

// Pop implements heap.Interface.
func (h *byArrival) Pop() any {
	old := *h
	last := len(old) - 1
	j := old[last]
	old[last] = nil
	*h = old[:last]
	return j
}
