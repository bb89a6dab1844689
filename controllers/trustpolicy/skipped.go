// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trustpolicy

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/safetext"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

// maxListedProblems bounds the problems that one message lists.
const maxListedProblems = 3

// skippedData is what was skipped in the key files of a policy.
type skippedData struct{ problems []string }

// add records the problems of a key file, and returns the reason and the message for the first key
// of the file, empty if there are none.
func (s *skippedData) add(entry string, file *trust.File, parsed verify.KeyFile) (reason, message string) {
	problems := parsed.Problems()
	if len(problems) == 0 {
		return "", ""
	}
	for _, problem := range problems {
		s.problems = append(s.problems, fmt.Sprintf("%s (%s): %s", entry, safetext.TruncateWithEllipsis(file.Location, maxSourceLength/2), problem))
	}
	return assayv1alpha1.ReasonKeyDataSkipped,
		safetext.TruncateWithEllipsis("the key is used; of its file, "+listProblems(problems), maxMessageLength)
}

// listProblems joins the first problems.
func listProblems(problems []string) string {
	text := strings.Join(problems[:min(len(problems), maxListedProblems)], "; ")
	if more := len(problems) - maxListedProblems; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// condition returns the condition KeyDataSkipped, nil when nothing was skipped.
func (s *skippedData) condition() *metav1.Condition {
	if len(s.problems) == 0 {
		return nil
	}
	return &metav1.Condition{
		Type: assayv1alpha1.KeyDataSkippedCondition, Status: metav1.ConditionTrue, Reason: assayv1alpha1.ReasonKeyDataSkipped,
		Message: safetext.TruncateWithEllipsis(listProblems(s.problems), maxMessageLength),
	}
}

// recordWarning emits an event when an abnormal condition appears or says something else.
func (r *Reconciler) recordWarning(ctx context.Context, before, after *assayv1alpha1.TrustPolicy, conditionType string) {
	was := meta.FindStatusCondition(before.Status.Conditions, conditionType)
	is := meta.FindStatusCondition(after.Status.Conditions, conditionType)
	if is == nil || (was != nil && was.Message == is.Message) {
		return
	}
	logf.FromContext(ctx).Info("Policy warns", "condition", conditionType, "message", is.Message)
	r.Recorder.Eventf(after, nil, corev1.EventTypeWarning, is.Reason, "ReadKeys", "%s", is.Message)
}
