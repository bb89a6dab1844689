// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image assembles the image that the Dockerfile describes, without a builder and
// without a registry, and writes it as an OCI layout in a tar file. The same source and
// version give the same bytes.
//
//	go run -C hack/release ./image -root ../.. -version v0.1.0 -platforms linux/amd64,linux/arm64
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run makes dist/assay-image.tar and the programs beside it, and prints the digest.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o order
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&o.root, "root", ".", "the folder with the Dockerfile")
	flags.StringVar(&o.version, "version", "unknown", "the version that the program prints")
	flags.StringVar(&o.revision, "revision", "unknown", "the commit of the source")
	platforms := flags.String("platforms", "linux/"+runtime.GOARCH, "what to build for, separated by commas")
	out := flags.String("out", "dist", "the folder to write to, below root if not absolute")
	if err := flags.Parse(args); err != nil {
		return err
	}
	// The compiler runs in another folder than this program.
	root, err := filepath.Abs(o.root)
	if err != nil {
		return err
	}
	o.root, o.binaries = root, *out
	if !filepath.IsAbs(o.binaries) {
		o.binaries = filepath.Join(root, *out)
	}
	if err := os.MkdirAll(o.binaries, 0o755); err != nil {
		return err
	}
	var forms []form
	for name := range strings.SplitSeq(*platforms, ",") {
		platform, err := v1.ParsePlatform(name)
		if err != nil {
			return err
		}
		f, err := assemble(ctx, o, *platform)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		forms = append(forms, f)
	}
	index := newIndex(forms)
	archive := filepath.Join(o.binaries, "assay-image.tar")
	if err := writeArchive(archive, index, o.version); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s %s\n", digest, archive)
	return err
}
