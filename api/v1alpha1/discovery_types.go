// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// DiscoveryLabel, set to DiscoveryLabelDisabled on a Namespace, keeps Assay from making Images for
// what the workloads of the namespace refer to.
const (
	DiscoveryLabel         = "assay.dev/discovery"
	DiscoveryLabelDisabled = "disabled"
)

// Discovery is whether Images are made for what workloads refer to.
//
// +kubebuilder:validation:Enum=Enabled;Disabled
type Discovery string

const (
	// DiscoveryEnabled makes Images for the references of workloads.
	DiscoveryEnabled Discovery = "Enabled"
	// DiscoveryDisabled makes none: somebody else creates the Images.
	DiscoveryDisabled Discovery = "Disabled"
)

// ReasonTooManyReferences is the reason of the event about a Namespace whose workloads refer to
// more images than Images are made for.
const ReasonTooManyReferences = "TooManyReferences"

// ReasonTagMoved is the reason of the event about an Image of which a tag now is that was another
// image before.
const ReasonTagMoved = "TagMoved"
