// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RegistryConfig says how the signatures of images are fetched: from which stores, with which
// credentials. It trusts nothing and nobody; TrustPolicies do.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=registryconfigs,singular=registryconfig,shortName=rc
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Imported",type=integer,JSONPath=`.status.images.imported`
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.images.pending`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.images.failed`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type RegistryConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is how signatures are fetched.
	// +required
	Spec RegistryConfigSpec `json:"spec"`

	// status is what came of it.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status RegistryConfigStatus `json:"status,omitempty"`
}

// RegistryConfigSpec says how the signatures of images are fetched.
//
// +kubebuilder:validation:XValidation:rule="!has(self.mirrors) || size(self.mirrors) == 0 || !self.scopes.exists(s, s.startsWith('*'))",message="mirrors take the place of a scope, and a wildcard has none: list the registries"
// +kubebuilder:validation:XValidation:rule="!has(self.mirrorSourcePolicy) || self.mirrorSourcePolicy != 'NeverContactSource' || (has(self.mirrors) && size(self.mirrors) > 0) || has(self.lookaside)",message="NeverContactSource needs mirrors or a lookaside store: without one there is nothing to contact"
// +kubebuilder:validation:XValidation:rule="!has(self.lookaside) || self.lookaside.startsWith('https://') || (has(self.insecure) && self.insecure)",message="a lookaside store is an https URL; an http URL needs insecure: true"
type RegistryConfigSpec struct {
	// scopes are the images that the configuration is for, as a TrustPolicy has them but without
	// tag and digest. For each image the RegistryConfig with the most specific scope is used, and
	// nothing of any other. Where two have the same scope, the first by name is used.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Scopes []RegistryScope `json:"scopes"`

	// lookaside is the URL of a lookaside store (containers-registries.d(5)). The signatures of
	// registry.example.com/team/app@sha256:<hex> are at
	// <lookaside>/team/app@sha256=<hex>/signature-1, -2 and so on.
	// +optional
	Lookaside StoreURL `json:"lookaside,omitempty"`

	// signatureExtension is whether registries that have the signature extension of OpenShift's
	// API are asked by it.
	// +optional
	// +kubebuilder:default=Auto
	SignatureExtension StoreMode `json:"signatureExtension,omitempty"`

	// attachments is whether registries are asked for signatures that cosign and notation attach
	// to images: OCI referrers, and the tag sha256-<hex>.sig.
	// +optional
	// +kubebuilder:default=Auto
	Attachments StoreMode `json:"attachments,omitempty"`

	// credentials are those of the registry and of mirrors. The entry of the Secret with the
	// longest path that the repository begins with is used. Other hosts get no credential.
	// +optional
	Credentials *RegistryCredentials `json:"credentials,omitempty"`

	// certificateAuthorities are trusted for the registry, mirrors and stores beside those of the
	// operator's image.
	// +optional
	CertificateAuthorities *CertificateAuthorities `json:"certificateAuthorities,omitempty"`

	// mirrors are asked before the registry, in this order. Each takes the place of the scope in
	// the image's name, or of its part that the image's name begins with. They need no trust: the
	// digest is the same.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Mirrors []MirrorPrefix `json:"mirrors,omitempty"`

	// mirrorSourcePolicy is whether the registry itself is asked when no mirror has signatures,
	// as in an ImageDigestMirrorSet. Beside a lookaside store, it may be without mirrors.
	// +optional
	// +kubebuilder:default=AllowContactingSource
	MirrorSourcePolicy MirrorSourcePolicy `json:"mirrorSourcePolicy,omitempty"`

	// allowedHosts are token services and targets of redirects that may have private addresses,
	// each host or host:port. The registry, the mirrors and the lookaside store are allowed
	// already; hosts with public addresses need no permission.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	AllowedHosts []HostPort `json:"allowedHosts,omitempty"`

	// insecure makes the registry and the mirrors be asked by http instead of https, and allows an
	// http URL in lookaside. Everybody on the way can read the credentials then.
	// +optional
	Insecure bool `json:"insecure,omitempty"`

	// requestsPerSecond bounds the requests to each host in the long run.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`
}

// RegistryScope is the images that a RegistryConfig is for: a repository, a namespace, a registry,
// or every registry below a domain.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^([*]([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:[1-9][0-9]{0,4})?|([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[[][a-f0-9:]+[]])(:[1-9][0-9]{0,4})?(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*)$')",message="a scope is host[:port], host[:port]/path or *.domain[:port]: in lower case, no scheme, tag, digest or slash at the end, no white space"
// +kubebuilder:validation:XValidation:rule="self.matches('^([*]|localhost$|localhost/|[^/]*[.:])') && !self.matches('^((index|registry-1)[.]docker[.]io|registry[.]hub[.]docker[.]com)($|[:/])|^docker[.]io:')",message="a scope begins with the name of the registry: docker.io/library/busybox for busybox, docker.io for index.docker.io"
// +kubebuilder:validation:XValidation:rule="!self.matches('^[*].*[.]([0-9]+|0x[0-9a-f]*)(:[0-9]+)?$')",message="a wildcard stands for the subdomains of a domain, and an IP address has none"
// +kubebuilder:validation:XValidation:rule="!self.matches('^(localhost|[^/]*[.][^/]*|[[][^/]*[]]):443($|/)|^[^/]*:(6553[6-9]|655[4-9][0-9]|65[6-9][0-9]{2}|6[6-9][0-9]{3}|[7-9][0-9]{4})($|/)')",message="a port is at most 65535, and the default port 443 is left out"
type RegistryScope string

// StoreURL is the address of a store of signatures.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^https?://([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[[][a-f0-9:]+[]])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~@%+=-]+)*/?$')",message="a store is https://host[:port][/path], without user, query and fragment, the host in lower case"
type StoreURL string

// StoreMode is whether a kind of store is asked.
//
// +kubebuilder:validation:Enum=Auto;Never
type StoreMode string

const (
	// StoreAuto asks the registry if it has such a store.
	StoreAuto StoreMode = "Auto"
	// StoreNever does not ask it.
	StoreNever StoreMode = "Never"
)

// RegistryCredentials are the credentials of registries.
type RegistryCredentials struct {
	// secretRef names a Secret of type kubernetes.io/dockerconfigjson in the operator's namespace.
	// +required
	SecretRef ObjectRef `json:"secretRef"`
}

// CertificateAuthorities are certificates that sign those of servers.
type CertificateAuthorities struct {
	// configMapRef names a ConfigMap in the operator's namespace. Every entry of its data holds
	// certificates in PEM.
	// +required
	ConfigMapRef ObjectRef `json:"configMapRef"`
}

// ObjectRef names an object in the operator's namespace.
type ObjectRef struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// MirrorPrefix is a host[:port], a namespace or a repository: the beginning of the name of images.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[[][a-f0-9:]+[]])(:[1-9][0-9]{0,4})?(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*$') && self.matches('^(localhost$|localhost/|[^/]*[.:])')",message="a mirror is host[:port] or host[:port]/path: in lower case, without scheme, tag, digest and slash at the end"
type MirrorPrefix string

// MirrorSourcePolicy defines whether the registry itself is asked beside its mirrors.
//
// +kubebuilder:validation:Enum=AllowContactingSource;NeverContactSource
type MirrorSourcePolicy string

const (
	// AllowContactingSource asks the registry when no mirror has signatures.
	AllowContactingSource MirrorSourcePolicy = "AllowContactingSource"
	// NeverContactSource asks mirrors only.
	NeverContactSource MirrorSourcePolicy = "NeverContactSource"
)

// HostPort is host or host:port.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=259
// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[[][a-f0-9:]+[]])(:[1-9][0-9]{0,4})?$')",message="a host is host or host:port in lower case"
type HostPort string

// RegistryConfigStatus is what came of a RegistryConfig.
type RegistryConfigStatus struct {
	// observedGeneration is the generation of the spec that the status is about; -1 before Assay
	// has looked at it.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the configuration: Ready reports whether the hosts answer. It is Unknown
	// before a request was needed.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// images counts the images whose signatures are fetched by this configuration.
	// +optional
	Images *ImportCounts `json:"images,omitempty"`
}

// ImportCounts counts images by what came of fetching their signatures.
type ImportCounts struct {
	// imported is how many images have had every store asked.
	// +optional
	Imported int32 `json:"imported"`

	// pending is how many images wait for the first attempt.
	// +optional
	Pending int32 `json:"pending"`

	// failed is how many images have a store that could not be asked.
	// +optional
	Failed int32 `json:"failed"`
}

// RegistryConfigList is a list of RegistryConfigs.
//
// +kubebuilder:object:root=true
type RegistryConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []RegistryConfig `json:"items"`
}
