// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

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
	if err := b.writeFence(ctx, list); err != nil {
		return 0, err
	}
	for i := range list {
		list[i].SetValidUntil(time.Now().Add(24 * time.Hour))
		list[i].SetEpoch(epoch)
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

// epoch is the epoch of all shards.
const epoch = "bench"

// writeFence makes the epoch of the shards valid, next to the fence that the operator writes.
func (b *bench) writeFence(ctx context.Context, list []allowlist.Shard) error {
	rule := rbacv1.PolicyRule{APIGroups: []string{"assay.dev"}, Resources: []string{"allowlists"}, Verbs: []string{"use"}}
	for i := range list {
		rule.ResourceNames = append(rule.ResourceNames, allowlist.FenceName(list[i].Name, epoch))
	}
	meta := metav1.ObjectMeta{Namespace: manager.Namespace, Name: "bench-fence"}
	role, binding := &rbacv1.Role{ObjectMeta: meta}, &rbacv1.RoleBinding{ObjectMeta: meta}
	_, err := controllerutil.CreateOrUpdate(ctx, b, role, func() error {
		role.Rules = []rbacv1.PolicyRule{rule}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = controllerutil.CreateOrUpdate(ctx, b, binding, func() error {
		binding.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name}
		binding.Subjects = []rbacv1.Subject{
			{Kind: rbacv1.ServiceAccountKind, Namespace: manager.Namespace, Name: allowlist.FenceAccount},
		}
		return nil
	})
	return err
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
