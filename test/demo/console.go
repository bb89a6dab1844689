// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"time"
)

// console prints plain text for users, without colors or cursor movements.
type console struct {
	w io.Writer
}

func (c *console) printf(format string, args ...any) {
	// There is no way to report that the terminal is gone.
	_, _ = fmt.Fprintf(c.w, format, args...)
}

// step announces a step, runs it, and prints its duration.
func (c *console) step(what string, do func() error) error {
	c.printf("  %-66s", what+" ...")
	begin := time.Now()
	if err := do(); err != nil {
		c.printf(" failed\n\n")
		return err
	}
	c.printf(" %5.1fs\n", time.Since(begin).Seconds())
	return nil
}
