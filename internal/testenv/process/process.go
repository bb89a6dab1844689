// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package process runs programs that must not outlive this one: etcd, kube-apiserver, the operator and
// a registry, for the demo, tests and benchmarks.
package process

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// Process is one run of a program. A nil Process has ended. Its methods are safe for concurrent
// use.
type Process struct {
	handle *os.Process
	exited chan struct{} // closed when the program has ended
	err    error         // how it ended; valid once exited is closed
}

// Start runs a program in its own process group, with its output written to log, and with further
// variables of the form NAME=value in its environment. On Linux the kernel kills it when this program
// ends.
func Start(path string, args []string, log *os.File, environment ...string) (*Process, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	p := &Process{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux sends the parent-death signal when the thread that started the program ends, so
		// this goroutine keeps its thread while the program runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		p.handle = cmd.Process
		started <- err
		if err == nil {
			p.err = exitError(cmd.Wait())
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// exitError turns an exit with status 0 into an error, too: these programs should not exit on their
// own.
func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// PID is the process ID.
func (p *Process) PID() int { return p.handle.Pid }

// Exited is closed when the program has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err returns how the program ended. It is valid after Exited is closed.
func (p *Process) Err() error { return p.err }

// Running reports whether the program is still running.
func (p *Process) Running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal. Signaling a program that has ended is not an error.
func (p *Process) Signal(signal os.Signal) error {
	if !p.Running() {
		return nil
	}
	if err := p.handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// End sends a signal and waits until the program has ended. After the grace period it kills the
// program and returns true.
func (p *Process) End(signal os.Signal, grace time.Duration) (killed bool, err error) {
	if !p.Running() {
		return false, nil
	}
	if err := p.Signal(signal); err != nil {
		return false, err
	}
	if signal != os.Kill {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.exited:
			return false, nil
		case <-timer.C:
		}
		if err := p.Signal(os.Kill); err != nil {
			return false, err
		}
		killed = true
	}
	<-p.exited
	return killed, nil
}
