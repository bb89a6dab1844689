// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/allowlist"
)

// renewals is how often the allowlist is checked within its TTL. It is renewed when half of
// that is left, so that two attempts may fail.
const renewals = 4

// shardLabels are on every shard beside those that admission selects by.
var shardLabels = map[string]string{
	"app.kubernetes.io/name":       "assay",
	"app.kubernetes.io/managed-by": "assay",
}

// storedShards returns the shards of all sets, by name. They are found by their names and not
// by the label, which another client may have removed.
func (r *Reconciler) storedShards(ctx context.Context) (map[string]*corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	if err := r.List(ctx, &list, client.InNamespace(r.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ConfigMaps: %w", err)
	}
	stored := map[string]*corev1.ConfigMap{}
	for i := range list.Items {
		if _, ok := allowlist.CountOf(list.Items[i].Name); ok {
			stored[list.Items[i].Name] = &list.Items[i]
		}
	}
	return stored, nil
}

// currentCount returns the number of shards of the largest stored set, 0 for none.
func currentCount(stored map[string]*corev1.ConfigMap) int {
	most := 0
	for name := range stored {
		count, _ := allowlist.CountOf(name)
		most = max(most, count)
	}
	return most
}

// write makes the stored shards equal to the wanted ones, and returns how many requests that
// took and how many bytes of data they had. A new set is written first. The shards of other
// sets are deleted in a later call, once the new set is complete: admission takes what all
// shards agree on, so that nothing is admitted that one of the sets refuses, and nothing
// refused that both admit. An error of one shard keeps no other from being written: it may take
// something away.
func (r *Reconciler) write(ctx context.Context, stored map[string]*corev1.ConfigMap, shards []allowlist.Shard, now time.Time) (wrote, size int, err error) {
	if needsRefusal(stored, shards) {
		refusal := allowlist.Refusal()
		return 1, refusal.Size(), r.Create(ctx, r.configMap(&refusal))
	}
	wanted := map[string]bool{}
	for i := range shards {
		wanted[shards[i].Name] = true
		changed, failed := r.writeShard(ctx, stored[shards[i].Name], &shards[i], now)
		switch {
		case failed != nil:
			err = errors.Join(err, fmt.Errorf("writing %s: %w", shards[i].Name, failed))
		case changed:
			wrote++
			size += shards[i].Size()
		}
	}
	if wrote > 0 || err != nil {
		return wrote, size, err
	}
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		if wanted[name] {
			continue
		}
		obsolete := stored[name]
		// Only if it still is what was seen: another replica may have a use for the set.
		seen := client.Preconditions{UID: &obsolete.UID, ResourceVersion: &obsolete.ResourceVersion}
		if err := r.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: name}}, seen); err != nil {
			return wrote, size, client.IgnoreNotFound(err)
		}
		wrote++
	}
	return wrote, size, nil
}

// needsRefusal reports whether a shard that refuses everything comes first, because one of several
// shards will be missing for a while, and a missing shard refuses nothing: there is no set yet, or
// a shard has to be deleted to be changed. It is a set of its own and goes as every earlier set.
func needsRefusal(stored map[string]*corev1.ConfigMap, shards []allowlist.Shard) bool {
	if len(shards) == 1 || stored[allowlist.Refusal().Name] != nil {
		return false
	}
	return len(stored) == 0 || slices.ContainsFunc(shards, func(shard allowlist.Shard) bool { return isImmutable(stored[shard.Name]) })
}

func isImmutable(shard *corev1.ConfigMap) bool {
	return shard != nil && ptr.Deref(shard.Immutable, false)
}

// writeShard writes one shard where it differs from the stored one, or needs renewal.
func (r *Reconciler) writeShard(ctx context.Context, stored *corev1.ConfigMap, shard *allowlist.Shard, now time.Time) (changed bool, err error) {
	if stored == nil {
		r.renew(shard, now)
		return true, r.Create(ctx, r.configMap(shard))
	}
	expires := allowlist.ValidUntil(stored.Data)
	if !r.needsRenewal(expires, now) {
		shard.SetValidUntil(expires)
	} else {
		r.renew(shard, now)
	}
	if maps.Equal(stored.Data, shard.Data) && len(stored.BinaryData) == 0 && hasLabels(stored, shard) && !isImmutable(stored) {
		return false, nil
	}
	r.renew(shard, now)
	next := r.configMap(shard)
	if isImmutable(stored) {
		// Nobody can change it any more. Otherwise it would keep every change from being written.
		err := r.Delete(ctx, stored)
		if client.IgnoreNotFound(err) != nil {
			return false, err
		}
		return true, r.Create(ctx, next)
	}
	next.ResourceVersion = stored.ResourceVersion
	return true, r.Update(ctx, next)
}

// needsRenewal reports whether a shard that expires at a time is renewed: unless more than half
// of its TTL is left, and no more than all of it.
func (r *Reconciler) needsRenewal(expires, now time.Time) bool {
	if r.TTL == 0 {
		return !expires.IsZero()
	}
	left := expires.Sub(now)
	return left <= r.TTL/2 || left > r.TTL
}

// earliestExpiry returns when the first of the shards expires, the zero time if none does.
func earliestExpiry(stored map[string]*corev1.ConfigMap) time.Time {
	var first time.Time
	for _, shard := range stored {
		if expires := allowlist.ValidUntil(shard.Data); !expires.IsZero() && (first.IsZero() || expires.Before(first)) {
			first = expires
		}
	}
	return first
}

// renew makes a shard valid for the TTL from now on.
func (r *Reconciler) renew(shard *allowlist.Shard, now time.Time) {
	if r.TTL == 0 {
		shard.SetValidUntil(time.Time{})
		return
	}
	shard.SetValidUntil(now.Add(r.TTL))
}

func (r *Reconciler) configMap(shard *allowlist.Shard) *corev1.ConfigMap {
	labels := maps.Clone(shardLabels)
	maps.Copy(labels, shard.Labels)
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: shard.Name, Labels: labels},
		Data:       shard.Data,
	}
}

// hasLabels reports whether a stored shard has all its labels, and no other one that admission
// selects by.
func hasLabels(stored *corev1.ConfigMap, shard *allowlist.Shard) bool {
	for _, want := range []map[string]string{shardLabels, shard.Labels} {
		for key, value := range want {
			if stored.Labels[key] != value {
				return false
			}
		}
	}
	for key := range stored.Labels {
		if _, wanted := shard.Labels[key]; allowlist.IsLabel(key) && !wanted {
			return false
		}
	}
	return true
}

// ignoreConflict drops the error of a write that another writer overtook, or that the cache
// does not show yet: the next run sees it.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
