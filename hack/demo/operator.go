// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// stopTimeout is how long the operator gets to end by itself: a little more than it
	// gives its own workers.
	stopTimeout = 35 * time.Second
	// logTailLines is how much of its log an error repeats.
	logTailLines = 20
)

// buildOperator builds the program from the source in root.
func buildOperator(ctx context.Context, root, program string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// operator is "assay manager" as a process of its own.
type operator struct {
	process *os.Process
	logFile string
	// exited is closed when the process has ended.
	exited chan struct{}
}

func startOperator(program, kubeconfig, logFile string) (*operator, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has a handle of its own
	// Leader election is what the Deployment uses, and it has a second use: an operator
	// whose API server is gone loses its lease and ends, even when nobody stops it.
	cmd := exec.Command(program, "manager",
		"--kubeconfig="+kubeconfig,
		"--operator-namespace="+operatorNamespace,
		"--leader-elect",
		"--metrics-bind-address=0",
		"--health-probe-bind-address=0")
	cmd.Stdout, cmd.Stderr = log, log
	// In a group of its own, Ctrl-C reaches this program alone, which then stops the
	// operator before the API server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	o := &operator{process: cmd.Process, logFile: logFile, exited: make(chan struct{})}
	go func() {
		// How it ended is in its log.
		_ = cmd.Wait()
		close(o.exited)
	}()
	return o, nil
}

// stop asks the operator to end and kills it when it does not.
func (o *operator) stop() error {
	if err := o.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-o.exited:
		return nil
	case <-timer.C:
	}
	err := o.process.Kill()
	<-o.exited
	return errors.Join(fmt.Errorf("the operator did not end within %s of SIGTERM and was killed", stopTimeout), err)
}

// logTail returns the last lines of the log.
func (o *operator) logTail() string {
	data, err := os.ReadFile(o.logFile)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-logTailLines):], "\n")
}
