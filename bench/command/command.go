// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package command runs a benchmark as a command: it parses flags, measures, prints the report to
// standard output and progress to standard error, and writes the figures with their targets to a
// file. A missed target is not an error.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/report"
)

// Progress prints a line about the progress of a benchmark.
type Progress func(format string, args ...any)

// Benchmark is a benchmark command.
type Benchmark interface {
	// Name is the name of the command. The figures go to out/NAME.json by default.
	Name() string
	// Register registers the flags.
	Register(flags *flag.FlagSet)
	// Validate checks the parsed flags.
	Validate() error
	// Measure measures until ctx ends.
	Measure(ctx context.Context, progress Progress) (report.Report, error)
}

// Main runs a benchmark with the arguments of the process until it is interrupted, and exits with
// code 1 after an error.
func Main(b Benchmark) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Run(ctx, b, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, b.Name()+":", err)
		os.Exit(1)
	}
}

// Run runs a benchmark with arguments.
func Run(ctx context.Context, b Benchmark, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(b.Name(), flag.ContinueOnError)
	flags.SetOutput(stderr)
	b.Register(flags)
	out := flags.String("out", "out/"+b.Name()+".json", "file for the figures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := b.Validate(); err != nil {
		return err
	}
	before := report.ReadMachine()
	r, err := b.Measure(ctx, func(format string, args ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", args...) })
	if err != nil {
		return err
	}
	if err := r.Write(stdout, before, report.ReadMachine()); err != nil {
		return err
	}
	return figures.Write(*out, r.Figures)
}
