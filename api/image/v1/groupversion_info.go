// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1 contains the custom-resource form of OpenShift's Image,
// image.openshift.io/v1. It is wire-compatible with the clients generated for
// OpenShift: whatever they send is accepted, and whatever they read, they understand.
//
// +kubebuilder:object:generate=true
// +groupName=image.openshift.io
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the API group and version of Image.
	GroupVersion = schema.GroupVersion{Group: "image.openshift.io", Version: "v1"}

	// SchemeBuilder registers the types of this package.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Image{}, &ImageList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
