// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/assay-project/assay/internal/jsonscan"
)

// Decode reads one Image. annotations are the names of those that are kept.
func Decode(text []byte, annotations ...string) (Entry, error) {
	d := newDecoder(bytes.NewReader(text), annotations)
	if err := d.Begin(); err != nil {
		return Entry{}, fmt.Errorf("reading an Image: %w", err)
	}
	e := d.image()
	if d.Err != nil {
		return Entry{}, fmt.Errorf("reading an Image: %w", d.Err)
	}
	if err := d.Begin(); !errors.Is(err, io.EOF) {
		return Entry{}, fmt.Errorf("reading an Image: %w", errors.Join(jsonscan.ErrSyntax, err))
	}
	return e, nil
}

func newDecoder(src io.Reader, annotations []string) decoder {
	return decoder{reader: reader{Scanner: jsonscan.New(src)}, annotations: annotations}
}

var (
	listMembers     = []string{"kind", "apiVersion", "metadata", "items"}
	listMetaMembers = []string{"resourceVersion", "continue", "remainingItemCount", "selfLink"}
)

// DecodeList reads the answer to a list request from src and calls emit for each Image, in the
// order of the list. It holds one Image at a time. annotations are the names of those that are
// kept.
//
// An error means that the list is incomplete: src failed, or is no ImageList.
func DecodeList(src io.Reader, emit func(Entry), annotations ...string) (metav1.ListMeta, error) {
	var meta metav1.ListMeta
	d := newDecoder(src, annotations)
	kind := "ImageList"
	var fault *Fault
	part := func() {
		fault = cmp.Or(fault, d.fault)
		d.section(listText, Fault{Kind: Undecodable, Detail: "the metadata is too large"})
	}
	part()
	d.object("", listMembers, func(i int) {
		part()
		switch name := listMembers[i]; name {
		case "kind":
			kind = d.string(name)
		case "metadata":
			d.listMeta(name, &meta)
		case "items":
			d.array(name, func() { emit(d.image()) })
		default:
			d.Skip()
		}
	})
	part()
	switch {
	case d.Err != nil:
		return metav1.ListMeta{}, fmt.Errorf("reading a list of Images: %w", d.Err)
	case fault != nil:
		return metav1.ListMeta{}, fmt.Errorf("reading a list of Images: %w", fault)
	case kind != "ImageList":
		return metav1.ListMeta{}, errors.New("reading a list of Images: the API server sent an object of another kind")
	default:
		return meta, nil
	}
}

func (d *decoder) listMeta(field string, meta *metav1.ListMeta) {
	d.object(field, listMetaMembers, func(i int) {
		switch name := listMetaMembers[i]; name {
		case "resourceVersion":
			meta.ResourceVersion = d.string(name)
		case "continue":
			meta.Continue = d.string(name)
		case "remainingItemCount":
			if d.Peek() != 'n' {
				n := d.integer(name)
				meta.RemainingItemCount = &n
			} else {
				d.null()
			}
		default:
			d.Skip()
		}
	})
}

// Event is one event of a watch.
type Event struct {
	Type watch.EventType
	// Entry is the Image of an event of any type but ERROR. That of a BOOKMARK has nothing but
	// a resource version and annotations.
	Entry Entry
	// Status is the JSON of the object of an ERROR event.
	Status []byte
}

// Watch reads the answer to a watch request. It is not safe for concurrent use.
type Watch struct{ d decoder }

// NewWatch returns a Watch that reads from src and keeps the named annotations.
func NewWatch(src io.Reader, annotations ...string) *Watch {
	return &Watch{d: newDecoder(src, annotations)}
}

var eventMembers = []string{"type", "object"}

// Next waits for the next event. The error is io.EOF at the end of the watch, and otherwise
// means that src failed or sent what is no event; there are no more events then.
func (w *Watch) Next() (Event, error) {
	d := &w.d
	var event Event
	if err := d.Begin(); err != nil {
		return event, err
	}
	var complete bool
	d.section(maxText, longText)
	d.object("", eventMembers, func(i int) {
		switch {
		case i == 0:
			event.Type = watch.EventType(d.sharedString("type"))
			return
		case event.Type == watch.Error:
			event.Status = d.Raw(maxErrorObject)
		case known(event.Type):
			event.Entry = d.image()
		default:
			d.fail("type", "it is unknown, or stands behind the object")
			return
		}
		complete = true
	})
	switch {
	case d.Err != nil:
		return Event{}, d.Err
	case d.fault != nil:
		d.Err = d.fault
	case !complete:
		d.Err = errors.New("an event has no object")
	default:
		return event, nil
	}
	return Event{}, d.Err
}

func known(t watch.EventType) bool {
	return t == watch.Added || t == watch.Modified || t == watch.Deleted || t == watch.Bookmark
}
