// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command admission measures what admission costs: how long a real API server takes to
// create a Pod whose images are verified, with the policies of config/admission and without
// them, for lists of several sizes.
//
// "Without" is a namespace with the label that turns the policies off, in the same API
// server. The two take turns, Pod by Pod; reported is the difference of the medians, and of
// the 99th percentiles.
//
// It also measures, with the real manager, how long it takes from a signature that is added
// to an Image until the API server admits a Pod with it, and whether admission takes longer
// when no operator runs.
//
// The tables go to standard output, progress to standard error, and the figures with their
// targets to a file. A missed target is no error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/report"
)

// plan says what to measure.
type plan struct {
	images     []int // Verified images in the list.
	containers []int // Containers of a Pod.
	pods       int   // Pods of each kind with each and without.
	signed     int   // Images that get a signature, one after the other.
	turns      int   // In which the operator runs and does not.
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "admission:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p, out, err := parse(args, stderr)
	if err != nil {
		return err
	}
	log.SetLogger(logr.Discard()) // What the client library has to say comes back as errors, too.
	before := report.ReadMachine()
	measured, err := measure(ctx, p, func(format string, a ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", a...) })
	if err != nil {
		return err
	}
	list := judge(measured)
	if err := writeReport(stdout, before, report.ReadMachine(), measured, list); err != nil {
		return err
	}
	return figures.Write(out, list)
}

func parse(args []string, stderr io.Writer) (p plan, out string, err error) {
	flags := flag.NewFlagSet("admission", flag.ContinueOnError)
	flags.SetOutput(stderr)
	images := flags.String("images", "1,100,1000,10000,50000", "sizes of the list of verified images")
	containers := flags.String("containers", "1,3,10", "numbers of containers in a Pod")
	flags.IntVar(&p.pods, "pods", 400, "how many Pods of each kind are created with the policies, and without")
	flags.IntVar(&p.signed, "signed", 100, "how many images get a signature, one after the other")
	flags.IntVar(&p.turns, "turns", 3, "how often the operator is started and stopped")
	flags.StringVar(&out, "out", "out/admission.json", "file for the figures")
	if err := flags.Parse(args); err != nil {
		return p, "", err
	}
	if p.images, err = numbers(*images); err != nil {
		return p, "", fmt.Errorf("-images: %w", err)
	}
	if p.containers, err = numbers(*containers); err != nil {
		return p, "", fmt.Errorf("-containers: %w", err)
	}
	if flags.NArg() > 0 || min(p.pods, p.signed, p.turns) < 1 {
		return p, "", errors.New("wants no arguments, and positive numbers")
	}
	return p, out, nil
}

// numbers reads positive numbers between commas, each larger than the one before.
func numbers(text string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if list[0] < 1 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) < len(list) {
		return nil, fmt.Errorf("%s are not positive numbers that go up", text)
	}
	return list, nil
}
