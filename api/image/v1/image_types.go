// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// The pattern of every time is the form of RFC 3339 that Kubernetes writes: in UTC. An API
// server takes more for a date-time. An Image that says 2020-01-01t00:00:00z could be stored
// but not read, and would end the lists and watches of typed clients; one that says
// 0000-01-01T00:00:00+23:59 could be read but not written back, because in UTC that is in a
// year before 0000.

// Image is an immutable container image together with its signatures. Clients
// store signatures as opaque content; Assay verifies each of them against the
// TrustPolicies that cover the image and records the verdict.
//
// An Image for a manifest digest is named sha256-<64 hex digits>; other names are allowed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=images,singular=image,shortName=img
// +kubebuilder:selectablefield:JSONPath=`.status.verified`
// +kubebuilder:selectablefield:JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Verified",type=string,JSONPath=`.status.verified`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Signatures",type=string,JSONPath=`.status.signatureSummary`,description="verified signatures / all signatures"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reference",type=string,priority=1,JSONPath=`.dockerImageReference`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Verified")].message`
type Image struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// dockerImageReference is the reference by which the image can be pulled, for
	// example registry.example.com/team/app@sha256:<hex>. It decides which
	// TrustPolicies apply, and signed identities are compared with it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	DockerImageReference string `json:"dockerImageReference,omitempty"`

	// dockerImageMetadata is metadata about the image, free in form. Assay does not read it.
	// +optional
	// +mapType=atomic
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	DockerImageMetadata runtime.RawExtension `json:"dockerImageMetadata,omitempty"`

	// dockerImageMetadataVersion is the version of dockerImageMetadata; empty means "1.0".
	// +optional
	DockerImageMetadataVersion string `json:"dockerImageMetadataVersion,omitempty"`

	// dockerImageManifest is the raw JSON of the image's manifest, byte for byte. The
	// image's digest is computed from it.
	// +optional
	DockerImageManifest string `json:"dockerImageManifest,omitempty"`

	// dockerImageManifestMediaType is the media type of the manifest.
	// +optional
	DockerImageManifestMediaType string `json:"dockerImageManifestMediaType,omitempty"`

	// dockerImageManifests describes the images of a manifest list or image index.
	// +optional
	// +listType=atomic
	DockerImageManifests []ImageManifest `json:"dockerImageManifests,omitempty"`

	// dockerImageConfig is the raw JSON of the image's configuration. Assay does not read it.
	// +optional
	DockerImageConfig string `json:"dockerImageConfig,omitempty"`

	// dockerImageLayers are the layers of the image. Absent for a manifest list.
	// +optional
	// +listType=atomic
	DockerImageLayers []ImageLayer `json:"dockerImageLayers,omitempty"`

	// dockerImageSignatures are the signatures of a Docker schema 1 manifest. They say
	// nothing about who published the image, and Assay does not read them.
	// +optional
	// +listType=atomic
	DockerImageSignatures [][]byte `json:"dockerImageSignatures,omitempty"`

	// signatures are the signatures of the image. Assay fills the conditions and the
	// derived fields of each and leaves the rest as it is.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Signatures []ImageSignature `json:"signatures,omitempty"`

	// status is what Assay found. It is output only: a verdict is always made anew from
	// the content of the signatures.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status ImageStatus `json:"status,omitempty"`
}

// ImageManifest is one image of a manifest list or image index.
type ImageManifest struct {
	// digest is the digest of the manifest.
	// +optional
	Digest string `json:"digest"`

	// mediaType is the media type of the manifest.
	// +optional
	MediaType string `json:"mediaType"`

	// manifestSize is the size of the manifest in bytes.
	// +optional
	ManifestSize int64 `json:"manifestSize"`

	// architecture is the CPU architecture that the image is for, for example amd64.
	// +optional
	Architecture string `json:"architecture"`

	// os is the operating system that the image is for, for example linux.
	// +optional
	OS string `json:"os"`

	// variant is the variant of the CPU, for example v7.
	// +optional
	Variant string `json:"variant,omitempty"`
}

// ImageLayer is one layer of an image.
type ImageLayer struct {
	// name is the digest of the layer.
	// +optional
	Name string `json:"name"`

	// size is the size of the layer in bytes.
	// +optional
	LayerSize int64 `json:"size"`

	// mediaType is the media type of the layer.
	// +optional
	MediaType string `json:"mediaType"`
}

// Types of signatures that Assay verifies. The first two name the same format: an OpenPGP
// signed message around the JSON of containers-signature(5).
const (
	// SignatureTypeAtomicImageV1 is the name that OpenShift uses.
	SignatureTypeAtomicImageV1 = "AtomicImageV1"
	// SignatureTypeAtomic is the name that skopeo and the registry extension API use.
	SignatureTypeAtomic = "atomic"
	// SignatureTypeSigstore is a signature of sigstore: a sigstore bundle, or the form in which
	// containers/image keeps signatures of cosign.
	SignatureTypeSigstore = "sigstore"
)

// ImageSignature is one signature of an image. type and content are given by the
// client; every other field is filled from the content once it is verified.
type ImageSignature struct {
	// Plain fields rather than an embedded TypeMeta, which would make controller-gen
	// take a signature for a resource of its own.

	// apiVersion is accepted, because OpenShift's clients may send it, and not read.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`

	// kind is accepted, because OpenShift's clients may send it, and not read.
	// +optional
	Kind string `json:"kind,omitempty"`

	// metadata names the signature. OpenShift calls signatures <image name>@<signature name>.
	// +optional
	SignatureMeta `json:"metadata,omitempty"`

	// type is the type of the content: AtomicImageV1, atomic or sigstore.
	// +required
	// +kubebuilder:validation:MinLength=1
	Type string `json:"type"`

	// content is the signature itself, base64-encoded as all binary data in JSON: for
	// AtomicImageV1 and atomic, an OpenPGP signed message in binary; for sigstore, a sigstore
	// bundle, or the form in which containers/image keeps signatures of cosign.
	// +required
	// +kubebuilder:validation:MinLength=1
	Content []byte `json:"content"`

	// conditions say what came of the last check. Assay always writes both: Complete is
	// True for a verified signature, Failed is True for a refused one, and both are
	// Unknown when the signature could not be checked.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []SignatureCondition `json:"conditions,omitempty"`

	// imageIdentity is the docker-reference that was signed. Only set when verified.
	// +optional
	ImageIdentity string `json:"imageIdentity,omitempty"`

	// signedClaims are the signed statements, flattened: for example
	// critical.image.docker-manifest-digest and optional.creator. Only set when verified.
	// +optional
	SignedClaims map[string]string `json:"signedClaims,omitempty"`

	// created is when the signature was made, as its signer claims. Only set when verified, and
	// when the signature states it.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$`
	Created *metav1.Time `json:"created,omitempty"`

	// issuedBy is who vouches for the signing key: with OpenPGP, the owner of the primary
	// key. Only set when verified.
	// +optional
	IssuedBy *SignatureIssuer `json:"issuedBy,omitempty"`

	// issuedTo is who signed the image. When verified it names the trusted key; before
	// that, publicKeyID names the key that the signature claims to be made by.
	// A publicKeyID given by a client is a constraint: the signature fails when another
	// key made it.
	// +optional
	IssuedTo *SignatureSubject `json:"issuedTo,omitempty"`
}

// SignatureMeta is the object metadata of a signature: those fields that OpenShift's
// servers fill in or let clients set.
//
// It is not metav1.ObjectMeta, for which a CRD gets a schema without the fields that
// servers fill in: a strict server would then refuse manifests exported from OpenShift
// (creationTimestamp is an unknown field), and a lenient one would lose what they say.
type SignatureMeta struct {
	// name of the signature.
	// +optional
	Name string `json:"name,omitempty"`

	// generateName is accepted, because OpenShift's clients may send it, and not read.
	// +optional
	GenerateName string `json:"generateName,omitempty"`

	// namespace is accepted, because OpenShift's clients may send it, and not read.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// uid is what the server that first stored the signature called it.
	// +optional
	UID types.UID `json:"uid,omitempty"`

	// resourceVersion is accepted, because OpenShift's clients may send it, and not read.
	// +optional
	ResourceVersion string `json:"resourceVersion,omitempty"`

	// generation is accepted, because OpenShift's clients may send it, and not read.
	// +optional
	Generation int64 `json:"generation,omitempty"`

	// creationTimestamp is when the signature was first stored.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$`
	CreationTimestamp *metav1.Time `json:"creationTimestamp,omitempty"`

	// labels of the signature. OpenShift's servers refuse them.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// annotations of the signature. OpenShift's servers refuse them.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// finalizers is accepted, because OpenShift's clients may send it, and not read.
	// +optional
	// +listType=atomic
	Finalizers []string `json:"finalizers,omitempty"`
}

// SignatureConditionType is the type of a signature's condition.
type SignatureConditionType string

const (
	// SignatureComplete is True when the signature was verified: made by a trusted key,
	// for this image's digest and for an identity that the TrustPolicy accepts. It is
	// False when the signature was refused and Unknown when it could not be checked.
	// Always present after the first check. Normal-true.
	SignatureComplete SignatureConditionType = "Complete"

	// SignatureFailed is True when the signature was refused, False when it was verified
	// and Unknown when it could not be checked.
	// Always present after the first check. Abnormal-true.
	SignatureFailed SignatureConditionType = "Failed"
)

// SignatureCondition is one finding about a signature at a given time.
type SignatureCondition struct {
	// type of the condition: Complete or Failed.
	// +required
	Type SignatureConditionType `json:"type"`

	// status of the condition: True, False or Unknown.
	// +required
	// +kubebuilder:validation:Enum=True;False;Unknown
	Status corev1.ConditionStatus `json:"status"`

	// lastProbeTime is when the signature was last checked. It is refreshed at most once
	// per recheck interval unless the verdict changes.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$`
	LastProbeTime metav1.Time `json:"lastProbeTime,omitempty"`

	// lastTransitionTime is when the status last changed.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$`
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`

	// reason is one word, fit for programs, for the verdict.
	// +optional
	Reason string `json:"reason,omitempty"`

	// message says for people what was found and what to do about it.
	// +optional
	Message string `json:"message,omitempty"`
}

// SignatureGenericEntity is a person or an organization.
type SignatureGenericEntity struct {
	// organization is the name of the organization.
	// +optional
	Organization string `json:"organization,omitempty"`

	// commonName is the name of the person or entity: the user ID of an OpenPGP key.
	// +optional
	CommonName string `json:"commonName,omitempty"`
}

// SignatureIssuer is who vouches for a signing key.
type SignatureIssuer struct {
	SignatureGenericEntity `json:",inline"`
}

// SignatureSubject is who made a signature.
type SignatureSubject struct {
	SignatureGenericEntity `json:",inline"`

	// publicKeyID is 0x followed by the fingerprint of the signer's key in hexadecimal: with
	// OpenPGP, that of the primary key; with sigstore, the SHA-256 digest of the public key.
	// Clients may give at least its lowest 64 bits.
	// +required
	PublicKeyID string `json:"publicKeyID"`
}

// ImageStatus is what Assay found about an image.
type ImageStatus struct {
	// observedGeneration is the generation of the Image that the status is about; -1 before
	// the first check.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the image. Verified is True when the signatures satisfy every
	// TrustPolicy that applies, False when they do not, and Unknown when this could
	// not be checked. Ready and Stalled say the same in the terms of kstatus.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// verified is the status of the condition Verified, for field selectors. It is absent
	// before the first check.
	// +optional
	// +kubebuilder:validation:Enum=True;False;Unknown
	Verified metav1.ConditionStatus `json:"verified,omitempty"`

	// reason is that of the condition Verified, for field selectors.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// digest of the image's manifest, sha256:<hex>, for which signatures are accepted.
	// +optional
	// +kubebuilder:validation:MaxLength=160
	Digest string `json:"digest,omitempty"`

	// signatureSummary counts the signatures: "<verified>/<all>".
	// +optional
	// +kubebuilder:validation:MaxLength=16
	SignatureSummary string `json:"signatureSummary,omitempty"`

	// lastHandledRecheckRequest is the value of the annotation assay.dev/recheck-requested-at
	// that was last handled.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRecheckRequest string `json:"lastHandledRecheckRequest,omitempty"`

	// import is what came of fetching the signatures of the image; absent when Assay does not
	// fetch them, and before the first attempt.
	// +optional
	Import *ImageImport `json:"import,omitempty"`

	// policies are the TrustPolicies that were applied, by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Policies []AppliedPolicy `json:"policies,omitempty"`

	// unusedSince is since when no workload has referred to an image that Assay discovered.
	// After the time that --image-retention sets, the Image is deleted.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$`
	UnusedSince *metav1.Time `json:"unusedSince,omitempty"`

	// tags are those by which workloads refer to the image, as the registry resolved them last.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Tags []ImageTag `json:"tags,omitempty"`
}

// AppliedPolicy is a TrustPolicy that was applied to an image, and what came of it.
type AppliedPolicy struct {
	// name of the TrustPolicy.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// scope of the policy by which it applies to the image.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Scope string `json:"scope,omitempty"`

	// status is True when enough signatures satisfy the policy, False when they do not
	// and Unknown when this could not be checked.
	// +required
	// +kubebuilder:validation:Enum=True;False;Unknown
	Status metav1.ConditionStatus `json:"status"`
}

// ImageList is a list of Images.
//
// +kubebuilder:object:root=true
type ImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Image `json:"items"`
}
