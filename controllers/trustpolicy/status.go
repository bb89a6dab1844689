// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trustpolicy

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/safetext"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

// Bounds of the status, as its schema has them.
const (
	maxStatusKeys    = 256
	maxMessageLength = 1024
	maxSourceLength  = 600
	maxListedKeys    = 4
)

// applyStatus sets the status of a policy from its keys, and returns when the clock alone may
// change it; zero for never.
func applyStatus(policy *assayv1alpha1.TrustPolicy, trusted *trust.Policy, snapshot *trust.Snapshot, now metav1.Time) time.Time {
	seen := newRevocations(policy.Status.Revocations, snapshot.RevokedKeys())
	skipped := &skippedData{}
	keys, nextChange := keyStatuses(trusted, seen, skipped, now.Time)
	signers, nextSigner := signerStatuses(trusted, now.Time)
	nextChange = earlier(nextChange, nextSigner)
	found := newEntries(keys, signers)
	ready := readyCondition(trusted.Err(), found)
	set := func(condition *metav1.Condition, conditionType string) {
		if condition == nil {
			meta.RemoveStatusCondition(&policy.Status.Conditions, conditionType)
			return
		}
		condition.ObservedGeneration, condition.LastTransitionTime = policy.Generation, now
		meta.SetStatusCondition(&policy.Status.Conditions, *condition)
	}
	set(&ready, assayv1alpha1.ReadyCondition)
	set(stalledCondition(&ready, found), assayv1alpha1.StalledCondition)
	set(seen.condition(), assayv1alpha1.RevocationLostCondition)
	set(skipped.condition(), assayv1alpha1.KeyDataSkippedCondition)
	policy.Status.Revocations = seen.remembered()
	policy.Status.ObservedGeneration = policy.Generation
	policy.Status.KeySummary = fmt.Sprintf("%d/%d", found.usable, found.all)
	policy.Status.Keys = keys[:min(len(keys), maxStatusKeys)]
	policy.Status.Signers = signers
	return nextChange
}

// entries are the keys and signers of a policy, as its conditions need them.
type entries struct {
	what          string // What a policy with these entries is said to have.
	all, usable   int
	unusable      []string // Names with reasons, in the order of the spec.
	sourceMissing bool
}

func newEntries(keys []assayv1alpha1.KeyStatus, signers []assayv1alpha1.SignerStatus) *entries {
	e := &entries{what: "keys"}
	switch {
	case len(signers) > 0 && len(keys) > 0:
		e.what = "keys and signers"
	case len(signers) > 0:
		e.what = "signers"
	}
	add := func(name assayv1alpha1.EntryName, usable bool, reason string) {
		e.all++
		if usable {
			e.usable++
			return
		}
		e.unusable = append(e.unusable, fmt.Sprintf("%s (%s)", name, reason))
		e.sourceMissing = e.sourceMissing || reason == assayv1alpha1.ReasonSourceNotFound
	}
	for i := range keys {
		add(keys[i].Name, keys[i].Usable, keys[i].Reason)
	}
	for i := range signers {
		add(signers[i].Name, signers[i].Usable, signers[i].Reason)
	}
	return e
}

// one returns the singular of what.
func (e *entries) one() string {
	if e.what == "keys and signers" {
		return "key or signer"
	}
	return strings.TrimSuffix(e.what, "s")
}

// listUnusable lists the first entries that are not usable, with their reasons.
func (e *entries) listUnusable() string {
	text := strings.Join(e.unusable[:min(len(e.unusable), maxListedKeys)], ", ")
	if more := len(e.unusable) - maxListedKeys; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func readyCondition(err error, found *entries) metav1.Condition {
	condition := metav1.Condition{Type: assayv1alpha1.ReadyCondition, Status: metav1.ConditionTrue}
	switch {
	case err != nil:
		condition.Status = metav1.ConditionFalse
		condition.Reason = assayv1alpha1.ReasonInvalidPolicy
		condition.Message = safetext.Truncate(err.Error(), maxMessageLength)
	case found.all == 0:
		condition.Status = metav1.ConditionFalse
		condition.Reason = assayv1alpha1.ReasonNoUsableKeys
		condition.Message = "the sources in spec.keys hold revocations only; add a key"
	case found.usable == 0:
		condition.Status = metav1.ConditionFalse
		condition.Reason = assayv1alpha1.ReasonNoUsableKeys
		condition.Message = fmt.Sprintf("no %s can verify signatures: %s", found.one(), found.listUnusable())
	case found.usable < found.all:
		condition.Reason = assayv1alpha1.ReasonSomeKeysUnusable
		condition.Message = fmt.Sprintf("%d of %d %s can verify signatures; not usable: %s", found.usable, found.all, found.what, found.listUnusable())
	default:
		condition.Reason = assayv1alpha1.ReasonKeysUsable
		condition.Message = fmt.Sprintf("all %d %s can verify signatures", found.usable, found.what)
		if found.usable == 1 {
			condition.Message = fmt.Sprintf("the %s can verify signatures", found.one())
		}
	}
	return condition
}

// stalledCondition returns the condition of a policy that does not become ready before
// somebody changes it or its keys; nil for one that is ready, or that waits for a source.
func stalledCondition(ready *metav1.Condition, found *entries) *metav1.Condition {
	if ready.Status == metav1.ConditionTrue || ready.Reason == assayv1alpha1.ReasonNoUsableKeys && found.sourceMissing {
		return nil
	}
	stalled := *ready
	stalled.Type, stalled.Status = assayv1alpha1.StalledCondition, metav1.ConditionTrue
	return &stalled
}

// signerStatuses returns one entry for each signer, in the order of the spec, and the time at which
// the clock alone changes one next; zero for never.
func signerStatuses(policy *trust.Policy, now time.Time) (signers []assayv1alpha1.SignerStatus, nextChange time.Time) {
	for i := range policy.Signers {
		source := &policy.Signers[i]
		entry := assayv1alpha1.SignerStatus{Name: assayv1alpha1.EntryName(source.Name), Usable: true}
		status := policy.SignerStatus(source.Name, now)
		nextChange = earlier(nextChange, status.NextChange)
		entry.Expires = optionalTime(status.Expires)
		if status.Err != nil {
			entry.Usable = false
			entry.Reason, entry.Message = status.Err.Reason, safetext.Truncate(status.Err.Detail, maxMessageLength)
		} else if problems := policy.Problems(source); len(problems) > 0 {
			entry.Reason = assayv1alpha1.ReasonUnsupportedAlgorithm
			entry.Message = safetext.Truncate(strings.Join(problems, "; "), maxMessageLength)
		}
		signers = append(signers, entry)
	}
	return signers, nextChange
}

// keyStatuses returns one entry for each key, and for each file that holds none, in the order
// of the spec, and the time at which the clock alone changes one next; zero for never.
func keyStatuses(policy *trust.Policy, seen *revocations, skipped *skippedData, now time.Time) (keys []assayv1alpha1.KeyStatus, nextChange time.Time) {
	for _, source := range policy.Sources {
		for _, file := range source.Files {
			entry := assayv1alpha1.KeyStatus{Name: assayv1alpha1.EntryName(source.Name), Source: safetext.Truncate(file.Location, maxSourceLength)}
			parsed, err := policy.ParsedFile(file)
			if err != nil {
				entry.Reason, entry.Message = fileReason(file, err), safetext.Truncate(err.Error(), maxMessageLength)
				keys = append(keys, entry)
				continue
			}
			reason, message := skipped.add(source.Name, file, parsed)
			for _, key := range policy.KeysOf(parsed, now) {
				status := keyStatus(policy, seen, entry, &key)
				if status.Reason == "" { // Of the first key that has nothing else to say.
					status.Reason, status.Message, reason, message = reason, message, "", ""
				}
				keys = append(keys, status)
				nextChange = earlier(nextChange, key.NextChange)
			}
		}
	}
	return keys, nextChange
}

// fileReason returns the reason for a file of which nothing can be used.
func fileReason(file *trust.File, err error) string {
	if errors.Is(err, trust.ErrOverBudget) {
		return assayv1alpha1.ReasonOverBudget
	}
	return cmp.Or(file.Reason, assayv1alpha1.ReasonMalformedKey)
}

// keyStatus describes one key. An expired key stays usable where signatures from before its
// expiry are accepted.
func keyStatus(policy *trust.Policy, seen *revocations, entry assayv1alpha1.KeyStatus, key *verify.KeyStatus) assayv1alpha1.KeyStatus {
	entry.Fingerprint = assayv1alpha1.Fingerprint(key.Fingerprint)
	entry.UserID = key.UserID
	entry.Algorithm = key.Algorithm
	entry.Created = optionalTime(key.Created)
	entry.Expires = optionalTime(key.Expires)
	revokedBy, revoked := seen.listed[key.Fingerprint]
	lost := seen.add(entry.Name, key)
	rootsErr := policy.RootsErr(string(entry.Name))
	switch {
	case revoked:
		entry.Reason = assayv1alpha1.ReasonKeyRevoked
		entry.Message = fmt.Sprintf("TrustPolicy %s lists the key in revokedKeys", revokedBy)
	case rootsErr != nil:
		entry.Reason, entry.Message = rootsErr.Reason, safetext.Truncate(rootsErr.Error(), maxMessageLength)
	case key.Err == nil:
		entry.Usable = true
	case key.Err.Reason == assayv1alpha1.ReasonKeyExpired && policy.AcceptsExpiredKeys():
		entry.Usable = true
		entry.Reason = key.Err.Reason
		entry.Message = "the key has expired; signatures that were made before are accepted"
	default:
		entry.Reason, entry.Message = key.Err.Reason, safetext.Truncate(key.Err.Detail, maxMessageLength)
	}
	if lost && entry.Usable {
		entry.Reason, entry.Message = assayv1alpha1.ReasonRevocationLost, "a revocation of the key was seen before and is in no key source now; "+revocationLostAction
	}
	return entry
}

func optionalTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	wrapped := metav1.NewTime(t)
	return &wrapped
}

// earlier returns the earlier of two times, where zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
