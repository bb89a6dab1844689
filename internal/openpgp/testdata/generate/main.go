// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Generate replaces the test vectors of internal/openpgp in testdata: certificates under keys and
// messages under messages. go generate runs it in internal/openpgp.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/assay-project/assay/internal/openpgp/testdata/vectors"
)

func main() {
	log.SetFlags(0)
	if err := run("testdata"); err != nil {
		log.Fatal(err)
	}
}

func run(dir string) error {
	files, err := vectors.All()
	if err != nil {
		return err
	}
	for _, sub := range []string{"keys", "messages"} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	log.Printf("%d vectors written", len(files))
	return nil
}
