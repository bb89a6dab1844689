// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kustomize builds the kustomizations of config/ and installs them in an API server, as
// `kubectl apply --server-side -k` does. It is apart from the test environment in internal/testenv,
// because kustomize is the largest dependency of the tests.
package kustomize

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/assay-project/assay/internal/testenv"
)

// Installer returns a function that installs the kustomization in a directory, for
// testenv.Options.Install.
func Installer(dir string) func(context.Context, *rest.Config) ([]*unstructured.Unstructured, error) {
	return func(ctx context.Context, config *rest.Config) ([]*unstructured.Unstructured, error) {
		return Install(ctx, config, dir)
	}
}

// Install builds the kustomization in a directory, applies it and returns its objects.
func Install(ctx context.Context, config *rest.Config, dir string) ([]*unstructured.Unstructured, error) {
	objects, err := Build(dir)
	if err != nil {
		return nil, err
	}
	return objects, testenv.Apply(ctx, config, objects)
}

// Build returns the objects of the kustomization in a directory in the order to apply them:
// namespaces and custom resource definitions first.
func Build(dir string) ([]*unstructured.Unstructured, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", dir, err)
	}
	objects := make([]*unstructured.Unstructured, 0, resources.Size())
	for _, resource := range resources.Resources() {
		data, err := resource.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("building %s: %s: %w", dir, resource.CurId(), err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(data); err != nil {
			return nil, fmt.Errorf("building %s: %s: %w", dir, resource.CurId(), err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}
