// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/trust"
)

// writeTags makes the stored tables of tags equal to what the tags of the listed images are, and
// returns how many requests that took and how many bytes of data they had. An error of one table keeps
// no other from being written.
func (r *Reconciler) writeTags(ctx context.Context, state allowlist.State, snapshot *trust.Snapshot) (wrote, size int, err error) {
	stored, err := r.storedTables(ctx)
	if err != nil {
		return 0, 0, err
	}
	tables, dropped := allowlist.EncodeTags(r.tags(state), dataOf(stored), scopeOf(snapshot))
	droppedGauge.WithLabelValues("tag").Set(float64(dropped))
	for i := range tables {
		before := stored[tables[i].Name]
		delete(stored, tables[i].Name)
		changed, failed := r.writeTable(ctx, before, &tables[i])
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("writing %s: %w", tables[i].Name, failed))
		} else if changed {
			wrote++
			size += tables[i].Size()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		obsolete := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: name}}
		seen := client.Preconditions{UID: &stored[name].UID, ResourceVersion: &stored[name].ResourceVersion}
		if failed := client.IgnoreNotFound(r.Delete(ctx, obsolete, seen)); failed != nil {
			err = errors.Join(err, fmt.Errorf("deleting %s: %w", name, failed))
		}
		wrote++
	}
	if wrote > 0 {
		logf.FromContext(ctx).Info("Wrote tags", "tables", len(tables), "writes", wrote, "bytes", size)
	}
	return wrote, size, err
}

// tags returns the digest of each tag whose image is listed, in hexadecimal.
func (r *Reconciler) tags(state allowlist.State) map[string]string {
	listed := make(map[string]struct{}, len(state.Images))
	for _, entry := range state.Images {
		listed[entry] = struct{}{}
	}
	tags := map[string]string{}
	for tag, entry := range r.Verdicts.Tags(state.HasScope) {
		if _, ok := listed[entry]; ok {
			_, tags[tag], _ = strings.Cut(entry, "@sha256:")
		}
	}
	return tags
}

func (r *Reconciler) storedTables(ctx context.Context) (map[string]*corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	if err := r.List(ctx, &list, client.InNamespace(r.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ConfigMaps: %w", err)
	}
	stored := map[string]*corev1.ConfigMap{}
	for i := range list.Items {
		if _, ok := allowlist.TablesOf(list.Items[i].Name); ok {
			stored[list.Items[i].Name] = &list.Items[i]
		}
	}
	return stored, nil
}

func (r *Reconciler) writeTable(ctx context.Context, stored *corev1.ConfigMap, table *allowlist.Shard) (changed bool, err error) {
	switch {
	case stored == nil:
		return true, r.Create(ctx, r.configMap(table))
	case isImmutable(stored):
		// Nobody can change it any more. The next run makes it again.
		return true, r.Delete(ctx, stored.DeepCopy())
	case maps.Equal(stored.Data, table.Data) && len(stored.BinaryData) == 0 && hasLabels(stored, table):
		return false, nil
	}
	next := r.configMap(table)
	next.ResourceVersion = stored.ResourceVersion
	return true, r.Update(ctx, next)
}
