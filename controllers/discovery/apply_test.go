// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// newReconciler returns a reconciler whose writes the functions answer.
func newReconciler(t *testing.T, funcs interceptor.Funcs) *Reconciler {
	t.Helper()
	return &Reconciler{
		Client: interceptor.NewClient(fake.NewClientBuilder().Build(), funcs), Clock: clocktesting.NewFakePassiveClock(now),
		images: newImages(), retries: map[string]retry{}, reported: map[string]bool{},
	}
}

// An Image is deleted in the state in which it was seen, and no other.
func TestDeletePreconditions(t *testing.T) {
	var got client.DeleteOptions
	r := newReconciler(t, interceptor.Funcs{
		Delete: func(_ context.Context, _ client.WithWatch, _ client.Object, opts ...client.DeleteOption) error {
			got.ApplyOptions(opts)
			return nil
		},
	})
	f := fact("app", func(f *imageFacts) { f.uid, f.resourceVersion = "u-1", "17" })
	if left, retryIn := r.apply(t.Context(), &plan{remove: []*imageFacts{f}}); left || retryIn != 0 {
		t.Error(left, retryIn)
	}
	uid, version := types.UID("u-1"), "17"
	want := client.Preconditions{UID: &uid, ResourceVersion: &version}
	if got.Preconditions == nil || *got.Preconditions.UID != *want.UID || *got.Preconditions.ResourceVersion != *want.ResourceVersion {
		t.Errorf("got %+v", got.Preconditions)
	}
}

// A status is written on top of the state in which the Image was seen, and names no field that
// belongs to another writer.
func TestStatusPatches(t *testing.T) {
	var got []string
	r := newReconciler(t, interceptor.Funcs{
		SubResourcePatch: func(_ context.Context, _ client.Client, subResource string, obj client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
			data, err := patch.Data(obj)
			got = append(got, subResource+" "+obj.GetName()+" "+string(data))
			return err
		},
	})
	f := fact("app", func(f *imageFacts) { f.uid, f.resourceVersion = "u-1", "17" })
	for _, p := range []*plan{
		{mark: []*imageFacts{f}}, {clear: []*imageFacts{f}}, {retag: []retag{{image: f, tags: []string{"v1"}}}}, {retag: []retag{{image: f}}},
	} {
		r.apply(t.Context(), p)
	}
	const guard = "status app {\"metadata\":{\"resourceVersion\":\"17\",\"uid\":\"u-1\"},\"status\":"
	want := []string{
		guard + `{"unusedSince":"2026-01-01T00:00:00Z"}}`, guard + `{"unusedSince":null}}`,
		guard + `{"tags":[{"name":"v1"}]}}`, guard + `{"tags":[]}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What fails is tried again later and later, and keeps nothing else from being done.
func TestRetries(t *testing.T) {
	var created []string
	refused := errors.New("refused")
	r := newReconciler(t, interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
			created = append(created, obj.GetName())
			return refused
		},
	})
	clock, ok := r.Clock.(*clocktesting.FakePassiveClock)
	if !ok {
		t.Fatal(r.Clock)
	}
	p := &plan{create: []string{entry("app")}}
	var waits []time.Duration
	for range 12 {
		_, wait := r.apply(t.Context(), p)
		waits = append(waits, wait)
		if _, again := r.apply(t.Context(), p); again != wait {
			t.Errorf("%s left, want %s", again, wait)
		}
		clock.SetTime(clock.Now().Add(wait))
	}
	if len(created) != 12 || waits[0] != firstWriteRetry || waits[1] != 2*firstWriteRetry || waits[11] != maxWriteRetry {
		t.Errorf("%d attempts, waits %v", len(created), waits)
	}
	refused = apierrors.NewAlreadyExists(schema.GroupResource{Resource: "images"}, "x")
	if _, wait := r.apply(t.Context(), p); wait == 0 {
		t.Error("a name that exists is not looked at again")
	}
	clock.SetTime(clock.Now().Add(maxWriteRetry))
	refused = nil
	if _, wait := r.apply(t.Context(), p); wait != 0 || len(r.retries) > 0 {
		t.Errorf("wait %s, retries %v", wait, r.retries)
	}
	clock.SetTime(clock.Now().Add(time.Hour))
	r.retries["gone"] = retry{at: now}
	if r.apply(t.Context(), &plan{}); len(r.retries) > 0 {
		t.Errorf("retries %v", r.retries)
	}
}

// A run makes no more than a batch of writes, so that what is new meanwhile is not kept waiting.
func TestBatch(t *testing.T) {
	created := make(chan string, 2*batch)
	r := newReconciler(t, interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
			created <- obj.GetName()
			return nil
		},
	})
	p := &plan{}
	for n := range batch + 1 {
		p.create = append(p.create, entry(string(rune('a'+n))))
	}
	if left, _ := r.apply(t.Context(), p); !left || len(created) != batch {
		t.Errorf("left %v, %d writes", left, len(created))
	}
}

func TestNameFor(t *testing.T) {
	x := newImages()
	e := entry("app")
	first, err := x.nameFor(e)
	if err != nil || first != "sha256-"+e[len("registry.example.com/app@sha256:"):] {
		t.Error(first, err)
	}
	x.byName[first] = &imageFacts{}
	second, err := x.nameFor(e)
	if err != nil || len(second) != len(first)+1+repositoryDigits {
		t.Error(second, err)
	}
	x.byName[second] = &imageFacts{}
	if name, err := x.nameFor(e); !errors.Is(err, errNameTaken) {
		t.Error(name, err)
	}
}

// An Image that appears after the plan was made, because the event about it was late, is not made
// a second time under the longer name.
func TestCreateAfterEvent(t *testing.T) {
	var created []string
	r := newReconciler(t, interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
			created = append(created, obj.GetName())
			return nil
		},
	})
	first, err := r.images.nameFor(entry("app"))
	if err != nil {
		t.Fatal(err)
	}
	r.images = imagesOf(fact("app", func(f *imageFacts) { f.name = first }))
	p := &plan{create: []string{entry("app"), entry("other")}}
	if left, retryIn := r.apply(t.Context(), p); left || retryIn != 0 || len(created) != 1 || created[0] == first {
		t.Errorf("created %q, left %v, retry in %s", created, left, retryIn)
	}
}
