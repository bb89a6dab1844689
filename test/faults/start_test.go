// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// TestStartWithHostileImages: while no manager runs, somebody creates Images that take as long as
// possible, a key is revoked and an Image is created. The next manager takes the revoked image off
// the allowlist and lists the new one, and does not finish with the others first.
func TestStartWithHostileImages(t *testing.T) {
	hostile := sized(250, 5000)
	s := newScenario(t, "hostile-start")
	doomed := fixture.Key("doomed")
	files := map[string][]byte{
		"release.asc": fixture.PublicKey(release), "slow.asc": fixture.PublicKey(slow), "doomed.asc": fixture.PublicKey(doomed),
	}
	s.trust(files)
	revokedLater := s.signedImage(0, doomed, verified)
	stays := s.signedImage(1, release, verified)
	m := s.startManager()
	s.settleNames()
	s.untilListed(true, revokedLater, stays)
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}

	s.createHostile(hostile)
	files["doomed.asc"] = fixture.RevokedKey(doomed)
	s.trust(files)
	s.expectOf(revoked, revokedLater)
	added := s.signedImage(2, release, verified)
	begin := time.Now()
	m = s.startManager()
	s.untilListed(true, added)
	s.untilListed(false, revokedLater)
	s.untilListed(true, stays)
	t.Logf("the allowlist was right %s after the start", time.Since(begin))
	s.settleNames()
	t.Logf("the verdicts on the images of others were written %s after the start", time.Since(begin))
	if done := s.hostileDone(); done > hostile*3/4 {
		t.Errorf("%d of %d Images that take long were done before", done, hostile)
	}
	t.Logf("resident memory: %s", residentMemory(t, m))
	if !long() {
		return
	}
	s.eventually("all others", func(context.Context) (bool, string) {
		done := s.hostileDone()
		return done == hostile, fmt.Sprint(done)
	})
	t.Logf("everything was done %s after the start; resident memory: %s", time.Since(begin), residentMemory(t, m))
}

// hostileDone counts the Images that take long and have a verdict.
func (s *scenario) hostileDone() int {
	s.Helper()
	var list imagev1.ImageList
	if err := admin.List(s.Context(), &list, client.MatchingLabels{testLabel: s.name}); err != nil {
		s.Fatal(err)
	}
	done := 0
	for i := range list.Items {
		c := meta.FindStatusCondition(list.Items[i].Status.Conditions, assayv1alpha1.VerifiedCondition)
		if strings.Contains(list.Items[i].Name, "-hostile-") && c != nil {
			done++
			if c.Status == "True" {
				s.Errorf("%s is verified", list.Items[i].Name)
			}
		}
	}
	return done
}

// residentMemory returns the present and the highest resident memory of a manager, as Linux has them.
func residentMemory(t *testing.T, m *manager.Manager) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.PID()))
	if err != nil {
		return "not known here"
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmHWM:") {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(found, ", ")
}
