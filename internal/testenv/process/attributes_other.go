// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package process

import "syscall"

// attributes puts the program in a process group of its own, so that Ctrl-C
// reaches this program alone, which then ends its programs in order.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
