// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"time"
)

// console writes for people: plain text, no colours, no cursor movements.
type console struct {
	w io.Writer
}

func (c *console) printf(format string, args ...any) {
	// Nobody is there to be told that the terminal is gone.
	_, _ = fmt.Fprintf(c.w, format, args...)
}

// step says what is being done, does it, and says how long that took.
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
