// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// Somebody who replaces the references of his workloads again and again gets no more Images than
// somebody who has as many workloads: an Image that nobody has verified counts for the namespace
// until it is gone.
func TestReplacedReferences(t *testing.T) {
	const (
		bound    = 500 // docs/discovery.md
		perJob   = 125
		cronJobs = bound / perJob
	)
	s := newScenario(t, ownCluster(t), "replaced")
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.name}})
	s.startManager()
	jobs := make([]*batchv1.CronJob, cronJobs)
	refer := func(round int) {
		for n := range jobs {
			var images []string
			for i := range perJob {
				images = append(images, fmt.Sprint("r", round, "-", n, "-", i))
			}
			template := s.template(images...)
			template.Spec.RestartPolicy = corev1.RestartPolicyNever
			if jobs[n] == nil {
				jobs[n] = &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: fmt.Sprint("job", n)}}
				jobs[n].Spec.Schedule = "0 0 1 1 *"
				jobs[n].Spec.JobTemplate.Spec.Template = template
				s.create(jobs[n])
				continue
			}
			jobs[n].Spec.JobTemplate.Spec.Template = template
			if err := s.admin.Update(t.Context(), jobs[n]); err != nil {
				t.Fatal(err)
			}
		}
	}
	refer(0)
	s.eventually("the Images of the namespace", func(ctx context.Context) (bool, string) {
		n := len(s.discoveredNames(ctx))
		return n == bound, fmt.Sprint(n)
	})
	refer(1)
	s.eventually("the event about too many references", func(ctx context.Context) (bool, string) {
		if n := len(s.discoveredNames(ctx)); n > bound {
			t.Fatalf("%d Images were made for a namespace, want at most %d", n, bound)
		}
		var list eventsv1.EventList
		if err := s.admin.List(ctx, &list); err != nil {
			return false, err.Error()
		}
		for i := range list.Items {
			if e := &list.Items[i]; e.Reason == assayv1alpha1.ReasonTooManyReferences && e.Regarding.Name == s.name {
				return true, ""
			}
		}
		return false, fmt.Sprint(len(list.Items), " events")
	})
	if n := len(s.discoveredNames(t.Context())); n > bound {
		t.Errorf("%d Images were made for a namespace, want at most %d", n, bound)
	}
}
