// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Assay verifies the signatures of container images. `assay manager` is the Kubernetes operator;
// `assay verify` makes the same decision for files.
package main

import (
	"os"

	"github.com/assay-project/assay/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
