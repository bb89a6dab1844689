// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manager builds assay and runs "assay manager" as a separate process, for the demo, tests
// and benchmarks, with the permissions of config/rbac.
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

// Names in config/default.
const (
	Namespace      = "assay-system"
	ServiceAccount = "assay-controller-manager"
)

const (
	// stopTimeout is the time that the manager has to exit: a little more than it gives its own
	// workers.
	stopTimeout = 35 * time.Second
	// logTailLines is the number of lines of the log that an error includes.
	logTailLines = 20
)

// Root returns the root directory of the repository that contains the working directory.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/assay-project/assay").Output()
	if err != nil {
		return "", errors.Join(errors.New("not in the repository"), err)
	}
	return filepath.Clean(strings.TrimSpace(string(out))), nil
}

// Build builds the assay command from the source in root and writes it to the file program.
func Build(ctx context.Context, root, program string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Options configures the manager.
type Options struct {
	// Program is the assay command, built by Build.
	Program string
	// Kubeconfig is a file that authenticates as ServiceAccount.
	Kubeconfig string
	// LogFile is the file to which the log is appended.
	LogFile string
	// Args are additional flags of "assay manager". By default, metrics and probes are off.
	Args []string
}

// Manager is a running "assay manager".
type Manager struct {
	*process.Process
	logFile string
}

// Start starts the manager without waiting until it is ready.
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

// Stop terminates the manager. It returns an error if it had to kill the manager.
func (m *Manager) Stop() error {
	killed, err := m.End(syscall.SIGTERM, stopTimeout)
	if killed {
		return fmt.Errorf("the operator did not exit within %s after SIGTERM and was killed", stopTimeout)
	}
	return err
}

// Kill ends the manager at once, as a crash would.
func (m *Manager) Kill() error {
	_, err := m.End(os.Kill, 0)
	return err
}

// Log returns the log.
func (m *Manager) Log() string {
	data, err := os.ReadFile(m.logFile)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// LogTail returns the last lines of the log.
func (m *Manager) LogTail() string {
	lines := strings.Split(strings.TrimSpace(m.Log()), "\n")
	return strings.Join(lines[max(0, len(lines)-logTailLines):], "\n")
}
