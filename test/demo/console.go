// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
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

// width is that of the text that the API server's messages are broken into.
const width = 116

// command prints a command that somebody could type.
func (c *console) command(args ...string) {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if !plainWord.MatchString(arg) {
			words[i] = "'" + arg + "'"
		}
	}
	c.printf("$ %s\n", shortenDigests(strings.Join(words, " ")))
}

// block prints text indented, with long lines broken.
func (c *console) block(text string) {
	for line := range strings.Lines(strings.TrimSpace(shortenDigests(text))) {
		line = strings.TrimRight(line, " \n")
		for len(line) > width {
			at := strings.LastIndex(line[:width], " ")
			if at <= 0 {
				break
			}
			c.printf("    %s\n", line[:at])
			line = line[at+1:]
		}
		c.printf("    %s\n", line)
	}
	c.printf("\n")
}

// table prints a table of kubectl, whose columns are two spaces or more apart, as wide as it is with
// short digests.
func (c *console) table(text string) {
	w := tabwriter.NewWriter(c.w, 0, 0, 3, ' ', 0)
	for line := range strings.Lines(strings.TrimSpace(shortenDigests(text))) {
		_, _ = fmt.Fprintln(w, "    "+columnGap.ReplaceAllString(strings.TrimRight(line, " \n"), "\t"))
	}
	_ = w.Flush()
	c.printf("\n")
}

var (
	// longHex matches digests of 64 hexadecimal digits; the first twelve identify them.
	longHex   = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`)
	columnGap = regexp.MustCompile(` {2,}`)
	// plainWord is what a shell takes as it is.
	plainWord = regexp.MustCompile(`^[\w.,:/=@+-]+$`)
)

func shortenDigests(text string) string {
	return longHex.ReplaceAllString(text, "$1...")
}
