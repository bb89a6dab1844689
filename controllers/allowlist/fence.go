// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/allowlist"
)

// FenceRole is the name of the Role, and of its RoleBinding, that says which epochs of the
// shards count. The operator makes both.
const FenceRole = "assay-allowlist"

const (
	// fenceGrace is how long an epoch still counts after its shard has a new one. API servers
	// learn of the new shard within a fraction of a second; one that has not by then is
	// frozen, and refuses.
	fenceGrace = 30 * time.Second

	// fenceLead is how long the fence is written before the shards with new epochs, so that an
	// API server knows the epoch when it sees the shard.
	fenceLead = 100 * time.Millisecond

	// epochSize is the size of an epoch in random bytes. Epochs are random and not counted, so
	// that none ever comes back: not after an uninstallation, and not after a restored backup.
	epochSize = 8
)

// FenceCache makes a cache hold the Role and the RoleBinding of the fence, and no others: the
// operator may watch these alone.
func FenceCache(namespace string) cache.ByObject {
	return cache.ByObject{
		Namespaces: map[string]cache.Config{namespace: {}},
		Field:      fields.OneTermEqualSelector("metadata.name", FenceRole),
	}
}

// fenceNames returns the resource names that count now, sorted.
func (r *Reconciler) fenceNames(ctx context.Context) ([]string, error) {
	var role rbacv1.Role
	err := r.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: FenceRole}, &role)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading the fence: %w", err)
	}
	var names []string
	for i := range role.Rules {
		names = append(names, role.Rules[i].ResourceNames...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// assignEpochs gives every shard an epoch: the stored one as long as it counts and nothing is
// taken away, else a new one, which stays the same until the shard is stored with it.
func (r *Reconciler) assignEpochs(shards []allowlist.Shard, stored map[string]*corev1.ConfigMap, names []string) {
	pending := map[string]string{}
	for i := range shards {
		shard := &shards[i]
		if before := stored[shard.Name]; before != nil {
			epoch := allowlist.Epoch(before.Data)
			_, counts := slices.BinarySearch(names, allowlist.FenceName(shard.Name, epoch))
			if epoch != "" && counts && !shard.TakesAway(before.Data) {
				shard.SetEpoch(epoch)
				continue
			}
		}
		epoch, ok := r.pending[shard.Name]
		if stored[shard.Name] != nil && epoch == allowlist.Epoch(stored[shard.Name].Data) {
			ok = false // It is stored, and what it stands for is taken away.
		}
		if !ok {
			epoch = newEpoch()
		}
		pending[shard.Name] = epoch
		shard.SetEpoch(epoch)
	}
	r.pending = pending
}

// newEpoch returns an epoch that never was before.
func newEpoch() string {
	epoch := make([]byte, epochSize)
	_, _ = rand.Read(epoch) // It never fails: a system without random numbers ends the process.
	return hex.EncodeToString(epoch)
}

// updateFence makes the epochs of all shards count, and withdraws those that have had a
// successor for fenceGrace. It runs before each write of shards, so that no stream of other
// changes delays a withdrawal. It reports whether it added an epoch.
func (r *Reconciler) updateFence(ctx context.Context, shards []allowlist.Shard, stored map[string]*corev1.ConfigMap, names []string, now time.Time) (added bool, err error) {
	wanted := wantedNames(shards)
	next := slices.Concat(wanted, r.superseded(names, wanted, stored, now))
	slices.Sort(next)
	next = slices.Compact(next)
	for _, name := range wanted {
		if _, known := slices.BinarySearch(names, name); !known {
			added = true
		}
	}
	if withdrawn := len(names) - len(next); withdrawn > 0 {
		logf.FromContext(ctx).Info("Withdrawing epochs of the allowlist", "epochs", withdrawn)
	}
	return added, r.writeFence(ctx, next)
}

// superseded returns the names that still count beside the wanted ones: the epoch of a stored
// shard until the shard is written anew, and then for fenceGrace. A process that has just
// started does not know when that was, and counts from the first time that it sees the name.
func (r *Reconciler) superseded(names, wanted []string, stored map[string]*corev1.ConfigMap, now time.Time) []string {
	since := map[string]time.Time{}
	var still []string
	for _, name := range names {
		if _, ok := slices.BinarySearch(wanted, name); ok {
			continue
		}
		shard, epoch, _ := strings.Cut(name, ".")
		if current := stored[shard]; current != nil && allowlist.Epoch(current.Data) == epoch {
			still = append(still, name)
			continue
		}
		first, ok := r.supersededSince[name]
		if !ok || first.After(now) { // Also after the clock was set back.
			first = now
		}
		if now.Sub(first) < fenceGrace {
			since[name] = first
			still = append(still, name)
		}
	}
	r.supersededSince = since
	return still
}

// withdrawSuperseded withdraws the epochs that an earlier process has superseded and did not live
// to withdraw. It waits for no verdicts: which epochs the stored shards have is enough to know.
func (r *Reconciler) withdrawSuperseded(ctx context.Context, stored map[string]*corev1.ConfigMap, now time.Time) error {
	names, err := r.fenceNames(ctx)
	if err != nil {
		return err
	}
	still := r.superseded(names, nil, stored, now)
	if len(still) == 0 || len(still) == len(names) {
		return nil
	}
	if err := r.writeFence(ctx, still); !errors.Is(err, errNotLeading) {
		return ignoreConflict(err)
	}
	return nil
}

// nextWithdrawal returns how long it takes until the next epoch is withdrawn, and zero when
// there is none.
func (r *Reconciler) nextWithdrawal(now time.Time) time.Duration {
	var next time.Duration
	for _, first := range r.supersededSince {
		if wait := max(first.Add(fenceGrace).Sub(now), time.Millisecond); next == 0 || wait < next {
			next = wait
		}
	}
	return next
}

// wantedNames returns the resource names of the epochs of the shards, sorted.
func wantedNames(shards []allowlist.Shard) []string {
	names := make([]string, len(shards))
	for i := range shards {
		names[i] = allowlist.FenceName(shards[i].Name, allowlist.Epoch(shards[i].Data))
	}
	slices.Sort(names)
	return names
}

// writeFence stores the Role and its RoleBinding where they differ.
func (r *Reconciler) writeFence(ctx context.Context, names []string) error {
	err := r.writeRole(ctx, names)
	if err == nil {
		err = r.writeRoleBinding(ctx)
	}
	if errors.Is(err, errNotLeading) {
		return err
	}
	if err != nil {
		fenceErrors.Inc()
		return fmt.Errorf("writing the fence: %w", err)
	}
	return nil
}

func (r *Reconciler) fenceMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: r.Namespace, Name: FenceRole, Labels: shardLabels}
}

// writeRole stores the Role. There is always a name: a rule without any would allow all.
func (r *Reconciler) writeRole(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return errors.New("an allowlist without shards has no fence")
	}
	role := &rbacv1.Role{ObjectMeta: r.fenceMeta(), Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"assay.dev"}, Resources: []string{"allowlists"}, Verbs: []string{"use"}, ResourceNames: names,
	}}}
	var stored rbacv1.Role
	err := r.Get(ctx, client.ObjectKeyFromObject(role), &stored)
	switch {
	case apierrors.IsNotFound(err):
		return r.Create(ctx, role)
	case err != nil:
		return err
	case equality.Semantic.DeepEqual(stored.Rules, role.Rules):
		return nil
	}
	role.ResourceVersion = stored.ResourceVersion
	return r.Update(ctx, role)
}

func (r *Reconciler) writeRoleBinding(ctx context.Context) error {
	binding := &rbacv1.RoleBinding{
		ObjectMeta: r.fenceMeta(),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: FenceRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: r.Namespace, Name: allowlist.FenceAccount}},
	}
	var stored rbacv1.RoleBinding
	err := r.Get(ctx, client.ObjectKeyFromObject(binding), &stored)
	switch {
	case apierrors.IsNotFound(err):
		return r.Create(ctx, binding)
	case err != nil:
		return err
	case stored.RoleRef != binding.RoleRef:
		return fmt.Errorf("RoleBinding %s refers to another Role than %s, which cannot be changed; delete it", FenceRole, FenceRole)
	case equality.Semantic.DeepEqual(stored.Subjects, binding.Subjects):
		return nil
	}
	binding.ResourceVersion = stored.ResourceVersion
	return r.Update(ctx, binding)
}
