// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/bench/observe"
	"github.com/assay-project/assay/bench/team"
)

// newImages generates images of a team on all processors.
func newImages(t *team.Team, from, count, blob int) []*imagev1.Image {
	images := make([]*imagev1.Image, count)
	_ = observe.InParallel(makers, count, func(i int) error {
		images[i] = t.Image(from+i, blob)
		return nil
	})
	return images
}

const (
	// makers is the number of goroutines that generate images.
	makers = 4
	// creators is the number of concurrent requests that create or delete them, outside of
	// measurements.
	creators = 8
)

func createAll(ctx context.Context, c client.Client, images []*imagev1.Image) error {
	return observe.InParallel(creators, len(images), func(i int) error { return c.Create(ctx, images[i].DeepCopy()) })
}

func deleteAll(ctx context.Context, c client.Client, images []*imagev1.Image) error {
	return observe.InParallel(creators, len(images), func(i int) error { return c.Delete(ctx, images[i].DeepCopy()) })
}
