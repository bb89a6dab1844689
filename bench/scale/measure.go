// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/team"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// results are all measurements. Memory is in bytes.
type results struct {
	images int
	turns  []turn

	memoryEmpty, memoryFull, memoryRestarted float64
	// created is the time to create all images and to verify them meanwhile.
	created time.Duration
	// restart is the time from the start of a manager over all images until it is idle.
	restart       time.Duration
	restartWrites int
	// decoding is the part of the manager's processor time that decoding took, between 0 and 1,
	// while images were created and verified.
	decoding float64
	// revoked is the time until the last image of the revoked key was refused, and unlisted the
	// time until the allowlist had none of them.
	revoked, unlisted time.Duration
	// again is the time to verify all others again, with another verdict for each. fresh are the
	// times that new images waited for their verdicts meanwhile, sorted.
	again time.Duration
	fresh []time.Duration
}

// teams are the owners of the images.
type teams struct {
	bulk, revoked, fresh *team.Team
}

func measure(ctx context.Context, p plan, say command.Progress) (r results, err error) {
	r.images = p.images
	say("starting a control plane")
	c, err := newBench(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	all := teams{team.New("bulk", p.keyBits), team.New("revoked", p.keyBits), team.New("fresh", p.keyBits)}
	for _, t := range []*team.Team{all.bulk, all.revoked, all.fresh} {
		if err := errors.Join(c.Create(ctx, t.Secret(false)), c.Create(ctx, t.Policy())); err != nil {
			return r, err
		}
	}
	say("signing %d images", p.images)
	images := newImages(all.bulk, 0, p.images-p.revoked, p.blob)
	images = append(images, newImages(all.revoked, 0, p.revoked, p.blob)...)
	for n := range p.rounds {
		t, err := c.measureTurn(ctx, p, images[:p.round])
		if err != nil {
			return r, fmt.Errorf("round %d: %w", n+1, err)
		}
		say("round %d of %d: manager %.0f images/s, bare client %.0f images/s, with a watch %.0f images/s", n+1, p.rounds, t.manager.rate, t.bare.rate, t.watched.rate)
		r.turns = append(r.turns, t)
	}
	m, err := c.measureMemory(ctx, p, images, &r, say)
	if err != nil {
		return r, err
	}
	return r, c.measureChanges(ctx, p, m, all, &r, say)
}

// measureMemory fills the cluster with all images, restarts the manager and returns it.
func (c *bench) measureMemory(ctx context.Context, p plan, images []*imagev1.Image, r *results, say command.Progress) (*testManager, error) {
	m, err := c.startManager()
	if err != nil {
		return nil, err
	}
	if r.memoryEmpty, err = m.resident(ctx, p.settle); err != nil {
		return nil, err
	}
	say("creating %d images", len(images))
	share := make(chan error, 1)
	go func() {
		recorded, err := m.profile(ctx, p.settle)
		if err == nil {
			r.decoding, err = decodingShare(recorded)
		}
		share <- err
	}()
	begin := time.Now()
	if err := createAll(ctx, c, images); err != nil {
		return nil, err
	}
	if err := m.idle(ctx, len(images)); err != nil {
		return nil, err
	}
	r.created = time.Since(begin)
	if err := <-share; err != nil {
		return nil, err
	}
	if err := c.counted(ctx, p.images); err != nil {
		return nil, err
	}
	if r.memoryFull, err = m.resident(ctx, p.settle); err != nil {
		return nil, err
	}
	if err := m.Stop(); err != nil {
		return nil, err
	}
	return c.measureRestart(ctx, p, r, say)
}

func (c *bench) measureRestart(ctx context.Context, p plan, r *results, say command.Progress) (*testManager, error) {
	say("starting over %d verified images", p.images)
	before, err := c.versions(ctx)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	m, err := c.startManager()
	if err != nil {
		return nil, err
	}
	if err := m.idle(ctx, p.images); err != nil {
		return nil, err
	}
	r.restart = time.Since(begin)
	if r.memoryRestarted, err = m.resident(ctx, p.settle); err != nil {
		return nil, err
	}
	after, err := c.versions(ctx)
	if err != nil {
		return nil, err
	}
	for name, version := range after {
		if before[name] != version {
			r.restartWrites++
		}
	}
	return m, nil
}

// counted waits until the status of the policies counts all images. Counts are written a few
// seconds after verdicts, and the next manager would otherwise write them.
func (c *bench) counted(ctx context.Context, images int) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		var list assayv1alpha1.TrustPolicyList
		if err := c.List(ctx, &list); err != nil {
			return err
		}
		sum := 0
		for i := range list.Items {
			if n := list.Items[i].Status.Images; n != nil {
				sum += int(n.Verified + n.Failed + n.Unknown)
			}
		}
		if sum == images {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// versions returns the resource versions of all Images and TrustPolicies.
func (c *bench) versions(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	for _, kind := range []string{"ImageList", "TrustPolicyList"} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(imagev1.GroupVersion.WithKind(kind))
		if kind == "TrustPolicyList" {
			list.SetGroupVersionKind(assayv1alpha1.GroupVersion.WithKind(kind))
		}
		if err := c.List(ctx, list); err != nil {
			return nil, err
		}
		for i := range list.Items {
			versions[kind+"/"+list.Items[i].Name] = list.Items[i].ResourceVersion
		}
	}
	return versions, nil
}

// measureChanges revokes the key of a few images, then that of all the others, and creates new
// images meanwhile.
func (c *bench) measureChanges(ctx context.Context, p plan, m *testManager, all teams, r *results, say command.Progress) (err error) {
	defer func() { err = errors.Join(err, m.Stop()) }()
	say("revoking the key of %d images", p.revoked)
	unlisted := make(chan error, 1)
	begin := time.Now()
	go func() {
		err := c.awaitUnlisted(ctx, all.revoked)
		r.unlisted = time.Since(begin)
		unlisted <- err
	}()
	err = c.revoke(ctx, all.revoked, p.revoked)
	r.revoked = time.Since(begin)
	if err := errors.Join(err, <-unlisted); err != nil {
		return err
	}

	say("revoking the key of the other %d images, and making %d new ones meanwhile", p.images-p.revoked, p.fresh)
	bulk := make(chan error, 1)
	begin = time.Now()
	go func() {
		err := c.revoke(ctx, all.bulk, p.images-p.revoked)
		r.again = time.Since(begin)
		bulk <- err
	}()
	r.fresh, err = c.measureFresh(ctx, p, newImages(all.fresh, 0, p.fresh, p.blob), all.fresh)
	return errors.Join(err, <-bulk)
}

// revoke revokes a team's key and waits until the last of its images is refused.
func (c *bench) revoke(ctx context.Context, t *team.Team, images int) error {
	return c.await(ctx, t, metav1.ConditionFalse, images, func() error {
		return c.Update(ctx, t.Secret(true))
	}, func(string) {})
}

// await performs an action and waits until n of a team's images have a verdict. It calls seen once
// for each of them.
func (c *bench) await(ctx context.Context, t *team.Team, status metav1.ConditionStatus, images int, do func() error, seen func(name string)) error {
	done := map[string]bool{}
	for started := false; len(done) < images; {
		events, err := c.Watch(ctx, &imagev1.ImageList{}, client.MatchingLabels{team.Label: t.Name})
		if err != nil {
			return err
		}
		if !started {
			if err := do(); err != nil {
				return err
			}
			started = true
		}
		err = collect(events, func(image *imagev1.Image) bool {
			if !done[image.Name] && meta.IsStatusConditionPresentAndEqual(image.Status.Conditions, assayv1alpha1.VerifiedCondition, status) {
				done[image.Name] = true
				seen(image.Name)
			}
			return len(done) == images
		})
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// awaitUnlisted waits until no image of a team is in the allowlist.
func (c *bench) awaitUnlisted(ctx context.Context, t *team.Team) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		var shards corev1.ConfigMapList
		err := c.List(ctx, &shards, client.InNamespace(manager.Namespace), client.MatchingLabels{allowlist.Label: allowlist.LabelValue})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(shards.Items, func(shard corev1.ConfigMap) bool { return listedIn(shard, t) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// listedIn reports whether an image of a team is in a shard of the allowlist.
func listedIn(shard corev1.ConfigMap, t *team.Team) bool {
	for _, entries := range shard.Data {
		if strings.Contains(entries, "\n"+t.Scope()+"/") {
			return true
		}
	}
	return false
}

// collect passes on the images of a watch until that is enough, or until the API server ends the
// watch, as it does for slow readers. A new watch begins with the current state of all images.
func collect(events watch.Interface, enough func(*imagev1.Image) bool) error {
	defer events.Stop()
	for event := range events.ResultChan() {
		if event.Type == watch.Error {
			return fmt.Errorf("watching images: %w", apierrors.FromObject(event.Object))
		}
		if image, ok := event.Object.(*imagev1.Image); ok && enough(image) {
			return nil
		}
	}
	return nil
}

// stopwatches hold the creation time of each image.
type stopwatches struct {
	mu      sync.Mutex
	created map[string]time.Time
}

func (s *stopwatches) start(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created[name] = time.Now()
}

func (s *stopwatches) read(name string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.created[name])
}

// measureFresh creates images one after the other and returns the times that they waited for their
// verdicts, sorted.
func (c *bench) measureFresh(ctx context.Context, p plan, images []*imagev1.Image, t *team.Team) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watches := &stopwatches{created: map[string]time.Time{}}
	creating := make(chan error, 1)
	var waits []time.Duration
	err := c.await(ctx, t, metav1.ConditionTrue, len(images), func() error {
		go func() {
			err := c.createSlowly(ctx, p.freshEvery, images, watches)
			if err != nil {
				cancel() // Some verdicts would never come.
			}
			creating <- err
		}()
		return nil
	}, func(name string) { waits = append(waits, watches.read(name)) })
	slices.Sort(waits)
	return waits, errors.Join(err, <-creating)
}

func (c *bench) createSlowly(ctx context.Context, every time.Duration, images []*imagev1.Image, watches *stopwatches) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for _, image := range images {
		watches.start(image.Name)
		if err := c.Create(ctx, image); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}
