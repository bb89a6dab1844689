// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/trust"
)

// enqueued returns the names that are in a queue, sorted.
func enqueued(q priorityqueue.PriorityQueue[reconcile.Request]) []string {
	var names []string
	for q.Len() > 0 {
		request, _ := q.Get()
		q.Done(request)
		names = append(names, request.Name)
	}
	slices.Sort(names)
	return names
}

// A change enqueues the images that it can affect, and no other.
func TestChangeEnqueuesWhatItAffects(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	fromSecret := f.fromSecret(f.policy())
	fromConfigMap := f.policy()
	fromConfigMap.Name += "-configmap"
	fromConfigMap.Spec.Scopes = scopes(f.repository() + "/other")
	fromConfigMap.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "release", ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: f.name}}}
	f.create(f.secret(release), fromSecret, fromConfigMap)
	for name, repository := range map[string]string{
		"-app": "/app", "-deep": "/app/deep", "-other": "/other/app", "-otherwise": "/otherwise",
	} {
		image := f.image(release)
		image.Name += name
		image.DockerImageReference = f.repository() + repository + ":v1"
		f.create(image)
	}
	elsewhere := f.image(release)
	elsewhere.Name += "-elsewhere"
	elsewhere.DockerImageReference = f.repository() + "-elsewhere/app:v1"
	f.create(elsewhere)
	inScope := []string{f.name + "-app", f.name + "-deep", f.name + "-other", f.name + "-otherwise"}
	all := f.policy()
	all.Spec.Scopes = scopes(f.repository(), f.repository()+"-elsewhere")
	f.eventually("the cache to show the objects", func() (bool, string) {
		images := enqueue(f, func(w *trust.Enqueuer, q requestQueue) {
			w.OnPolicies().Create(f.ctx, event.CreateEvent{Object: all}, q)
		})
		secrets, err := trust.PoliciesReading(f.ctx, cachedClient, trust.SecretKind, f.name)
		configMaps, err2 := trust.PoliciesReading(f.ctx, cachedClient, trust.ConfigMapKind, f.name)
		return len(images) == len(inScope)+1 && len(secrets) == 1 && len(configMaps) == 1, fmt.Sprint(images, err, err2)
	})

	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: f.name}}
	stranger := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: f.name + "-stranger"}}
	statusOnly := fromSecret.DeepCopy()
	statusOnly.Status.KeySummary = "9/9"
	moved := fromConfigMap.DeepCopy()
	moved.Generation++
	moved.Spec.Scopes = scopes(f.repository() + "-elsewhere")
	cases := map[string]struct {
		change func(w *trust.Enqueuer, q requestQueue)
		want   []string
	}{
		"a policy": {func(w *trust.Enqueuer, q requestQueue) {
			w.OnPolicies().Delete(f.ctx, event.DeleteEvent{Object: fromSecret}, q)
		}, inScope},
		"a policy's status": {func(w *trust.Enqueuer, q requestQueue) {
			w.OnPolicies().Update(f.ctx, event.UpdateEvent{ObjectOld: fromSecret, ObjectNew: statusOnly}, q)
		}, nil},
		"a policy's scopes": {func(w *trust.Enqueuer, q requestQueue) {
			w.OnPolicies().Update(f.ctx, event.UpdateEvent{ObjectOld: fromConfigMap, ObjectNew: moved}, q)
		}, []string{f.name + "-elsewhere", f.name + "-other"}},
		"a Secret": {func(w *trust.Enqueuer, q requestQueue) {
			w.OnKeySources(trust.SecretKind).Delete(f.ctx, event.DeleteEvent{Object: f.secret()}, q)
		}, inScope},
		"a ConfigMap": {func(w *trust.Enqueuer, q requestQueue) {
			w.OnKeySources(trust.ConfigMapKind).Create(f.ctx, event.CreateEvent{Object: configMap}, q)
		}, []string{f.name + "-other"}},
		"a Secret that nobody reads": {func(w *trust.Enqueuer, q requestQueue) {
			w.OnKeySources(trust.SecretKind).Create(f.ctx, event.CreateEvent{Object: stranger}, q)
		}, nil},
		"a ConfigMap of the name of a Secret that is read": {func(w *trust.Enqueuer, q requestQueue) {
			w.OnKeySources(trust.ConfigMapKind).Create(f.ctx, event.CreateEvent{Object: stranger}, q)
		}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, enqueue(f, c.change)); diff != "" {
				t.Errorf("enqueued (-want +got):\n%s", diff)
			}
		})
	}
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

func newEnqueuer() *trust.Enqueuer {
	return &trust.Enqueuer{Client: cachedClient, Store: &trust.Store{Client: cachedClient, Namespace: testNamespace}}
}

// enqueue returns the names of the Images that a change enqueues.
func enqueue(f *fixture, change func(*trust.Enqueuer, requestQueue)) []string {
	f.Helper()
	q := priorityqueue.New[reconcile.Request](f.name)
	defer q.ShutDown()
	change(newEnqueuer(), q)
	return enqueued(q)
}

// A new image does not wait until a change of keys has gone through all the others.
func TestNewImagesGoFirst(t *testing.T) {
	f := newFixture(t)
	const images = 20
	policy := f.policy(newSigner("release"))
	f.create(policy)
	for i := range images {
		image := f.image()
		image.Name += fmt.Sprintf("-%d", i)
		f.create(image)
	}
	q := priorityqueue.New[reconcile.Request](f.name)
	defer q.ShutDown()
	w := newEnqueuer()
	f.eventually("all images to be enqueued", func() (bool, string) {
		w.OnPolicies().Create(f.ctx, event.CreateEvent{Object: policy}, q)
		return q.Len() == images, fmt.Sprint(q.Len())
	})
	// What For enqueues for a change has no priority of its own.
	q.Add(ctrl.Request{NamespacedName: types.NamespacedName{Name: "new"}})
	if first, _ := q.Get(); first.Name != "new" {
		t.Errorf("%s is first, want the new image", first.Name)
	}
}

// Replicas, or one before and one after a hand-over, have clocks that differ. They must
// not correct each other for ever.
func TestReplicasWhoseClocksDiffer(t *testing.T) {
	f, _ := verifiedAtRest(t)
	hooks := &writeHooks{}
	const skew = 3 * time.Minute
	for range 3 {
		for _, clock := range []time.Time{testNow.Add(skew), testNow.Add(-skew)} {
			if _, err := hooks.reconcile(f, clock); err != nil {
				t.Fatal(err)
			}
		}
	}
	if p, s := hooks.patches.Load(), hooks.statusPatches.Load(); p != 0 || s != 0 {
		t.Errorf("replicas whose clocks differ wrote %d and %d times, want never", p, s)
	}
}
