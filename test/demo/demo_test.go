// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// screen collects output, and ends a context once a text is shown.
type screen struct {
	until string
	end   context.CancelFunc

	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if strings.Contains(s.text.String(), s.until) {
		s.end()
	}
	return len(p), nil
}

// milestones are in the output of the demo, in this order.
var milestones = []string{
	"kubectl apply -f web.yaml", "The Pod is there after", "kubectl apply -f tools.yaml", "The Pod is there after", "sigstore ",
	"kubectl apply -f legacy.yaml", "is not verified", "NoSignatures: the image has no signatures",
	"kubectl apply -f revoked.yaml", "--replicas=2", "is not verified", "KeyRevoked",
	"kubectl get images -l '!assay.dev/discovered'", "16 of 16 verdicts as expected", "pod/app created (server dry run)",
	"== Look closer", "Stopping",
}

// TestDemo runs the whole demo until it waits, interrupts it, and expects nothing to be left.
func TestDemo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &screen{until: "Press Ctrl-C", end: cancel}
	d := &demo{out: &console{w: s}, stay: true}
	if err := d.run(ctx); err != nil {
		t.Fatalf("%v; the output:\n%s", err, s.text.String())
	}
	rest := s.text.String()
	for _, milestone := range milestones {
		_, after, found := strings.Cut(rest, milestone)
		if !found {
			t.Fatalf("no %q in\n%s", milestone, rest)
		}
		rest = after
	}
	d.wantEnded(t)
}

// wantEnded expects that nothing is left of a demo.
func (d *demo) wantEnded(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(d.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
	for what, address := range map[string]string{
		"the API server": d.cp.Address(), "the registry": d.site.registry.Host, "the store": strings.TrimPrefix(d.site.lookaside.URL, "http://"),
	} {
		if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = connection.Close()
			t.Errorf("%s still listens", what)
		}
	}
	if d.manager.Running() {
		t.Error("the operator still runs")
	}
	if err := syscall.Kill(d.cp.ControllerManager.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("kube-controller-manager still runs: %v", err)
	}
}

// TestInterrupt interrupts the demo while it starts.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &screen{until: "Starting etcd", end: cancel}
	d := &demo{out: &console{w: s}}
	if err := d.run(ctx); err == nil {
		t.Errorf("no error; the output:\n%s", s.text.String())
	}
	if _, err := os.Stat(d.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	digest := strings.Repeat("0123456789abcdef", 4)
	(&console{w: &out}).table("NAME" + strings.Repeat(" ", 70) + "AGE\nsha256-" + digest + "   1s\n")
	want := regexp.MustCompile(`^    NAME {21}AGE\n    sha256-0123456789ab\.\.\.   1s\n\n$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%s", out.String())
	}
}

func TestBlock(t *testing.T) {
	var out bytes.Buffer
	word := strings.Repeat("x", width/2)
	(&console{w: &out}).block(word + " " + word + " y\n")
	if diff := cmp.Diff("    "+word+"\n    "+word+" y\n\n", out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCommand(t *testing.T) {
	var out bytes.Buffer
	(&console{w: &out}).command("kubectl", "-l", "!a", "--image=b:v1@sha256:cd", "jsonpath={.status}")
	if diff := cmp.Diff("$ kubectl -l '!a' --image=b:v1@sha256:cd 'jsonpath={.status}'\n", out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShortenDigests(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	tests := map[string]struct{ text, want string }{
		"reference":     {"registry.example.com/app@sha256:" + digest, "registry.example.com/app@sha256:0123456789ab..."},
		"name":          {"sha256-" + digest, "sha256-0123456789ab..."},
		"two":           {digest + " is not " + digest, "0123456789ab... is not 0123456789ab..."},
		"longer":        {digest + "0", digest + "0"},
		"shorter":       {digest[1:], digest[1:]},
		"no digest":     {"registry.example.com/app:v1", "registry.example.com/app:v1"},
		"capital digit": {strings.ToUpper(digest), strings.ToUpper(digest)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, shortenDigests(tc.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnexpectedVerdicts(t *testing.T) {
	v := &verdicts{
		names: []string{"as-expected", "other-status", "other-reason", "missing"},
		expected: map[string]verdict{
			"as-expected":  {"True", "Verified"},
			"other-status": {"False", "KeyExpired"},
			"other-reason": {"False", "KeyExpired"},
			"missing":      {"Unknown", "NoTrustPolicy"},
		},
		found: map[string]verdict{
			"as-expected":  {"True", "Verified"},
			"other-status": {"True", "Verified"},
			"other-reason": {"False", "KeyRevoked"},
			"not-a-sample": {"True", "Verified"},
		},
	}
	want := []string{
		"  other-status: expected False KeyExpired, got True Verified",
		"  other-reason: expected False KeyExpired, got False KeyRevoked",
		"  missing: expected Unknown NoTrustPolicy, got no verdict",
	}
	if diff := cmp.Diff(want, v.unexpected()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
