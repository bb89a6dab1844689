// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1

// ImageTag is a tag by which workloads refer to an image.
type ImageTag struct {
	// name of the tag, without the repository.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
}
