// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kustomize builds the kustomizations of config/ and installs them in an API server, as
// `kubectl apply --server-side -k` does. It is apart from the test environment in internal/testenv,
// because kustomize is the largest dependency of the tests.
package kustomize

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	imagev1 "github.com/assay-project/assay/api/image/v1"
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
	if err := testenv.Apply(ctx, config, objects); err != nil {
		return nil, err
	}
	for _, object := range objects {
		if object.GetKind() == "MutatingAdmissionPolicy" && object.GetName() == "keep-verdicts" {
			return objects, awaitSchema(ctx, config)
		}
	}
	return objects, nil
}

// schemaTimeout bounds how long an API server takes to read the schema of a new kind, which it does
// every five seconds.
const schemaTimeout = time.Minute

// awaitSchema returns when Images can be updated: an API server answers 503 to an update that a
// mutating policy matches as long as it has not read the schema of the kind.
func awaitSchema(ctx context.Context, config *rest.Config) error {
	c, err := testenv.NewClient(config)
	if err != nil {
		return err
	}
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{GenerateName: "schema-"}, Signatures: []imagev1.ImageSignature{{Type: imagev1.SignatureTypeAtomic, Content: []byte("1")}}}
	if err := c.Create(ctx, image); err != nil {
		return err
	}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"signatures":[{"type":"atomic","content":"Mg=="}]}`))
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, schemaTimeout, true, func(ctx context.Context) (bool, error) {
		err := c.Patch(ctx, image.DeepCopy(), patch, client.DryRunAll)
		if apierrors.IsServiceUnavailable(err) {
			return false, nil
		}
		return err == nil, err
	})
	return errors.Join(err, c.Delete(ctx, image))
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
