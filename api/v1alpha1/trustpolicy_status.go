// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TrustPolicyStatus is what Assay has found about a TrustPolicy.
type TrustPolicyStatus struct {
	// observedGeneration is the generation of the spec that the status is about; -1 before
	// Assay has looked at it.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the policy: Ready, and where there is cause Stalled, RevocationLost and
	// KeyDataSkipped.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// keys are the public keys that were found, and the sources in which none was.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Keys []KeyStatus `json:"keys,omitempty"`

	// keySummary counts the keys and signers: "<usable>/<all>".
	// +optional
	// +kubebuilder:validation:MaxLength=16
	KeySummary string `json:"keySummary,omitempty"`

	// signers has one entry for each entry in spec.signers.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Signers []SignerStatus `json:"signers,omitempty"`

	// revocations are those that were ever seen in a key source. They are remembered to
	// notice when one disappears, and decide nothing. Once the list is full, no more are.
	// +optional
	// +listType=map
	// +listMapKey=fingerprint
	// +kubebuilder:validation:MaxItems=256
	Revocations []SeenRevocation `json:"revocations,omitempty"`

	// images counts the images that the policy was applied to.
	// +optional
	Images *ImageCounts `json:"images,omitempty"`
}

// SignerStatus is an identity that a certificate authority vouches for, and that a policy
// trusts to sign.
type SignerStatus struct {
	// name of the signer in this policy.
	// +required
	Name EntryName `json:"name"`

	// expires is when the last CA certificate of a signer of kind pki expires. It is absent for
	// fulcio, where a certificate has to be valid when the signature was made.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	Expires *metav1.Time `json:"expires,omitempty"`

	// usable is true when signatures by the signer can be verified now.
	// +required
	Usable bool `json:"usable"`

	// reason is one word for why they cannot, or what is odd about a signer that is usable.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// message says what the reason means for the signer and what to do about it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// SeenRevocation is a revocation that was seen in a key source.
type SeenRevocation struct {
	// fingerprint of the revoked key in upper-case hexadecimal: with OpenPGP, a primary key or
	// a subkey that signs.
	// +required
	Fingerprint Fingerprint `json:"fingerprint"`

	// name of an entry in spec.keys that held the key when its revocation was first seen.
	// +optional
	Name EntryName `json:"name,omitempty"`
}

// KeyStatus is one public key of a policy, or a source that holds none.
type KeyStatus struct {
	// name of the entry in spec.keys.
	// +required
	Name EntryName `json:"name"`

	// source is where the key was found, for example Secret/release-keys[signer.asc].
	// +optional
	// +kubebuilder:validation:MaxLength=600
	Source string `json:"source,omitempty"`

	// fingerprint of the key in upper-case hexadecimal: with OpenPGP, that of the primary key.
	// +optional
	Fingerprint Fingerprint `json:"fingerprint,omitempty"`

	// userID is whose key it is, where its format says so: with OpenPGP, the primary user ID.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	UserID string `json:"userID,omitempty"`

	// algorithm of the key, for example RSA-4096 or Ed25519: with OpenPGP, of the primary key.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Algorithm string `json:"algorithm,omitempty"`

	// created is when the key was made; absent when its format does not say.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	Created *metav1.Time `json:"created,omitempty"`

	// expires is when the key expires; absent when it does not.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	Expires *metav1.Time `json:"expires,omitempty"`

	// usable is true when the key can verify signatures now.
	// +required
	Usable bool `json:"usable"`

	// reason is one word for why the key is not usable, or what is odd about one that is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// message says what the reason means for the key and what to do about it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// ImageCounts counts images by verdict.
type ImageCounts struct {
	// verified images.
	// +required
	// +kubebuilder:validation:Minimum=0
	Verified int32 `json:"verified"`

	// failed images.
	// +required
	// +kubebuilder:validation:Minimum=0
	Failed int32 `json:"failed"`

	// unknown images: they could not be checked.
	// +required
	// +kubebuilder:validation:Minimum=0
	Unknown int32 `json:"unknown"`
}
