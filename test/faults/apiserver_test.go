// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"syscall"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// away is the downtime of the API server: longer than any timeout of a client's request or watch.
const away = time.Minute

// TestAPIServerAway: the API server crashes and is down for a minute. Then the same manager
// continues and handles new changes.
func TestAPIServerAway(t *testing.T) {
	s := newScenario(t, "apiserver-away")
	s.createImages(12)
	m := s.startManager()
	s.settle()

	crash(t, cp.APIServer)
	<-time.After(away)
	start(t, cp.APIServer)

	s.create(s.image(12, release))
	s.want[s.name+"-12"] = verified
	s.settle()
	s.setKey(fixture.RevokedKey(release))
	s.expect(revoked, verified)
	s.settle()
	if !m.Running() {
		t.Errorf("the manager has ended: %v", m.Err())
	}
}

// TestEverythingCrashes: everything crashes during verifications. Stored verdicts count, missing
// ones are written later, and none is written twice.
func TestEverythingCrashes(t *testing.T) {
	const images = 300
	s := newScenario(t, "crash")
	s.createImages(images)
	before := len(audit.writes(t))
	changes := s.watchImages()
	m := s.startManager()
	changes.untilVerdicts(images / 3)
	crash(t, cp.APIServer)
	crash(t, cp.Etcd)
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	start(t, cp.Etcd)
	start(t, cp.APIServer)
	s.startManager()
	s.settle()
	counts := count(audit.writes(t)[before:])
	if len(counts) == 0 {
		t.Error("the audit log shows no write")
	}
	for w, n := range counts {
		if n > 1 {
			t.Errorf("%+v was done %d times", w, n)
		}
	}
}

// TestLostWatch: the manager is frozen while keys and images change and its watches break. It has
// missed all events and catches up when it continues.
func TestLostWatch(t *testing.T) {
	s := newScenario(t, "lost-watch")
	s.createImages(6)
	m := s.startManager()
	s.settle()

	if err := m.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.setKey(fixture.RevokedKey(release))
	s.expect(revoked, verified)
	s.delete(s.image(1))
	s.create(s.image(6, audited))
	s.want[s.name+"-6"] = untrusted
	if err := cp.APIServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.settle()
}

func crash(t *testing.T, c *controlplane.Component) {
	t.Helper()
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, c *controlplane.Component) {
	t.Helper()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}
