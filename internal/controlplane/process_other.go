// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package controlplane

import "syscall"

// processAttributes puts a component in a process group of its own, so that Ctrl-C
// reaches this program alone, which then stops the components in order.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
