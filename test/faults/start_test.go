// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
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
	s.withinMemory(m)
	if !long() {
		return
	}
	for done := s.hostileDone(); done < hostile; done = s.hostileDone() {
		s.eventually("more of the others", func(context.Context) (bool, string) {
			return s.hostileDone() > done, fmt.Sprint(done)
		})
	}
	t.Logf("everything was done %s after the start", time.Since(begin))
	s.withinMemory(m)
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

// withinMemory checks that a manager has never had more resident memory than config/manager limits
// it to, where the system states that as Linux does.
func (s *scenario) withinMemory(m *manager.Manager) {
	s.Helper()
	const limit = 512 << 10 // In KiB.
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.PID()))
	if errors.Is(err, os.ErrNotExist) {
		return
	} else if err != nil {
		s.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "VmHWM:" {
			continue
		}
		highest, err := strconv.Atoi(fields[1])
		if err != nil || highest > limit {
			s.Errorf("the highest resident memory was %s KiB, want %d", fields[1], limit)
		}
		s.Logf("the highest resident memory was %d MiB", highest>>10)
	}
}
