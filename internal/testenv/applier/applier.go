// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package applier applies objects to an API server, as `kubectl apply --server-side` does. The demo and
// the tests thus install what an administrator installs, without kubectl.
package applier

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// servedTimeout bounds the wait until the API server serves an applied custom resource definition,
// which takes well under a second on an idle machine.
const servedTimeout = time.Minute

// Applier applies objects to an API server.
type Applier struct {
	client       dynamic.Interface
	mapper       meta.RESTMapper
	fieldManager string
}

// New returns an Applier with a field manager, which will own the applied fields.
func New(config *rest.Config, fieldManager string) (*Applier, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	if err != nil {
		return nil, err
	}
	return &Applier{client: client, mapper: mapper, fieldManager: fieldManager}, nil
}

// Apply applies the objects in order with server-side apply. It takes over fields from other
// managers and refuses unknown fields. After a custom resource definition it waits until the
// resource is served. It stops at the first error, which names the object.
func (a *Applier) Apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := a.apply(ctx, object); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

func (a *Applier) apply(ctx context.Context, object *unstructured.Unstructured) error {
	gvk := object.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	data, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	force := true
	_, err = a.client.Resource(mapping.Resource).Namespace(object.GetNamespace()).Patch(ctx, object.GetName(),
		types.ApplyPatchType, data, metav1.PatchOptions{
			FieldManager:    a.fieldManager,
			Force:           &force,
			FieldValidation: metav1.FieldValidationStrict,
		})
	if err != nil || gvk.GroupKind() != crdKind {
		return err
	}
	return a.waitUntilServed(ctx, object)
}

var crdKind = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}

// waitUntilServed waits until discovery has the resource of a definition.
func (a *Applier) waitUntilServed(ctx context.Context, crd *unstructured.Unstructured) error {
	group, _, err := unstructured.NestedString(crd.Object, "spec", "group")
	if err != nil {
		return err
	}
	kind, _, err := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	if err != nil {
		return err
	}
	served := schema.GroupKind{Group: group, Kind: kind}
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, servedTimeout, true, func(context.Context) (bool, error) {
		_, err := a.mapper.RESTMapping(served)
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("waiting until it is served: %w", err)
	}
	return nil
}
