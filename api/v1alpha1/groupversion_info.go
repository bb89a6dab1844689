// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 contains TrustPolicy and RegistryConfig, assay.dev/v1alpha1, and the condition
// types, reasons and annotations that Assay writes and reads.
//
// +kubebuilder:object:generate=true
// +groupName=assay.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the API group and version of TrustPolicy and RegistryConfig.
	GroupVersion = schema.GroupVersion{Group: "assay.dev", Version: "v1alpha1"}

	// SchemeBuilder registers the types of this package.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &TrustPolicy{}, &TrustPolicyList{}, &RegistryConfig{}, &RegistryConfigList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
