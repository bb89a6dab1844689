// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

func references(o *Object) []string {
	if o.set == object("", "", false).set {
		return nil
	}
	refs := strings.Split(o.set.Value().references, separator)
	slices.Sort(refs)
	return refs
}

// Every kind of workload, with every place that names an image, and whether it still makes Pods.
func TestDecode(t *testing.T) {
	for name, w := range workloads() {
		t.Run(name, func(t *testing.T) {
			kind, _ := kindOf(t, w.resource)
			src := bytes.NewReader(frame(t, watch.Added, encode(t, w.object)))
			eventType, o, status, err := newStream(kind, src, failIfSkipped(t)).next()
			if err != nil || status != nil || eventType != watch.Added {
				t.Fatal(eventType, status, err)
			}
			if diff := cmp.Diff(wanted(name), references(o)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if o.name != name || o.namespace.Value() != "shop" || o.resourceVersion != "17" || o.set.Value().idle != w.idle {
				t.Errorf("got %+v, idle %v", o, o.set.Value().idle)
			}
		})
	}
}

func failIfSkipped(t *testing.T) func(string) {
	return func(reason string) { t.Errorf("an object was left out: %s", reason) }
}

func TestDecodeList(t *testing.T) {
	kind, _ := kindOf(t, "pods")
	left := int64(3)
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "40", Continue: "next", RemainingItemCount: &left}}
	var want []string
	for _, name := range []string{"a", "b", "c"} {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: meta(name), Spec: podSpec(name)})
		want = append(want, name)
	}
	encoded := encode(t, list)
	var got []string
	listMeta, err := newStream(kind, bytes.NewReader(encoded), failIfSkipped(t)).list(func(o *Object) {
		got = append(got, o.name)
		if diff := cmp.Diff(wanted(o.name), references(o)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, error %v", got, err)
	}
	if diff := cmp.Diff(list.ListMeta, listMeta); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Wherever the connection breaks, the list is not taken for a whole one.
	for length := range len(encoded) {
		if _, err := newStream(kind, bytes.NewReader(encoded[:length]), failIfSkipped(t)).list(func(*Object) {}); err == nil {
			// Behind the list, the envelope has two empty strings.
			if missing := len(encoded) - length; missing > 4 {
				t.Fatalf("a list that lacks %d bytes is taken", missing)
			}
		}
	}
}

// One object that nobody can read does not end the list or watch of the others.
func TestTooLarge(t *testing.T) {
	kind, _ := kindOf(t, "pods")
	pod := func(name string) []byte { return encode(t, &corev1.Pod{ObjectMeta: meta(name), Spec: podSpec(name)}) }
	large := append(encode(t, &corev1.Pod{ObjectMeta: meta("large")}), bytes.Repeat([]byte{0}, maxObject)...)
	src := io.MultiReader(
		bytes.NewReader(frame(t, watch.Added, pod("a"))), bytes.NewReader(frame(t, watch.Added, large)),
		bytes.NewReader(frame(t, watch.Added, encode(t, &corev1.Pod{}))), bytes.NewReader(frame(t, watch.Deleted, pod("b"))))
	var skipped []string
	s := newStream(kind, src, func(reason string) { skipped = append(skipped, reason) })
	for _, want := range []string{"a", "b"} {
		if _, o, _, err := s.next(); err != nil || o.name != want {
			t.Fatal(o, err)
		}
	}
	if _, _, _, err := s.next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if want := []string{"it is too large", "it has no name"}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %q", skipped)
	}

	var list []byte // of three items
	for _, item := range [][]byte{raw(t, pod("a")), make([]byte, maxObject+1), raw(t, pod("b"))} {
		list = protowire.AppendBytes(protowire.AppendTag(list, 2, protowire.BytesType), item)
	}
	unknown := protowire.AppendBytes(protowire.AppendTag(append([]byte(nil), magic...), 2, protowire.BytesType), list)
	skipped = nil
	var got []string
	_, err := newStream(kind, bytes.NewReader(unknown), func(reason string) { skipped = append(skipped, reason) }).
		list(func(o *Object) { got = append(got, o.name) })
	if err != nil || !slices.Equal(got, []string{"a", "b"}) || !slices.Equal(skipped, []string{"it is too large"}) {
		t.Errorf("got %v, skipped %v, error %v", got, skipped, err)
	}
}

// raw returns the object without its envelope.
func raw(t *testing.T, encoded []byte) []byte {
	t.Helper()
	var object []byte
	walk(encoded[len(magic):], []protowire.Number{2}, func(v []byte) { object = v })
	return object
}

// What an API server does not send ends a list or watch.
func TestBroken(t *testing.T) {
	kind, _ := kindOf(t, "pods")
	unknown := func(fields ...[]byte) []byte {
		return append(append([]byte(nil), magic...), bytes.Join(fields, nil)...)
	}
	field := func(num protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), content)
	}
	for name, text := range map[string][]byte{
		"nothing":              nil,
		"JSON":                 []byte(`{"kind":"PodList"}`),
		"encoded once more":    unknown(field(3, []byte("gzip"))),
		"a group":              unknown([]byte{0x13, 0x14}),
		"an endless number":    unknown(bytes.Repeat([]byte{0xff}, 20)),
		"a length too long":    unknown(field(2, []byte{0x12, 0x7f, 0})),
		"a huge length":        unknown([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1}),
		"too much metadata":    unknown(field(2, field(1, make([]byte, maxListMeta+1)))),
		"an item that is half": unknown([]byte{0x12, 9, 0x12, 7, 0x0a}),
	} {
		if _, err := newStream(kind, bytes.NewReader(text), func(string) {}).list(func(*Object) {}); err == nil {
			t.Errorf("list: %s: no error", name)
		}
	}
	pod := encode(t, &corev1.Pod{ObjectMeta: meta("a")})
	for name, text := range map[string][]byte{
		"half a length":    {0, 0},
		"half a frame":     frame(t, watch.Added, pod)[:9],
		"an empty frame":   {0, 0, 0, 0},
		"no object":        frame(t, watch.Added, nil),
		"an unknown event": frame(t, "RENAMED", pod),
	} {
		if _, o, _, err := newStream(kind, bytes.NewReader(text), func(string) {}).next(); err == nil {
			t.Errorf("watch: %s: got %v", name, o)
		}
	}
}

func TestErrorAndBookmark(t *testing.T) {
	kind, _ := kindOf(t, "deployments")
	expired := &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: 410}
	bookmark := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: "99", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}}
	s := newStream(kind, bytes.NewReader(append(frame(t, watch.Bookmark, encode(t, bookmark)), frame(t, watch.Error, encode(t, expired))...)), failIfSkipped(t))
	_, o, _, err := s.next()
	if err != nil || o.GetObjectMeta().GetResourceVersion() != "99" || o.GetObjectMeta().GetAnnotations()[metav1.InitialEventsAnnotationKey] != "true" {
		t.Error(o, err)
	}
	if _, _, status, err := s.next(); err != nil || status.Reason != metav1.StatusReasonExpired {
		t.Error(status, err)
	}
}

func TestDecodeNamespace(t *testing.T) {
	kind, _ := kindOf(t, "namespaces")
	for value, want := range map[string]bool{assayv1alpha1.DiscoveryLabelDisabled: true, "": false, "Disabled": false} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"a": "b", assayv1alpha1.DiscoveryLabel: value}}}
		if o := decode(kind, raw(t, encode(t, ns))); o.disabled != want || o.name != "shop" {
			t.Errorf("%q: got %+v", value, o)
		}
	}
}

// References that a stranger makes many or long.
func TestReferenceBounds(t *testing.T) {
	kind, _ := kindOf(t, "pods")
	pod := &corev1.Pod{ObjectMeta: meta("many")}
	add := func(image string) { pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Image: image}) }
	add(strings.Repeat("a", maxReference+1))
	add("two\nlines")
	add(strings.Repeat("a", maxReference))
	const many = 3000
	for n := range many {
		add(fmt.Sprintf("app-%d", n))
		add("app-1")
	}
	o := decode(kind, raw(t, encode(t, pod)))
	if got := o.set.Value(); len(references(o)) != MaxObjectReferences || got.dropped != many+1-MaxObjectReferences {
		t.Errorf("%d references, %d dropped", len(references(o)), got.dropped)
	}
}

// Whatever arrives, nothing panics, and what is read is what the typed decoder of Kubernetes reads.
func FuzzDecode(f *testing.F) {
	pods, _ := kindOf(f, "pods")
	for name, w := range workloads() {
		if w.resource == "pods" {
			f.Add(encode(f, w.object)[len(magic):], name)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, _ string) {
		_, _ = newStream(pods, bytes.NewReader(text), func(string) {}).list(func(*Object) {})
		_, _, _, _ = newStream(pods, bytes.NewReader(text), func(string) {}).next()
		var encoded []byte
		walk(text, []protowire.Number{2}, func(v []byte) { encoded = v })
		o := decode(pods, encoded)
		pod := &corev1.Pod{}
		if pod.Unmarshal(encoded) != nil {
			return
		}
		if o.name != pod.Name || (pod.Namespace != "" && o.namespace.Value() != pod.Namespace) {
			t.Errorf("read %q, want %q", o.name, pod.Name)
		}
		for _, c := range pod.Spec.Containers {
			valid := c.Image != "" && len(c.Image) <= maxReference && !strings.Contains(c.Image, separator)
			if valid && len(references(o)) < MaxObjectReferences && !slices.Contains(references(o), c.Image) {
				t.Errorf("image %q is not among %q", c.Image, references(o))
			}
		}
	})
}
