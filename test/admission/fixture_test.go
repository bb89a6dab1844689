// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/test/admission/shards"
)

// settleTimeout bounds the wait until the API server acts on what was written, which takes about a second at worst on an
// idle machine.
const settleTimeout = 1 * time.Minute

// warnings collects the warnings of a client, as kubectl shows them.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader is called for each warning of a response.
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// take returns the warnings since the last call.
func (w *warnings) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := strings.Join(w.texts, "\n")
	w.texts = nil
	return texts
}

// hex returns a made-up digest's 64 digits in a bucket.
func hex(bucket string) string { return bucket + strings.Repeat("0123456789abcdef", 4)[:62] }

const (
	enforced = "registry.example.com/shop"
	warned   = "registry.example.com/staging"
	audited  = "registry.example.com/labs"
)

// verified and unverified are digests of the images of every scope.
var (
	verified, unverified   = "sha256:" + hex("1a"), "sha256:" + hex("1b")
	verified2, unverified2 = "sha256:" + hex("f3"), "sha256:" + hex("f4")
)

// state is what the operator would write about images of all kinds.
func state() shards.State {
	s := shards.State{Images: map[string]bool{}, Scopes: map[string]string{
		enforced: "Enforce", warned: "Warn", audited: "Audit",
		"docker.io/library/busybox": "Enforce", "registry.example.com:5000/shop": "Enforce", "[2001:db8::1]:5000": "Enforce",
		"10.0.0.1": "Enforce", "*.wild.example.com": "Enforce", "plain.example.com": "Enforce", enforced + "/probe": "Audit", enforced + "/app:exact": "Audit",
	}}
	for _, name := range []string{enforced + "/app", warned + "/app", audited + "/app", "docker.io/library/busybox",
		"registry.example.com:5000/shop/app", "[2001:db8::1]:5000/app", "10.0.0.1/app", "a.wild.example.com/app", "plain.example.com:80/app"} {
		s.Images[name+"@"+verified] = true
		s.Images[name+"@"+verified2] = true
	}
	return s
}

// canaries numbers the scopes by which writeAllowlist sees that a shard is in use.
var canaries int

// writeAllowlist writes the shards of a state, removes all others, and returns when the API server, which has to enforce,
// goes by them.
func writeAllowlist(t *testing.T, s shards.State, count int) {
	t.Helper()
	canaries++
	canary := fmt.Sprintf("canary-%d.example.com", canaries)
	s.Scopes[canary] = "Enforce"
	defer delete(s.Scopes, canary)
	writeShards(t, s, count)
	for i := range count {
		image := canary + "/app@sha256:" + hex(fmt.Sprintf("%02x", i*256/count))
		waitFor(t, "shard "+fmt.Sprint(i), func() bool {
			err := create(context.WithoutCancel(t.Context()), podOf("default", container(image)))
			return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "image "+image+" ")
		})
	}
}

// areShards selects the shards of the allowlist.
var areShards = client.MatchingLabels{"assay.dev/allowlist": "shard"}

// writeShards writes the shards of a state and removes all others.
func writeShards(t *testing.T, s shards.State, count int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it also serves cleanups
	names := map[string]bool{}
	for _, shard := range shards.Encode(t, s, operatorNamespace, count) {
		names[shard.Name] = true
		err := admin.Update(ctx, shard.DeepCopy())
		if apierrors.IsNotFound(err) {
			err = admin.Create(ctx, shard)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var all corev1.ConfigMapList
	if err := admin.List(ctx, &all, client.InNamespace(operatorNamespace), areShards); err != nil {
		t.Fatal(err)
	}
	for _, shard := range all.Items {
		if !names[shard.Name] {
			if err := admin.Delete(ctx, &shard); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// removeAllowlist removes all shards and waits until the API server knows.
func removeAllowlist(t *testing.T) {
	t.Helper()
	err := admin.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace(operatorNamespace), areShards)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "no shards", func() bool {
		err := create(t.Context(), podOf("default", container("any.example.com/app:1")))
		return err != nil && strings.Contains(err.Error(), "no params found")
	})
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(context.WithoutCancel(t.Context()), 50*time.Millisecond, settleTimeout, true, func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// place puts an image somewhere into a Pod.
type place func(*corev1.PodSpec, string)

var places = map[string]place{
	"container": func(s *corev1.PodSpec, image string) { s.Containers[0].Image = image },
	"second container": func(s *corev1.PodSpec, image string) {
		s.Containers = append(s.Containers, corev1.Container{Name: "second", Image: image})
	},
	"init container": func(s *corev1.PodSpec, image string) {
		s.InitContainers = append(s.InitContainers, corev1.Container{Name: "init", Image: image})
	},
	"image volume": func(s *corev1.PodSpec, image string) {
		s.Volumes = append(s.Volumes, corev1.Volume{Name: "image", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: image}}})
	},
}

// container returns what podOf does to have an image in its only container.
func container(image string) func(*corev1.PodSpec) {
	return func(s *corev1.PodSpec) { places["container"](s, image) }
}

// podOf returns a Pod in a namespace, with an image that no scope covers unless the changes replace it.
func podOf(namespace string, changes ...func(*corev1.PodSpec)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Namespace: namespace},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "elsewhere.example.com/app:v1"}}}}
	for _, change := range changes {
		change(&pod.Spec)
	}
	return pod
}

// names numbers the objects that are looked for in the audit log.
var names int

func nextName() string {
	names++
	return fmt.Sprint(names)
}

// create asks whether the editor could create an object.
func create(ctx context.Context, object client.Object) error {
	return editor.Create(ctx, object, client.DryRunAll)
}
