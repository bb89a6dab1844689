// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// testClockJumps: the clock goes a day forward, past the expiry of a key, and a day back. Verdicts
// follow it at once, and in the end nothing is different.
func testClockJumps(t *testing.T, o *operator) {
	const day = 24 * time.Hour
	s := newScenario(t, "clock")
	expiring, doomed := fixture.Key("expires within a day"), fixture.Key("revoked meanwhile")
	files := map[string][]byte{
		"expiring.asc": expiringKey(expiring, o.clock.Now().Add(day/2)), "release.asc": fixture.PublicKey(release),
		"doomed.asc": fixture.PublicKey(doomed),
	}
	s.trust(files)
	expires := s.signedImage(0, expiring, verified)
	stays := s.signedImage(1, release, verified)
	revokedLater := s.signedImage(2, doomed, verified)
	s.signedImage(3, audited, untrusted)
	s.settle()
	s.untilListed(true, expires, stays, revokedLater)
	before := s.states()

	o.clock.advance(day)
	s.expectOf(verdict{metav1.ConditionFalse, assayv1alpha1.ReasonKeyExpired}, expires)
	s.settle()
	s.untilListed(false, expires)
	s.untilListed(true, stays)
	s.untilValid(o)

	files["doomed.asc"] = fixture.RevokedKey(doomed)
	s.trust(files)
	s.expectOf(revoked, revokedLater)
	s.settle()
	s.untilListed(false, revokedLater)

	o.clock.advance(-day)
	s.expectOf(verified, expires)
	s.settle()
	s.untilListed(true, expires, stays)
	// Time can be turned back, and a revocation cannot.
	s.untilListed(false, revokedLater)
	s.untilValid(o)
	after := s.states()
	delete(before, revokedLater)
	delete(after, revokedLater)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the images before and after (-before +after):\n%s", diff)
	}
}

// states returns what the operator has written into the scenario's images, without times.
func (s *scenario) states() map[string]imagev1.Image {
	s.Helper()
	var list imagev1.ImageList
	if err := admin.List(s.Context(), &list, client.MatchingLabels{testLabel: s.name}); err != nil {
		s.Fatal(err)
	}
	states := map[string]imagev1.Image{}
	for i := range list.Items {
		state := imagev1.Image{Signatures: list.Items[i].Signatures, Status: list.Items[i].Status}
		withoutTimes(&state)
		states[list.Items[i].Name] = state
	}
	return states
}

// withoutTimes removes times, and generations, which grow with each correction.
func withoutTimes(image *imagev1.Image) {
	image.Status.ObservedGeneration = 0
	for i := range image.Status.Conditions {
		image.Status.Conditions[i].LastTransitionTime = metav1.Time{}
		image.Status.Conditions[i].ObservedGeneration = 0
	}
	for i := range image.Signatures {
		for j := range image.Signatures[i].Conditions {
			c := &image.Signatures[i].Conditions[j]
			c.LastProbeTime, c.LastTransitionTime = metav1.Time{}, metav1.Time{}
		}
	}
}

// untilValid waits until the allowlist is valid by the operator's clock for no longer than its TTL,
// and for at least half of it.
func (s *scenario) untilValid(o *operator) {
	s.Helper()
	const ttl = 24 * time.Hour
	s.eventually("the allowlist to be renewed", func(ctx context.Context) (bool, string) {
		var list corev1.ConfigMapList
		selector := client.MatchingLabels{allowlist.Label: allowlist.LabelValue}
		if err := admin.List(ctx, &list, client.InNamespace(manager.Namespace), selector); err != nil {
			return false, err.Error()
		}
		for i := range list.Items {
			left := allowlist.ValidUntil(list.Items[i].Data).Sub(o.clock.Now())
			if left <= ttl/2 || left > ttl {
				return false, fmt.Sprintf("%s is valid for %s", list.Items[i].Name, left)
			}
		}
		return len(list.Items) > 0, "no shards"
	})
}
