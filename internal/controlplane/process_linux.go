// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import "syscall"

// processAttributes puts a component in a process group of its own, so that Ctrl-C
// reaches this program alone, which then stops the components in order; and has the
// kernel kill it when this program dies.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
