// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/bench/cluster"
	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/team"
	"github.com/assay-project/assay/internal/testenv/controlplane"
)

// kustomization is config/default with the component enforce.
const kustomization = "test/admission/testdata/enforce"

// ofTurns is the number of containers of the Pods created with a running and with a stopped
// operator.
const ofTurns = 3

// row has the latencies for one size of the allowlist and one kind of Pod.
type row struct {
	images, shards, containers int
	latencies
}

// results are all measurements.
type results struct {
	rows []row
	// signed are the times from a signature to the admission of a Pod, sorted.
	signed []time.Duration
	// running and stopped are latencies with a running and a stopped operator.
	running, stopped latencies
}

// bench is the measured cluster.
type bench struct{ *cluster.Cluster }

func measure(ctx context.Context, p plan, say command.Progress) (r results, err error) {
	say("starting a control plane")
	c, err := cluster.New(ctx, kustomization, controlplane.Options{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	b := &bench{c}
	for _, namespace := range namespaces() {
		if err := b.Create(ctx, namespace); err != nil {
			return r, err
		}
	}
	for _, images := range p.images {
		if err := b.measureList(ctx, p, images, &r, say); err != nil {
			return r, err
		}
	}
	if err := b.removeList(ctx); err != nil {
		return r, err
	}
	return r, b.measureOperator(ctx, p, &r, say)
}

func (b *bench) measureList(ctx context.Context, p plan, images int, r *results, say command.Progress) error {
	shards, err := b.writeList(ctx, images)
	if err != nil {
		return err
	}
	for _, containers := range p.containers {
		l, err := b.createPods(ctx, p.pods, containers, func(n int) string { return verified(n % images) })
		if err != nil {
			return err
		}
		with, without := l.median()
		say("%d images, %d containers: %s with the policies, %s without", images, containers, with, without)
		r.rows = append(r.rows, row{images: images, shards: shards, containers: containers, latencies: l})
	}
	return nil
}

// measureOperator measures with the real manager and images verified by it.
func (b *bench) measureOperator(ctx context.Context, p plan, r *results, say command.Progress) (err error) {
	const keyBits, blob = 2048, 1 << 10
	t := team.New("signed", keyBits)
	if err := errors.Join(b.Create(ctx, t.Secret(false)), b.Create(ctx, t.Policy())); err != nil {
		return err
	}
	images := make([]*imagev1.Image, p.signed)
	for n := range images {
		images[n] = t.Image(n, blob)
		bare := images[n].DeepCopy()
		bare.Signatures = nil
		if err := b.Create(ctx, bare); err != nil {
			return err
		}
	}
	manager, err := b.StartManager()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, manager.Kill()) }()
	say("adding signatures to %d images", p.signed)
	if err := b.await(ctx, reference(images[0]), false); err != nil {
		return err
	}
	for _, image := range images {
		took, err := b.sign(ctx, image)
		if err != nil {
			return err
		}
		r.signed = append(r.signed, took)
	}
	slices.Sort(r.signed)

	nth := func(n int) string { return reference(images[n%len(images)]) }
	for turn := range p.turns {
		running, err := b.createPods(ctx, p.pods, ofTurns, nth)
		if err != nil {
			return err
		}
		if err := manager.Kill(); err != nil {
			return err
		}
		stopped, err := b.createPods(ctx, p.pods, ofTurns, nth)
		if err != nil {
			return err
		}
		say("turn %d of %d: the policies take %s while the operator runs, %s while it does not", turn+1, p.turns, running.overhead(), stopped.overhead())
		r.running.add(running)
		r.stopped.add(stopped)
		if manager, err = b.StartManager(); err != nil {
			return err
		}
	}
	return nil
}

// sign adds a signature to an image and returns the time until the API server admits a Pod.
func (b *bench) sign(ctx context.Context, image *imagev1.Image) (time.Duration, error) {
	stored := &imagev1.Image{}
	if err := b.Get(ctx, client.ObjectKeyFromObject(image), stored); err != nil {
		return 0, err
	}
	patch := client.MergeFrom(stored.DeepCopy())
	stored.Signatures = image.Signatures
	begin := time.Now()
	if err := b.Patch(ctx, stored, patch); err != nil {
		return 0, err
	}
	err := b.await(ctx, reference(image), true)
	return time.Since(begin), err
}

// reference returns the reference of an image in a Pod: with its digest, which is the name of the
// Image.
func reference(image *imagev1.Image) string {
	return fmt.Sprintf("%s@sha256:%s", image.DockerImageReference, image.Name[len("sha256-"):])
}
