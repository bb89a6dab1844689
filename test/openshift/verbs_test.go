// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openshift

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	openshiftv1 "github.com/openshift/api/image/v1"
	"github.com/openshift/client-go/image/informers/externalversions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// patience bounds every wait for an event.
const patience = 30 * time.Second

// cleanupContext outlives the test, whose own context has ended when it cleans up.
func cleanupContext(t *testing.T) context.Context {
	return context.WithoutCancel(t.Context())
}

func TestCreateGetDelete(t *testing.T) {
	c := images(t)
	want := newImage(t, "one")
	want.DockerImageReference = "registry.example.com/app:v1"
	created := mustCreate(t, c, want)
	sameImage(t, "answer to create", want, created)
	sameImage(t, "get", want, mustGet(t, c, want.Name))

	if _, err := c.Create(t.Context(), want, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("second create: %v, want AlreadyExists", err)
	}
	stale := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions("another")}
	if err := c.Delete(t.Context(), want.Name, stale); !apierrors.IsConflict(err) {
		t.Errorf("delete of another UID: %v, want Conflict", err)
	}
	if err := c.Delete(t.Context(), want.Name, metav1.DeleteOptions{}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := c.Get(t.Context(), want.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get after delete: %v, want NotFound", err)
	}
}

func TestListInPages(t *testing.T) {
	c := images(t)
	var want []string
	for i := range 5 {
		want = append(want, mustCreate(t, c, newImage(t, fmt.Sprintf("n%d", i))).Name)
	}
	var got []string
	var pages []int
	opts := ofTest(t)
	opts.Limit = 2
	for {
		list, err := c.List(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			got = append(got, list.Items[i].Name)
		}
		pages = append(pages, len(list.Items))
		if opts.Continue = list.Continue; opts.Continue == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 2, 1}, pages); diff != "" {
		t.Errorf("sizes of pages (-want +got):\n%s", diff)
	}
}

func TestWatch(t *testing.T) {
	c := images(t)
	before, err := c.List(t.Context(), ofTest(t))
	if err != nil {
		t.Fatal(err)
	}
	opts := ofTest(t)
	opts.ResourceVersion = before.ResourceVersion
	w, err := c.Watch(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()

	image := mustCreate(t, c, newImage(t, "one"))
	sameImage(t, "added", image, nextEvent(t, w, watch.Added))
	image.DockerImageReference = "registry.example.com/app:v2"
	if image, err = c.Update(t.Context(), image, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	sameImage(t, "modified", image, nextEvent(t, w, watch.Modified))
	if err := c.Delete(t.Context(), image.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	sameImage(t, "deleted", image, nextEvent(t, w, watch.Deleted))
}

// nextEvent returns the Image of the next event, which has to be of the given type.
func nextEvent(t *testing.T, w watch.Interface, want watch.EventType) *openshiftv1.Image {
	t.Helper()
	select {
	case event := <-w.ResultChan():
		image, ok := event.Object.(*openshiftv1.Image)
		if event.Type != want || !ok {
			t.Fatalf("event %s with %T, want %s with an Image", event.Type, event.Object, want)
		}
		return image
	case <-time.After(patience):
		t.Fatalf("no event after %s, want %s", patience, want)
		return nil
	}
}

func TestUpdate(t *testing.T) {
	c := images(t)
	first := mustCreate(t, c, newImage(t, "one"))
	second := first.DeepCopy()
	second.Signatures = []openshiftv1.ImageSignature{signature("one@a")}
	updated, err := c.Update(t.Context(), second, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, "update", second, updated)

	first.DockerImageReference = "registry.example.com/lost:v1"
	if _, err := c.Update(t.Context(), first, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("update of an old version: %v, want Conflict", err)
	}
	sameImage(t, "after the conflict", second, mustGet(t, c, first.Name))
}

func TestPatch(t *testing.T) {
	tests := map[string]struct {
		kind  types.PatchType
		patch string
	}{
		"merge patch": {types.MergePatchType, `{"dockerImageReference":"new","dockerImageConfig":null}`},
		"JSON patch":  {types.JSONPatchType, `[{"op":"test","path":"/dockerImageReference","value":"old"},{"op":"replace","path":"/dockerImageReference","value":"new"},{"op":"remove","path":"/dockerImageConfig"}]`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := images(t)
			image := newImage(t, "one")
			image.DockerImageReference, image.DockerImageConfig = "old", "{}"
			image.Signatures = []openshiftv1.ImageSignature{signature("one@a")}
			want := mustCreate(t, c, image).DeepCopy()
			want.DockerImageReference, want.DockerImageConfig = "new", ""

			got, err := c.Patch(t.Context(), image.Name, tt.kind, []byte(tt.patch), metav1.PatchOptions{})
			if err != nil {
				t.Fatal(err)
			}
			sameImage(t, "patch", want, got)
		})
	}
}

// A JSON patch is how a signature is added without touching the others.
func TestJSONPatchAddsOneSignature(t *testing.T) {
	c := images(t)
	image := newImage(t, "one")
	image.Signatures = []openshiftv1.ImageSignature{fullSignature("one")}
	want := mustCreate(t, c, image).DeepCopy()
	want.Signatures = append(want.Signatures, openshiftv1.ImageSignature{ObjectMeta: metav1.ObjectMeta{Name: "one@b"}, Type: "atomic", Content: []byte("b")})

	patch := `[{"op":"add","path":"/signatures/-","value":{"metadata":{"name":"one@b"},"type":"atomic","content":"Yg=="}}]`
	got, err := c.Patch(t.Context(), image.Name, types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, "patch", want, got)
}

func TestDeleteCollection(t *testing.T) {
	c := images(t)
	other := newImage(t, "other")
	other.Labels["kept"] = "yes"
	mustCreate(t, c, other)
	mustCreate(t, c, newImage(t, "one"))
	mustCreate(t, c, newImage(t, "two"))

	opts := ofTest(t)
	opts.LabelSelector += ",!kept"
	if err := c.DeleteCollection(t.Context(), metav1.DeleteOptions{}, opts); err != nil {
		t.Fatal(err)
	}
	left, err := c.List(t.Context(), ofTest(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(left.Items) != 1 || left.Items[0].Name != other.Name {
		t.Errorf("%d Images left, want only %s", len(left.Items), other.Name)
	}
}

func TestInformerAndLister(t *testing.T) {
	c := images(t)
	first := mustCreate(t, c, fullImage(t))
	factory := externalversions.NewSharedInformerFactoryWithOptions(clientset(t), 0,
		externalversions.WithTweakListOptions(func(opts *metav1.ListOptions) { opts.LabelSelector = ofTest(t).LabelSelector }))
	informer := factory.Image().V1().Images()
	updates := make(chan *openshiftv1.Image, 10)
	handler := cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, after any) { updates <- after.(*openshiftv1.Image) }}
	if _, err := informer.Informer().AddEventHandler(handler); err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())

	listed, err := informer.Lister().List(labels.Everything())
	if err != nil || len(listed) != 1 {
		t.Fatalf("list: %d Images, %v, want 1", len(listed), err)
	}
	sameImage(t, "list", first, listed[0])

	first.DockerImageReference = "registry.example.com/app:v2"
	second, err := c.Update(t.Context(), first, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-updates:
		sameImage(t, "update event", second, got)
	case <-time.After(patience):
		t.Fatalf("no update event after %s", patience)
	}
	got, err := informer.Lister().Get(first.Name)
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, "get from the lister", second, got)
}
