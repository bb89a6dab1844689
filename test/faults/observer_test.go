// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// observer sees every version of a scenario's Images and of the allowlist, and holds them to the
// invariants: nothing is verified or listed that no trusted key signed, nothing that is listed is
// lost before the key is revoked, and nothing that a revocation has taken away comes back.
type observer struct {
	*scenario
	signed map[string]bool // By name: the release key signed the image.

	watching sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // Closed at the next event.
	events  int
	revoked bool // The key may have been revoked.
	// verdicts and listed are the last versions, lost what a revocation has taken away.
	verdicts map[string]verdict
	listed   map[string]bool
	lost     map[string]bool
}

// observe begins to watch. The images have been created, and no manager runs.
func (s *scenario) observe() *observer {
	s.Helper()
	o := &observer{
		scenario: s, signed: map[string]bool{}, changed: make(chan struct{}),
		verdicts: map[string]verdict{}, listed: map[string]bool{}, lost: map[string]bool{},
	}
	for name, want := range s.want {
		o.signed[name] = want == verified
	}
	ctx, cancel := context.WithCancel(s.Context())
	s.Cleanup(func() {
		cancel()
		o.watching.Wait()
	})
	o.follow(ctx, &imagev1.ImageList{}, client.MatchingLabels{testLabel: s.name})
	o.follow(ctx, &corev1.ConfigMapList{}, client.InNamespace(manager.Namespace), client.MatchingLabels{allowlist.Label: allowlist.LabelValue})
	return o
}

// follow watches a kind from now on. A watch that breaks is continued where it ended.
func (o *observer) follow(ctx context.Context, list client.ObjectList, options ...client.ListOption) {
	o.Helper()
	if err := admin.List(ctx, list, options...); err != nil {
		o.Fatal(err)
	}
	version := list.GetResourceVersion()
	o.watching.Go(func() {
		for ctx.Err() == nil {
			events, err := admin.Watch(ctx, list, append(options, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}})...)
			if err != nil {
				continue // The API server is away.
			}
			for event := range events.ResultChan() {
				object, ok := event.Object.(client.Object)
				if !ok && ctx.Err() != nil {
					return
				}
				if !ok {
					o.Errorf("the watch ended: %v", event.Object)
					return
				}
				version = object.GetResourceVersion()
				o.add(event.Type, object)
			}
		}
	})
}

func (o *observer) add(kind watch.EventType, object client.Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch object := object.(type) {
	case *imagev1.Image:
		if kind != watch.Deleted {
			o.addImage(object)
		}
	case *corev1.ConfigMap:
		o.addShard(kind, object)
	}
	o.events++
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *observer) addImage(image *imagev1.Image) {
	c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
	if c == nil {
		return
	}
	is, was := verdict{c.Status, c.Reason}, o.verdicts[image.Name]
	if c.Status == metav1.ConditionTrue && (!o.signed[image.Name] || o.lost["status of "+image.Name]) {
		o.Errorf("%s is verified; it is signed by a trusted key: %v", image.Name, o.signed[image.Name])
	}
	if was == verified && is != verified {
		o.lose("status of "+image.Name, image.Name)
	}
	o.verdicts[image.Name] = is
}

// addShard adds the version of a shard. The allowlists of these tests have one.
func (o *observer) addShard(kind watch.EventType, shard *corev1.ConfigMap) {
	if kind == watch.Deleted {
		o.Errorf("shard %s was deleted", shard.Name)
		return
	}
	listed := o.entries(shard)
	for entry := range o.listed {
		if !listed[entry] {
			o.lose("entry "+entry, entry)
		}
	}
	allowed := map[string]bool{}
	for name, signed := range o.signed {
		allowed[o.entry(name)] = signed
	}
	for entry := range listed {
		if !allowed[entry] || o.lost["entry "+entry] {
			o.Errorf("%s is on the allowlist; a trusted key signed it: %v", entry, allowed[entry])
		}
	}
	o.listed = listed
}

// lose records that something is no longer verified, which only a revocation may cause.
func (o *observer) lose(key, what string) {
	if !o.revoked {
		o.Errorf("%s is not verified any more, and no key was revoked", what)
	}
	o.lost[key] = true
}

// revoke revokes the release key. The Secret has other files beside it.
func (o *observer) revoke(others ...[]byte) {
	o.Helper()
	o.mu.Lock()
	o.revoked = true
	o.mu.Unlock()
	files := map[string][]byte{"release.asc": fixture.RevokedKey(release)}
	for i, other := range others {
		files[fmt.Sprintf("%d.asc", i)] = other
	}
	o.trust(files)
	o.expect(revoked, verified)
}

// until waits until a condition holds after an event, or now.
func (o *observer) until(what string, holds func() bool) {
	o.Helper()
	ctx, cancel := context.WithTimeout(o.Context(), fixture.Timeout)
	defer cancel()
	for {
		o.mu.Lock()
		done, changed, seen := holds(), o.changed, len(o.verdicts)
		o.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			o.Fatalf("waiting for %s: %v; %d images have a verdict", what, ctx.Err(), seen)
		}
	}
}

// untilEvents waits for a number of events, or until every image has the expected verdict.
func (o *observer) untilEvents(n int) {
	o.Helper()
	o.mu.Lock()
	end := o.events + n
	o.mu.Unlock()
	o.until(fmt.Sprint(n, " events"), func() bool { return o.events >= end || o.pending() == 0 })
}

// pending counts the images that do not have the expected verdict.
func (o *observer) pending() int {
	n := 0
	for name, want := range o.want {
		if o.verdicts[name] != want {
			n++
		}
	}
	return n
}

// end waits until everything is as expected, and compares it with what a manager that nobody
// disturbs makes of the same images and keys.
func (o *observer) end() {
	o.Helper()
	o.settle()
	o.eventually("the allowlist to have the verified images", func(ctx context.Context) (bool, string) {
		found, shards, err := o.scenario.listed(ctx)
		if err != nil || shards != 1 {
			return false, fmt.Sprintf("%d shards, %v", shards, err)
		}
		for name, want := range o.want {
			if found[o.entry(name)] != (want == verified) {
				return false, fmt.Sprintf("%s is on the allowlist: %v", name, found[o.entry(name)])
			}
		}
		return true, ""
	})
	o.fenced()
	want := o.undisturbed()
	for name, state := range o.states() {
		if diff := cmp.Diff(want[o.signed[name]], normalized(o.T, name, state)); diff != "" {
			o.Fatalf("%s differs from an image that nobody disturbed (-want +got):\n%s", name, diff)
		}
	}
}

// undisturbed returns what the running manager makes of images that are signed and are not signed by
// the release key.
func (o *observer) undisturbed() map[bool]string {
	o.Helper()
	reference := &scenario{T: o.T, name: o.name, secret: o.secret, policy: o.policy, want: map[string]verdict{}}
	states := map[bool]string{}
	for i, key := range map[int]bool{1_000_000: true, 1_000_001: false} {
		image := o.image(i, audited)
		if key {
			image = o.image(i, release)
		}
		image.Labels = map[string]string{testLabel: o.name + "-reference"}
		o.create(image)
		o.Cleanup(func() {
			if err := admin.Delete(context.Background(), image); err != nil {
				o.Error(err)
			}
		})
		for name, want := range o.want {
			if o.signed[name] == key {
				reference.want[image.Name] = want
			}
		}
	}
	reference.settleNames()
	reference.name = o.name + "-reference"
	for name, state := range reference.states() {
		states[strings.HasSuffix(name, "-1000000")] = normalized(o.T, name, state)
	}
	return states
}

// normalized returns the state of an image without what differs between images that are signed by
// the same key.
func normalized(t *testing.T, name string, image imagev1.Image) string {
	t.Helper()
	for i := range image.Signatures {
		image.Signatures[i].Content, image.Signatures[i].UID = nil, ""
	}
	text, err := json.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(digest.FromString(name).String(), "DIGEST", name, "NAME").Replace(string(text))
}

// fenced checks that the epoch of each shard counts.
func (o *observer) fenced() {
	o.Helper()
	o.eventually("the fence to have the epochs of the shards", func(ctx context.Context) (bool, string) {
		var role rbacv1.Role
		var list corev1.ConfigMapList
		if err := admin.Get(ctx, client.ObjectKey{Namespace: manager.Namespace, Name: "assay-allowlist"}, &role); err != nil {
			return false, err.Error()
		}
		selector := client.MatchingLabels{allowlist.Label: allowlist.LabelValue}
		if err := admin.List(ctx, &list, client.InNamespace(manager.Namespace), selector); err != nil {
			return false, err.Error()
		}
		counts := fmt.Sprint(role.Rules)
		for i := range list.Items {
			if name := allowlist.FenceName(list.Items[i].Name, allowlist.Epoch(list.Items[i].Data)); !strings.Contains(counts, name) {
				return false, name + " is not in " + counts
			}
		}
		return true, ""
	})
}
