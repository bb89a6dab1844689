// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registryconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/importer"
	"github.com/assay-project/assay/internal/registry"
	"github.com/assay-project/assay/internal/safetext"
)

const (
	// maxMessage bounds the message of the condition, in bytes.
	maxMessage = 1024
	// maxListed is how many hosts or scopes a message names.
	maxListed = 4
	// separator is between the clauses of a message.
	separator = "; "
	// refusedMessage is the message about a credential.
	refusedMessage = "a registry refuses the credential of the Secret, or it has no access to an image; images that can be read without one are"
)

// applyStatus sets the condition Ready and what belongs to it.
func applyStatus(object *assayv1alpha1.RegistryConfig, config *importer.Config, now metav1.Time) {
	failed, contacted := outcomes(config)
	ready := readyCondition(config, failed, contacted)
	stored := meta.FindStatusCondition(object.Status.Conditions, assayv1alpha1.ReadyCondition)
	if stored != nil && stored.ObservedGeneration == object.Generation && fromHosts(stored.Reason) && fromHosts(ready.Reason) &&
		(contacted == 0 || isAhead(stored, config, failed)) {
		// What the last process met with counts until this one has asked as much: at rest, a restart
		// writes nothing, and behind it nothing is reported twice.
		ready.Status, ready.Reason, ready.Message = stored.Status, stored.Reason, stored.Message
	}
	ready.ObservedGeneration, ready.LastTransitionTime = object.Generation, now
	meta.SetStatusCondition(&object.Status.Conditions, ready)
	object.Status.ObservedGeneration = object.Generation
}

// fromHosts reports whether a reason is about what hosts answered.
func fromHosts(reason string) bool {
	return reason != assayv1alpha1.ReasonScopeConflict && reason != assayv1alpha1.ReasonInvalidConfig
}

// isAhead reports whether a stored failure is about a host that this process has not asked yet, or about a
// credential that it has not used, and says all that it has met with.
func isAhead(stored *metav1.Condition, config *importer.Config, failed []*registry.Error) bool {
	for _, e := range failed {
		if !strings.Contains(stored.Message, e.Error()) {
			return false
		}
	}
	if stored.Message == refusedMessage {
		return !config.CredentialUsed()
	}
	if stored.Status != metav1.ConditionFalse {
		return false
	}
	// The message has one clause for each host, which begins with it. What is no host is none that the
	// RegistryConfig leads to.
	return slices.ContainsFunc(strings.Split(stored.Message, separator), func(clause string) bool {
		host, _, _ := strings.Cut(clause, " ")
		return config.LeadsTo(host) && config.Outcome(host).Time.IsZero()
	})
}

func readyCondition(config *importer.Config, failed []*registry.Error, contacted int) metav1.Condition {
	condition := metav1.Condition{Type: assayv1alpha1.ReadyCondition, Status: metav1.ConditionFalse}
	switch {
	case config.Err != nil:
		condition.Reason, condition.Message = assayv1alpha1.ReasonInvalidConfig, config.Err.Error()
	case len(config.Conflicts) > 0:
		condition.Reason, condition.Message = assayv1alpha1.ReasonScopeConflict, conflicts(config.Conflicts)
	case len(failed) > 0:
		condition.Reason, condition.Message = reasonOf(failed[0].Code), list(failed)
	case config.CredentialRefused():
		condition.Reason, condition.Message = assayv1alpha1.ReasonUnauthorized, refusedMessage
	case contacted == 0:
		condition.Status, condition.Reason = metav1.ConditionUnknown, assayv1alpha1.ReasonNotContacted
		condition.Message = "no image has needed a request yet"
	default:
		condition.Status, condition.Reason = metav1.ConditionTrue, assayv1alpha1.ReasonReachable
		condition.Message = "the hosts that were asked answer"
	}
	condition.Message = safetext.TruncateWithEllipsis(condition.Message, maxMessage)
	return condition
}

// outcomes returns the hosts that failed at the last request, those first whose reason is more
// urgent, and how many hosts were contacted.
func outcomes(config *importer.Config) (failed []*registry.Error, contacted int) {
	for _, host := range config.Hosts() {
		outcome := config.Outcome(host)
		if outcome.Time.IsZero() {
			continue
		}
		contacted++
		if outcome.Err != nil {
			failed = append(failed, outcome.Err)
		}
	}
	slices.SortStableFunc(failed, func(a, b *registry.Error) int { return rank(a.Code) - rank(b.Code) })
	return failed, contacted
}

// rank orders causes: first what somebody has to mend.
func rank(code registry.Code) int {
	return slices.Index([]registry.Code{registry.HostNotAllowed, registry.Unauthorized, registry.TLSError, registry.Unavailable, registry.RateLimited}, code)
}

func reasonOf(code registry.Code) string {
	switch code {
	case registry.Unauthorized:
		return assayv1alpha1.ReasonUnauthorized
	case registry.RateLimited:
		return assayv1alpha1.ReasonRateLimited
	case registry.TLSError:
		return assayv1alpha1.ReasonTLSError
	case registry.HostNotAllowed:
		return assayv1alpha1.ReasonHostNotAllowed
	default:
		return assayv1alpha1.ReasonUnavailable
	}
}

func list(failed []*registry.Error) string {
	var parts []string
	for _, e := range failed[:min(len(failed), maxListed)] {
		parts = append(parts, e.Error())
	}
	if more := len(failed) - maxListed; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, separator)
}

func conflicts(scopes map[string]string) string {
	var parts []string
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		if len(parts) == maxListed {
			parts = append(parts, fmt.Sprintf("and %d more", len(scopes)-maxListed))
			break
		}
		parts = append(parts, fmt.Sprintf("%s: RegistryConfig %s is used", scope, scopes[scope]))
	}
	return "another RegistryConfig has the same scope: " + strings.Join(parts, "; ")
}
