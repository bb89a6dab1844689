// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package objectjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/assay-project/assay/internal/jsonscan"
)

// DecodeList reads the answer to a list request from src and calls emit for each object, in the
// order of the list. newObject makes an empty one. An error means that the list is incomplete.
func DecodeList[T Object](src io.Reader, newObject func() T, emit func(T)) (metav1.ListMeta, error) {
	s := jsonscan.New(src)
	var meta metav1.ListMeta
	var metaErr error
	complete := false
	readMembers(&s, func(name []byte) {
		switch string(name) {
		case `"metadata"`:
			metaErr = json.Unmarshal(s.Value(maxListMeta), &meta)
		case `"items"`:
			complete = readItems(&s, func() {
				obj := newObject()
				readObject(&s, obj)
				if s.Err == nil {
					emit(obj)
				}
			})
		default:
			s.Skip()
		}
	})
	switch {
	case s.Err != nil:
		return metav1.ListMeta{}, fmt.Errorf("reading a list: %w", s.Err)
	case metaErr != nil:
		return metav1.ListMeta{}, fmt.Errorf("reading the metadata of a list: %w", metaErr)
	case !complete:
		return metav1.ListMeta{}, errors.New("reading a list: the API server sent an object of another kind")
	default:
		return meta, nil
	}
}

// readItems calls item for each element of an array, which is next and which item has to read. It
// returns false for any other value.
func readItems(s *jsonscan.Scanner, item func()) bool {
	if s.Peek() != '[' {
		s.Skip()
		return false
	}
	s.Enter()
	for first := true; s.Next(']', &first); {
		item()
	}
	return s.Err == nil
}

// Event is one event of a watch.
type Event[T Object] struct {
	Type watch.EventType
	// Object is that of an event of any type but ERROR.
	Object T
	// Status is the object of an ERROR event, nil for others.
	Status *metav1.Status
}

// Watch reads the answer to a watch request. It is not safe for concurrent use.
type Watch[T Object] struct {
	s         jsonscan.Scanner
	newObject func() T
}

// NewWatch returns a Watch that reads from src. newObject makes an empty object.
func NewWatch[T Object](src io.Reader, newObject func() T) *Watch[T] {
	return &Watch[T]{s: jsonscan.New(src), newObject: newObject}
}

// errNoEvent is text in a watch that is not an event.
var errNoEvent = errors.New("the API server sent something else than an event")

// Next waits for the next event. The error is io.EOF at the end of the watch, and otherwise means
// that src failed or sent what is no event. There are no more events then.
func (w *Watch[T]) Next() (event Event[T], err error) {
	if err := w.s.Begin(); err != nil {
		return event, err
	}
	complete := false
	readMembers(&w.s, func(name []byte) {
		switch string(name) {
		case `"type"`:
			_ = json.Unmarshal(w.s.Value(maxListMeta), &event.Type)
		case `"object"`:
			complete = w.readObject(&event)
		default:
			w.s.Skip()
		}
	})
	if w.s.Err == nil && !complete {
		w.s.Err = errNoEvent
	}
	return event, w.s.Err
}

// readObject reads the object of an event, whose type stands in front of it.
func (w *Watch[T]) readObject(event *Event[T]) bool {
	switch event.Type {
	case watch.Error:
		event.Status = &metav1.Status{}
		return json.Unmarshal(w.s.Value(maxMember), event.Status) == nil
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
		event.Object = w.newObject()
		readObject(&w.s, event.Object)
		return true
	default:
		w.s.Skip()
		return false
	}
}
