// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// separator stands between the references of a set. No valid reference contains it.
const separator = "\n"

// set is what an object refers to. Objects with equal sets share one.
type set struct {
	// references are distinct, with separator between them.
	references string
	// idle is set for objects that create no Pods any more, and for Pods that have ended.
	idle bool
	// dropped is how many references are left out.
	dropped int
}

// Object is what is kept of an object while it is on its way from the API server to the table.
type Object struct {
	name            string
	resourceVersion string
	namespace       unique.Handle[string] // zero without a namespace
	set             unique.Handle[set]    // zero without references
	// disabled is set for a Namespace that opts out of discovery.
	disabled bool
	// initialEventsEnd is set for the bookmark that ends the initial events of a streamed list.
	initialEventsEnd bool
}

var (
	_ runtime.Object            = &Object{}
	_ metav1.ObjectMetaAccessor = &Object{}
)

// GetObjectMeta implements metav1.ObjectMetaAccessor. It is how a Reflector reads an object.
func (o *Object) GetObjectMeta() metav1.Object {
	meta := &metav1.ObjectMeta{Name: o.name, ResourceVersion: o.resourceVersion}
	if o.namespace != (unique.Handle[string]{}) {
		meta.Namespace = o.namespace.Value()
	}
	if o.initialEventsEnd {
		meta.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	return meta
}

// GetObjectKind implements runtime.Object.
func (o *Object) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (o *Object) DeepCopyObject() runtime.Object {
	c := *o
	return &c
}

// objectList is a page of a list.
type objectList struct {
	metav1.ListMeta

	Items []Object
}

// GetObjectKind implements runtime.Object.
func (l *objectList) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (l *objectList) DeepCopyObject() runtime.Object {
	c := &objectList{Items: append([]Object(nil), l.Items...)}
	l.ListMeta.DeepCopyInto(&c.ListMeta)
	return c
}
