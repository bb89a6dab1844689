// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import "syscall"

// attributes puts the program in a process group of its own, so that Ctrl-C
// reaches this program alone, which then ends its programs in order; and has the
// kernel kill it when this program dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
