// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SignatureTypeNotation is a signature of notation, which is stored and not verified yet.
const SignatureTypeNotation = "notation"

// ImageImport is what came of fetching the signatures of an image.
type ImageImport struct {
	// result is the reason of the condition Imported.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Result string `json:"result,omitempty"`

	// lastTime is when the answers of the stores last changed. Asking again without another answer
	// writes nothing.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$`
	LastTime metav1.Time `json:"lastTime,omitempty"`

	// configuration identifies the RegistryConfig, with its Secret and ConfigMap, by which the
	// stores were asked. An image that is not verified is fetched again when it changes.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Configuration string `json:"configuration,omitempty"`

	// lastHandledRecheckRequest is the value of the annotation assay.dev/recheck-requested-at for
	// which the stores were last asked.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRecheckRequest string `json:"lastHandledRecheckRequest,omitempty"`

	// stores are those that were asked, in this order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Stores []ImportStore `json:"stores,omitempty"`
}

// ImportStore is a store of signatures, and its answer.
type ImportStore struct {
	// url of the store: of a registry, that of the repository in its API.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url"`

	// result is one word for the answer: Imported, NoSignaturesFound, or why there is none.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Result string `json:"result"`

	// signatures is how many signatures of the image the store holds.
	// +optional
	Signatures int32 `json:"signatures,omitempty"`

	// message says what is wrong with the answer.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}
