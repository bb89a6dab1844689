// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command scale measures the operator at the scale of a large cluster: the real program,
// with the permissions that config/rbac gives it, on a real API server and etcd that share
// this machine with it.
//
// The rate of verification is compared with that of a bare client, which writes the same
// patches to the same images as fast as it can. Both take turns, with the same number of
// images in each round; reported is the median of the ratios within a round.
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
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/bench/figures"
	"github.com/assay-project/assay/bench/report"
)

// plan says what to measure.
type plan struct {
	images     int // In all.
	revoked    int // Of them, signed by the key that is revoked first.
	rounds     int // In which the manager and the bare client take turns.
	round      int // Images in each.
	fresh      int // Brand-new images during the re-verification of all.
	freshEvery time.Duration
	blob       int // Bytes of manifest, and of configuration, of each image.
	keyBits    int
	settle     time.Duration
	writers    int // Requests of the bare client at the same time.
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "scale:", err)
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
	if err := writeReport(stdout, p, before, report.ReadMachine(), measured, list); err != nil {
		return err
	}
	return figures.Write(out, list)
}

func parse(args []string, stderr io.Writer) (p plan, out string, err error) {
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&p.images, "images", 10000, "how many images there are in all")
	flags.IntVar(&p.revoked, "revoked", 1000, "how many of them the first revoked key has signed")
	flags.IntVar(&p.rounds, "rounds", 5, "how often the manager and the bare client take turns")
	flags.IntVar(&p.round, "round", 1000, "how many images a turn has")
	flags.IntVar(&p.fresh, "new", 100, "how many new images are made while all others are verified again")
	flags.DurationVar(&p.freshEvery, "new-every", 200*time.Millisecond, "the time between two new images")
	flags.IntVar(&p.blob, "blob", 16<<10, "bytes of the manifest, and of the configuration, of each image")
	flags.IntVar(&p.keyBits, "rsa", 4096, "bits of the RSA keys")
	flags.IntVar(&p.writers, "writers", 8, "how many requests the bare client has under way")
	flags.DurationVar(&p.settle, "settle", 10*time.Second, "how long the manager is left alone before its memory is read")
	flags.StringVar(&out, "out", "out/scale.json", "file for the figures")
	if err := flags.Parse(args); err != nil {
		return p, "", err
	}
	positive := min(p.images, p.revoked, p.rounds, p.round, p.fresh, p.blob, p.writers)
	switch {
	case flags.NArg() > 0 || positive < 1 || p.freshEvery <= 0:
		return p, "", errors.New("wants no arguments, and positive numbers")
	case p.revoked >= p.images || p.round > p.images:
		return p, "", errors.New("-revoked must be less than -images, and -round not more")
	case p.keyBits < 2048:
		return p, "", errors.New("-rsa must be at least 2048: smaller keys are refused")
	}
	return p, out, nil
}
