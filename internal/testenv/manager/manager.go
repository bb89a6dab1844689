// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manager builds assay and runs "assay manager" as a process of its own, for the
// demo, tests and benchmarks, with the permissions that config/rbac gives it in a cluster.
package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/assay-project/assay/internal/testenv/process"
)

// Names that config/default gives.
const (
	Namespace      = "assay-system"
	ServiceAccount = "assay-controller-manager"
)

const (
	// stopTimeout is how long the manager gets to end by itself: a little more than it
	// gives its own workers.
	stopTimeout = 35 * time.Second
	// logTailLines is how much of its log an error repeats.
	logTailLines = 20
)

// Root returns the folder of the repository that the working directory is in.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/assay-project/assay").Output()
	if err != nil {
		return "", errors.Join(errors.New("not in the repository"), err)
	}
	return filepath.Clean(strings.TrimSpace(string(out))), nil
}

// Build builds the assay command from the source in root into the file program.
func Build(ctx context.Context, root, program string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Options say how to run the manager.
type Options struct {
	// Program is the assay command, as Build makes it.
	Program string
	// Kubeconfig is a file that authenticates as ServiceAccount.
	Kubeconfig string
	// LogFile gets what the manager logs, behind what it holds already.
	LogFile string
	// Args are further flags of "assay manager". Metrics and probes are off without them.
	Args []string
}

// Manager is a running "assay manager".
type Manager struct {
	*process.Process
	logFile string
}

// Start starts the manager. It does not wait until it is ready.
func Start(o Options) (*Manager, error) {
	log, err := os.OpenFile(o.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has a handle of its own
	args := append([]string{
		"manager", "--kubeconfig=" + o.Kubeconfig, "--operator-namespace=" + Namespace, "--health-probe-bind-address=0",
	}, o.Args...)
	running, err := process.Start(o.Program, args, log)
	if err != nil {
		return nil, err
	}
	return &Manager{Process: running, logFile: o.LogFile}, nil
}

// Stop asks the manager to end. One that has to be killed is an error.
func (m *Manager) Stop() error {
	killed, err := m.End(syscall.SIGTERM, stopTimeout)
	if killed {
		return fmt.Errorf("the operator did not end within %s of SIGTERM and was killed", stopTimeout)
	}
	return err
}

// Kill ends the manager at once, as a crash would.
func (m *Manager) Kill() error {
	_, err := m.End(os.Kill, 0)
	return err
}

// LogTail returns the last lines of the log.
func (m *Manager) LogTail() string {
	data, err := os.ReadFile(m.logFile)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-logTailLines):], "\n")
}
