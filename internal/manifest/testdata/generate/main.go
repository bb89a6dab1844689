// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Generate replaces the test vectors of internal/manifest in testdata, one file each. go generate
// runs it in internal/manifest.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/assay-project/assay/internal/manifest/testdata/vectors"
)

const pattern = "testdata/*.json"

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	all, err := vectors.All()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	for name, content := range all {
		if err := os.WriteFile(filepath.Join(filepath.Dir(pattern), name+".json"), []byte(content), 0o644); err != nil {
			return err
		}
	}
	log.Printf("%d vectors written", len(all))
	return nil
}
