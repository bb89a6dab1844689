// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command build-installer prints all objects of a kustomization as one YAML file, for
// kubectl apply --server-side -f. The same configuration gives the same bytes.
//
//	go run ./hack/build-installer config/default > dist/install.yaml
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/internal/testenv/kustomize"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: build-installer DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "build-installer:", err)
		os.Exit(1)
	}
}

// write writes the objects of a kustomization in the order in which they can be applied.
// Nothing is written unless all of it can be.
func write(w io.Writer, dir string) error {
	objects, err := kustomize.Build(dir)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for _, object := range objects {
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	_, err = w.Write(out.Bytes())
	return err
}
