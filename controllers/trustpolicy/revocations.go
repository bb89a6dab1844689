// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trustpolicy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/safetext"
	"github.com/assay-project/assay/internal/verify"
)

// maxRevocations bounds the revocations that are remembered, as the schema does.
const maxRevocations = 256

// revocationLostAction is what people do about a lost revocation.
const revocationLostAction = "add the fingerprint to spec.revokedKeys, or restore the key source"

// revocations compares the revocations that were seen in the key sources of a policy with
// those that are there now. What was seen is read from the status, so that it outlasts the
// process; it leads to a warning and never to a verdict.
type revocations struct {
	// previous are those that the status remembers.
	previous []assayv1alpha1.SeenRevocation
	// listed are the keys that TrustPolicies list in revokedKeys.
	listed map[string]string
	// present are the revocations that the key sources have now, and lost the keys that they
	// have without a revocation that was seen before. Both have the name of the entry.
	present, lost map[string]assayv1alpha1.EntryName
}

func newRevocations(previous []assayv1alpha1.SeenRevocation, listed map[string]string) *revocations {
	return &revocations{
		previous: previous, listed: listed,
		present: map[string]assayv1alpha1.EntryName{}, lost: map[string]assayv1alpha1.EntryName{},
	}
}

// add compares a key with what was seen, and reports whether a revocation of it is lost. A
// key that a TrustPolicy lists as revoked needs no other revocation, and neither do its subkeys.
func (r *revocations) add(entry assayv1alpha1.EntryName, key *verify.KeyStatus) (lost bool) {
	for _, fingerprint := range key.Revoked {
		if _, ok := r.present[fingerprint]; !ok {
			r.present[fingerprint] = entry
		}
	}
	if _, ok := r.listed[key.Fingerprint]; ok {
		return false
	}
	for _, fingerprint := range key.Unrevoked {
		_, listed := r.listed[fingerprint]
		if listed || !r.wasSeen(fingerprint) {
			continue
		}
		lost = true
		if _, ok := r.lost[fingerprint]; !ok {
			r.lost[fingerprint] = entry
		}
	}
	return lost
}

func (r *revocations) wasSeen(fingerprint string) bool {
	return slices.ContainsFunc(r.previous, func(s assayv1alpha1.SeenRevocation) bool {
		return string(s.Fingerprint) == fingerprint
	})
}

// remembered returns what the status is to remember, sorted by fingerprint. When there are
// too many, those that were seen first stay: one that is gone cannot be found again.
func (r *revocations) remembered() []assayv1alpha1.SeenRevocation {
	remembered := slices.Clone(r.previous)
	for _, fingerprint := range slices.Sorted(maps.Keys(r.present)) {
		if len(remembered) < maxRevocations && !r.wasSeen(fingerprint) {
			remembered = append(remembered, assayv1alpha1.SeenRevocation{
				Fingerprint: assayv1alpha1.Fingerprint(fingerprint), Name: r.present[fingerprint],
			})
		}
	}
	slices.SortFunc(remembered, func(a, b assayv1alpha1.SeenRevocation) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
	return remembered
}

// condition returns the condition RevocationLost, nil when none is.
func (r *revocations) condition() *metav1.Condition {
	if len(r.lost) == 0 {
		return nil
	}
	var listed []string
	for _, fingerprint := range slices.Sorted(maps.Keys(r.lost)) {
		listed = append(listed, fmt.Sprintf("%s (0x%s)", r.lost[fingerprint], fingerprint))
	}
	text := strings.Join(listed[:min(len(listed), maxListedKeys)], ", ")
	if more := len(listed) - maxListedKeys; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return &metav1.Condition{
		Type: assayv1alpha1.RevocationLostCondition, Status: metav1.ConditionTrue, Reason: assayv1alpha1.ReasonRevocationLost,
		Message: safetext.Truncate(fmt.Sprintf("revocations that were seen before are in no key source now: %s; %s", text, revocationLostAction), maxMessageLength),
	}
}

// onRevokedKeys enqueues all policies when one changes its revokedKeys, which count for the
// keys of all. It invalidates the Store first, so that the change is seen.
func (r *Reconciler) onRevokedKeys() handler.EventHandler {
	changed := func(ctx context.Context, q requestQueue, before, after client.Object) {
		if slices.Equal(revokedKeysOf(before), revokedKeysOf(after)) {
			return
		}
		r.Trust.Invalidate()
		var list assayv1alpha1.TrustPolicyList
		if err := r.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
			logf.FromContext(ctx).Error(err, "Cannot list TrustPolicies")
			return
		}
		for i := range list.Items {
			q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requestQueue) { changed(ctx, q, nil, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) {
			changed(ctx, q, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) { changed(ctx, q, e.Object, nil) },
	}
}

func revokedKeysOf(obj client.Object) []assayv1alpha1.RevokedKey {
	if policy, ok := obj.(*assayv1alpha1.TrustPolicy); ok && policy != nil {
		return policy.Spec.RevokedKeys
	}
	return nil
}
