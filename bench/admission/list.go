// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/testenv/manager"
)

const (
	scope = "registry.example.com/bench"
	// repositories is the number of repositories of an allowlist's images.
	repositories = 500
	// settleTimeout bounds the wait until the API server enforces a new allowlist.
	settleTimeout = time.Minute
	lookEvery     = 10 * time.Millisecond
)

// verified returns the nth image of an allowlist as <repository>@<digest>. Digests are distributed
// like real ones.
func verified(n int) string {
	const spread = 0x9e3779b97f4a7c15 // 2⁶⁴ divided by the golden ratio.
	position := uint64(n+1) * spread  //nolint:gosec // n is not negative, and the product may wrap.
	return fmt.Sprintf("%s/team-%d/service-%d@sha256:%016x%048x", scope, n%10, n%repositories, position, n)
}

// writeList writes an allowlist of n images, as the operator does, waits until the API server
// enforces it, and returns the number of shards.
func (b *bench) writeList(ctx context.Context, images int) (shards int, err error) {
	state := allowlist.State{Scopes: map[string]allowlist.Level{scope: allowlist.Enforce}}
	for n := range images {
		state.Images = append(state.Images, verified(n))
	}
	list, err := allowlist.Encode(state, 0)
	if err != nil {
		return 0, err
	}
	if err := b.removeList(ctx); err != nil {
		return 0, err
	}
	for i := range list {
		list[i].SetValidUntil(time.Now().Add(24 * time.Hour))
		err := b.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: list[i].Name, Labels: list[i].Labels},
			Data:       list[i].Data,
		})
		if err != nil {
			return 0, err
		}
	}
	// The last image is not in any smaller allowlist, and every shard refuses something.
	for n := range len(list) {
		refused := fmt.Sprintf("%s/unknown@sha256:%02x%062x", scope, n*256/len(list), n)
		if err := b.await(ctx, refused, false); err != nil {
			return 0, err
		}
	}
	return len(list), b.await(ctx, verified(images-1), true)
}

func (b *bench) removeList(ctx context.Context) error {
	return b.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(manager.Namespace),
		client.MatchingLabels{allowlist.Label: allowlist.LabelValue})
}

// await waits until the API server admits a Pod with an image, or refuses it because it is not
// verified.
func (b *bench) await(ctx context.Context, image string, admitted bool) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, lookEvery, settleTimeout, true, func(ctx context.Context) (bool, error) {
		last = b.Create(ctx, pod(enforced, image), client.DryRunAll)
		if admitted {
			return last == nil, nil
		}
		return apierrors.IsForbidden(last) && strings.Contains(last.Error(), "is not verified"), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s to be admitted: %v: %w (%w)", image, admitted, err, last)
	}
	return nil
}
