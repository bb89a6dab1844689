// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// TestKilledInTheMiddle: the manager dies repeatedly during its work, and another one continues
// each time. Nothing is lost or done twice.
func TestKilledInTheMiddle(t *testing.T) {
	const images, kills = 300, 4
	s := newScenario(t, "killed")
	s.createImages(images)
	changes := s.watchImages()
	for n := range kills {
		m := s.startManager()
		changes.untilVerdicts((n + 1) * images / (kills + 2))
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		if done := changes.verdicts(); done >= images {
			t.Fatalf("all verdicts were written before the manager was killed the %d. time: there was no middle", n+1)
		}
	}
	s.startManager()
	changes.untilVerdicts(images)
	s.settle()
	// The audit log does not help here: it has no outcome of requests whose client has died.
	for name := range s.want {
		if n := changes.of(name); n != 2 {
			t.Errorf("%s was changed %d times, want once for its signatures and once for its status", name, n)
		}
	}
}

// TestRestartWritesNothing: a manager that starts with existing verdicts checks all images and
// writes nothing.
func TestRestartWritesNothing(t *testing.T) {
	const images = 60
	s := newScenario(t, "restarted")
	s.createImages(images)
	first := s.startManager()
	s.settle()
	s.waitForCounts()
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	before := len(audit.writes(t))

	metrics := fixture.FreeAddress(t)
	second := s.startManager("--metrics-bind-address="+metrics, "--metrics-secure=false")
	s.eventually("all images to be checked again", func(ctx context.Context) (bool, string) {
		checked, err := verifications(ctx, metrics)
		return err == nil && checked >= images, fmt.Sprintf("%v checked, %v", checked, err)
	})
	// A graceful stop completes ongoing work.
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	if written := audit.writes(t)[before:]; len(written) > 0 {
		t.Errorf("a restart wrote %d times, first %+v", len(written), written[0])
	}
}

// waitForCounts waits until the policy's status counts every image.
func (s *scenario) waitForCounts() {
	s.Helper()
	want := assayv1alpha1.ImageCounts{}
	for _, v := range s.want {
		switch v {
		case verified:
			want.Verified++
		default:
			want.Failed++
		}
	}
	s.eventually("the policy's counts", func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(s.policy), s.policy); err != nil {
			return false, err.Error()
		}
		got := s.policy.Status.Images
		return got != nil && *got == want, fmt.Sprintf("%+v, want %+v", got, want)
	})
}

// TestChangesWhileTheManagerIsAway: changes without a running manager take effect when one starts.
func TestChangesWhileTheManagerIsAway(t *testing.T) {
	s := newScenario(t, "away")
	s.createImages(6)
	m := s.startManager()
	s.settle()
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}

	s.setKey(fixture.RevokedKey(release))
	s.expect(revoked, verified)
	s.create(s.image(6, release))
	s.want[s.name+"-6"] = revoked
	s.delete(s.image(0))
	m = s.startManager()
	s.settle()
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}

	s.delete(s.secret)
	s.expect(noKeys, revoked)
	s.expect(noKeys, untrusted) // The missing key may be the signing key.
	m = s.startManager()
	s.settle()
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}

	s.delete(s.policy)
	s.expect(noPolicy, noKeys)
	s.startManager()
	s.settle()
}

func (s *scenario) delete(obj client.Object) {
	s.Helper()
	if err := admin.Delete(s.Context(), obj); err != nil {
		s.Fatal(err)
	}
	delete(s.want, obj.GetName())
}

// verifications reads the number of checked signatures from the metrics.
func verifications(ctx context.Context, address string) (float64, error) {
	return sumOf(ctx, address, "assay_verifications_total{")
}

// sumOf adds up the samples of the metrics that begin so.
func sumOf(ctx context.Context, address, prefix string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }() // Only read.
	sum := 0.0
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "} "); ok && strings.HasPrefix(name, prefix) {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, lines.Err()
}
