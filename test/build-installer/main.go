// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command build-installer prints all objects of a kustomization as one YAML file, for
// kubectl apply --server-side -f. The same configuration gives the same bytes.
//
//	go run -C test ./build-installer [-image registry.example.com/assay:v0.1.0] ../config/default > dist/install.yaml
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/test/kustomize"
)

// managerContainer is the container of the operator in config/manager.
const managerContainer = "manager"

func main() {
	image := flag.String("image", "", "the operator's `image`, instead of the one in the kustomization")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: build-installer [-image IMAGE] DIRECTORY")
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(os.Stdout, flag.Arg(0), *image); err != nil {
		fmt.Fprintln(os.Stderr, "build-installer:", err)
		os.Exit(1)
	}
}

// write writes the objects of a kustomization in the order in which they can be applied.
// An image that is not empty replaces the operator's. On an error nothing is written.
func write(w io.Writer, dir, image string) error {
	objects, err := kustomize.Build(dir)
	if err != nil {
		return err
	}
	if image != "" {
		if err := setImage(objects, image); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
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

// setImage sets the image of the manager's container in every Deployment. Without such a
// container it returns an error: the image would be ignored.
func setImage(objects []*unstructured.Unstructured, image string) error {
	found := false
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		path := []string{"spec", "template", "spec", "containers"}
		containers, _, err := unstructured.NestedSlice(object.Object, path...)
		if err != nil {
			return fmt.Errorf("deployment %s: %w", object.GetName(), err)
		}
		for _, container := range containers {
			if c, ok := container.(map[string]any); ok && c["name"] == managerContainer {
				c["image"] = image
				found = true
			}
		}
		if err := unstructured.SetNestedSlice(object.Object, containers, path...); err != nil {
			return fmt.Errorf("deployment %s: %w", object.GetName(), err)
		}
	}
	if !found {
		return errors.New("no Deployment has a container " + managerContainer + " to set the image of")
	}
	return nil
}
