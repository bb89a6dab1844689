// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command sbom prints what programs are made of, as CycloneDX 1.6, from the list of modules
// that the Go toolchain put into them. The same programs give the same bytes.
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
	var programs []program
	for _, path := range flags.Args() {
		p, err := readProgram(path)
		if err != nil {
			return err
		}
		programs = append(programs, p)
	}
	bom, err := describe(programs, *version)
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
