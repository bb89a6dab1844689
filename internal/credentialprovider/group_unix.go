// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package credentialprovider

import (
	"os/exec"
	"syscall"
)

// ownGroup has a program run in a process group of its own, and all of that end when it takes too
// long.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// endGroup ends what a program has left behind.
func endGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // Mostly there is nothing.
	}
}
