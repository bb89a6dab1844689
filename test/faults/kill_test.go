// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/testenv/fixture"
)

// long reports whether the tests run at their full size: make test-faults-long.
func long() bool { return os.Getenv("ASSAY_FAULTS_LONG") != "" }

// sized returns the size of a test that runs with every change, or its full size.
func sized(short, full int) int {
	if long() {
		return full
	}
	return short
}

// random returns random numbers, from ASSAY_FAULTS_SEED if it is set.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ASSAY_FAULTS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("repeat with ASSAY_FAULTS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestKilledWhileAKeyIsRevoked: managers die one after the other at random points, and in the middle
// of it a key is revoked. Nothing that should not be is verified at any time, and in the end all is
// as if nobody had died.
func TestKilledWhileAKeyIsRevoked(t *testing.T) {
	images, kills := sized(90, 500), sized(6, 20)
	numbers := random(t)
	s := newScenario(t, "killed-at-random")
	s.createImages(images)
	o := s.observe()
	for n := range kills {
		m := s.startManager()
		if n == kills/2 {
			o.revoke()
		}
		// Each image has two writes before the revocation, and all kills together leave some.
		o.untilEvents(numbers.IntN(4 * images / kills))
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	s.startManager()
	o.end()
}

// TestPausedLeader: the leader of two replicas is frozen in the middle of its work, and continues
// when the other one leads and a key has been revoked. It brings nothing back and ends. It sees the
// allowlist of the other replica while it is still busy with the keys: they come with one that takes
// half a second to read.
func TestPausedLeader(t *testing.T) {
	images := sized(60, 500)
	s := newScenario(t, "paused-leader")
	s.trust(map[string][]byte{"release.asc": fixture.PublicKey(release), "0.asc": slowKeyFile(t, 0)})
	s.createImages(images)
	o := s.observe()
	first := s.startManager("--leader-elect")
	leader := *s.awaitLeader("").Spec.HolderIdentity
	s.startManager("--leader-elect")
	o.untilEvents(images / 2)
	if err := first.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.awaitLeader(leader)
	o.until("the other replica to have done the rest", func() bool { return o.pending() == 0 })
	o.revoke(slowKeyFile(t, 1))
	o.until("an empty allowlist", func() bool { return len(o.listed) == 0 })
	if err := first.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-first.Exited()
	o.end()
}

// TestSlowEtcd: etcd takes half a second for each request while images are verified and a key is
// revoked.
func TestSlowEtcd(t *testing.T) {
	const roundTrip = 500 * time.Millisecond
	s := newScenario(t, "slow-etcd")
	s.createImages(sized(9, 500))
	o := s.observe()
	slowEtcd.setRoundTrip(roundTrip)
	t.Cleanup(func() { slowEtcd.setRoundTrip(0) })
	begin := time.Now()
	s.startManager()
	o.until("all verdicts", func() bool { return o.pending() == 0 })
	t.Logf("%d images were verified in %s", len(s.want), time.Since(begin))
	begin = time.Now()
	o.revoke()
	o.until("an empty allowlist", func() bool { return len(o.listed) == 0 })
	t.Logf("the revocation reached the allowlist in %s", time.Since(begin))
	o.until("all verdicts", func() bool { return o.pending() == 0 })
	t.Logf("the revocation reached all images in %s", time.Since(begin))
	slowEtcd.setRoundTrip(0)
	o.end()
}
