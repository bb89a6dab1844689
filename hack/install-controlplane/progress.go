// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Intervals of showing the state of a long step: a terminal line is rewritten in place, elsewhere
// (a CI log) lines are added.
const (
	terminalInterval = 500 * time.Millisecond
	logInterval      = 15 * time.Second
)

// progress shows the progress of the installation. Its methods are safe for concurrent use.
type progress struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	drawn bool // a terminal line is on screen, without a line end
}

func newProgress(file *os.File) *progress {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return &progress{out: file, terminal: terminal}
}

// printf adds a line.
func (p *progress) printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

// close leaves the cursor on an empty line.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// watch shows status() at once and then at intervals, with the elapsed time, until the returned
// function is called, which adds a last line.
func (p *progress) watch(status func() string) (done func()) {
	interval := logInterval
	if p.terminal {
		interval = terminalInterval
	}
	start := time.Now()
	ticker := time.NewTicker(interval)
	quit, finished := make(chan struct{}), make(chan struct{})
	line := func() string {
		return fmt.Sprintf("%s, %s", status(), time.Since(start).Round(time.Second))
	}
	go func() {
		defer close(finished)
		for {
			p.show(line())
			select {
			case <-quit:
				return
			case <-ticker.C:
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(quit)
		<-finished
		p.printf("%s", line())
	}
}

// show replaces the terminal's current line, or adds one to a log.
func (p *progress) show(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal {
		_, _ = fmt.Fprintln(p.out, line)
		return
	}
	_, _ = fmt.Fprint(p.out, "\r\x1b[K"+line)
	p.drawn = true
}

// erase clears a drawn line. The caller holds mu.
func (p *progress) erase() {
	if p.drawn {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}
