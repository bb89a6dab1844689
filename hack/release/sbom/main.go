// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command sbom prints one CycloneDX document for the programs of a release. cyclonedx-gomod reads
// the modules that the Go toolchain recorded in each program. The same programs give the same
// bytes.
//
//	go run -C hack/release ./sbom -version v0.1.0 ../../dist/assay-linux-amd64 > dist/assay.cdx.json
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/rs/zerolog"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// run writes nothing unless all of it can be written.
func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	version := flags.String("version", "unknown", "the version of the programs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("no program is named")
	}
	var programs []*cdx.BOM
	for _, path := range flags.Args() {
		bom, err := generate(path, *version)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		programs = append(programs, bom)
	}
	bom, err := merge(programs, *version)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	encoder := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := encoder.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return err
	}
	_, err = stdout.Write(out.Bytes())
	return err
}

// generate returns the document of one program. Licenses are not detected: that would download
// every module. Package URLs are short, so that a module is the same on every platform.
func generate(path, version string) (*cdx.BOM, error) {
	generator, err := bin.NewGenerator(path,
		bin.WithLogger(zerolog.Nop()),
		bin.WithVersionOverride(version),
		bin.WithShortPURLS(true))
	if err != nil {
		return nil, err
	}
	return generator.Generate()
}
