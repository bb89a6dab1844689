// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/assay-project/assay/internal/imagejson"
)

// summary is what the tests compare of an Image.
func summary(e imagejson.Entry) string {
	s := e.Image.Name
	if e.Fault != nil {
		s += ": " + e.Fault.Error()
	}
	return s
}

func TestDecodeList(t *testing.T) {
	remaining := int64(7)
	hostile := `{"dockerImageMetadata":` + nested(20_000) + `,"metadata":{"name":"deep"}}`
	tests := map[string]struct {
		list   string
		meta   metav1.ListMeta
		images []string
	}{
		"none":            {`{"kind":"ImageList","apiVersion":"image.openshift.io/v1","metadata":{"resourceVersion":"5"},"items":[]}`, metav1.ListMeta{ResourceVersion: "5"}, nil},
		"null":            {`{"items":null}`, metav1.ListMeta{}, nil},
		"items first":     {`{"items":[{"metadata":{"name":"a"}}],"metadata":{"resourceVersion":"5"}}`, metav1.ListMeta{ResourceVersion: "5"}, []string{"a"}},
		"a page":          {`{"metadata":{"resourceVersion":"5","continue":"c","remainingItemCount":7,"selfLink":"/s"},"items":[{"metadata":{"name":"a"}}]}`, metav1.ListMeta{ResourceVersion: "5", Continue: "c", RemainingItemCount: &remaining}, []string{"a"}},
		"hostile items":   {`{"items":[{"metadata":{"name":"a"}},` + hostile + `,{"metadata":{"name":"b"},"signatures":{}},7,null,{"metadata":{"name":"c"}}]}`, metav1.ListMeta{}, []string{"a", "deep", "b: signatures: the value is not an array", ": the value is not an object", ": there is no object", "c"}},
		"unknown members": {`{"x":[{}],"items":[]}`, metav1.ListMeta{}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for size := 1; size < 20; size++ {
				var images []string
				meta, err := imagejson.DecodeList(&pieces{[]byte(tt.list), size}, func(e imagejson.Entry) { images = append(images, summary(e)) })
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.meta, meta); diff != "" {
					t.Errorf("metadata (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.images, images); diff != "" {
					t.Errorf("Images (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestSize checks that the size of each Image is known, wherever it stands and in whatever pieces it
// comes.
func TestSize(t *testing.T) {
	images := []string{`{}`, `{"metadata":{"name":"a"}}`, `{ "dockerImageConfig":"` + strings.Repeat("c", 100_000) + `" }`, `{"signatures":1}`}
	text, event := `{"kind":"ImageList","items":[`, ""
	want := make([]int, len(images))
	for i, image := range images {
		if i > 0 {
			text += ","
		}
		text += image
		event += "\n" + `{"type":"ADDED","object":` + image + `}`
		want[i] = len(image)
	}
	for _, size := range []int{1, 100, 1 << 20} {
		var listed, watched []int
		_, err := imagejson.DecodeList(&pieces{[]byte(text + `]}`), size}, func(e imagejson.Entry) { listed = append(listed, e.Size) })
		if err != nil || !slices.Equal(listed, want) {
			t.Errorf("in pieces of %d bytes, a list has Images of %v bytes, want %v: %v", size, listed, want, err)
		}
		w := imagejson.NewWatch(&pieces{[]byte(event), size})
		for e, err := w.Next(); err == nil; e, err = w.Next() {
			watched = append(watched, e.Entry.Size)
		}
		if !slices.Equal(watched, want) {
			t.Errorf("in pieces of %d bytes, a watch has Images of %v bytes, want %v", size, watched, want)
		}
	}
}

func TestDecodeListErrors(t *testing.T) {
	for _, list := range []string{
		``, `{`, `null`, `[]`, `{"items":{}}`, `{"items":[{]}`, `{"items":[{}`, `{"kind":"Status","items":[]}`, `{"kind":1}`,
		`{"items":[],"items":[]}`, `{"Items":[]}`, `{"metadata":{"resourceVersion":5},"items":[]}`, `{"metadata":{"continue":"` + strings.Repeat("c", 70_000) + `"}}`,
	} {
		meta, err := imagejson.DecodeList(strings.NewReader(list), func(imagejson.Entry) {})
		if err == nil || meta != (metav1.ListMeta{}) {
			t.Errorf("DecodeList(%.40q) = %+v, %v, want an error alone", list, meta, err)
		}
	}
}

func TestWatch(t *testing.T) {
	const (
		bookmark = `{"type":"BOOKMARK","object":{"kind":"Image","metadata":{"resourceVersion":"9","creationTimestamp":null,"annotations":{"k8s.io/initial-events-end":"true"}},"dockerImageMetadata":null}}`
		expired  = `{"type":"ERROR","object":{"kind":"Status","code":410, "details":{"causes":[{}]}}}`
	)
	text := `{"type":"ADDED","object":{"metadata":{"name":"a"}}}` + "\n" +
		` {"type":"MODIFIED" , "object":{"metadata":{"name":"b"},"signatures":1} , "x":[{}]}` + bookmark + "\n\n" +
		`{"type":"DELETED","object":{"dockerImageMetadata":` + nested(20_000) + `,"metadata":{"name":"c"}}}` + expired + "\r\n\t "
	want := []string{"ADDED a", "MODIFIED b: signatures: the value is not an array", "BOOKMARK 9true", "DELETED c", `ERROR {"kind":"Status","code":410, "details":{"causes":[{}]}}`}
	for size := 1; size < 50; size++ {
		w := imagejson.NewWatch(&pieces{[]byte(text), size}, "k8s.io/initial-events-end")
		var got []string
		for {
			event, err := w.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			s := string(event.Type) + " " + summary(event.Entry) + string(event.Status)
			if event.Type == watch.Bookmark {
				s += event.Entry.Image.ResourceVersion + event.Entry.Image.Annotations["k8s.io/initial-events-end"]
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in pieces of %d bytes, events (-want +got):\n%s", size, diff)
		}
	}
}

func TestWatchErrors(t *testing.T) {
	for text, want := range map[string]error{
		``:                                 io.EOF,
		" \n":                              io.EOF,
		`{"type":"ADDED"`:                  io.ErrUnexpectedEOF,
		`{"type":"ADDED","object":{"meta`:  io.ErrUnexpectedEOF,
		`{"type":"ADDED","object":{}`:      io.ErrUnexpectedEOF,
		`{"type":"ADDED"}`:                 nil,
		`{"type":"CHANGED","object":{}}`:   nil,
		`{"object":{},"type":"ADDED"}`:     nil,
		`{"type":"ADDED","object":{}x`:     nil,
		`{"type":1,"object":{}}`:           nil,
		`null`:                             nil,
		`<html>`:                           nil,
		`{"type":"ADDED","object":{"a":}}`: nil,
	} {
		w := imagejson.NewWatch(strings.NewReader(text))
		for range 2 {
			event, err := w.Next()
			if err == nil || want != nil && err != want || !cmp.Equal(event, imagejson.Event{}) {
				t.Errorf("Next of %q = %+v, %v, want error %v, again and again", text, event, err, want)
			}
		}
	}
}

// broken fails after its text.
type broken struct {
	text io.Reader
	err  error
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	if err == io.EOF {
		err = b.err
	}
	return n, err
}

// TestWatchBroken checks that the error of a connection is returned as it is, for callers that
// know it.
func TestWatchBroken(t *testing.T) {
	want := errors.New("connection reset")
	w := imagejson.NewWatch(&broken{strings.NewReader(`{"type":"ADDED","object":{}}{"type":`), want})
	if _, err := w.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(); err != want {
		t.Errorf("Next fails with %v, want %v", err, want)
	}
	if _, err := imagejson.NewWatch(idle{}).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Next of a reader that returns nothing fails with %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }
