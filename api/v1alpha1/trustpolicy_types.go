// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TrustPolicy says which keys may sign which images.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=trustpolicies,singular=trustpolicy,shortName=tp
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Keys",type=string,JSONPath=`.status.keySummary`,description="usable keys and signers / all of them"
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.spec.enforcement`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type TrustPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is trusted.
	// +required
	Spec TrustPolicySpec `json:"spec"`

	// status is what Assay has found about it.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status TrustPolicyStatus `json:"status,omitempty"`
}

// TrustPolicySpec says which keys and signers may sign which images.
//
// +kubebuilder:validation:XValidation:rule="has(self.keys) || has(self.signers)",message="give keys, signers or both"
// +kubebuilder:validation:XValidation:rule="!has(self.keys) || !has(self.signers) || self.signers.all(s, !self.keys.exists(k, k.name == s.name))",message="a key and a signer have the same name; names are unique in a policy"
type TrustPolicySpec struct {
	// scopes are the images that the policy is for, each one of:
	//   - registry.example.com/team/app:v1 or …@sha256:<hex>: one reference
	//   - registry.example.com/team/app: a repository
	//   - registry.example.com/team: every repository below it
	//   - registry.example.com or registry.example.com:5000: a registry
	//   - *.example.com: every registry below a domain
	// Names are written in full, docker.io/library/busybox for busybox, and hosts in the one
	// spelling that docs/admission.md describes. A scope without a port is also for port 80,
	// unless another scope is for that port. For each image the most specific scope wins, and
	// every policy that has it must be satisfied.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Scopes []Scope `json:"scopes"`

	// keys are sources of the public keys that are trusted to sign. The content of a source
	// tells which format its keys have: OpenPGP or PEM.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Keys []TrustedKey `json:"keys,omitempty"`

	// signers are identities that are trusted to sign, and for which a certificate authority
	// certifies keys. They are for signatures of type sigstore.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Signers []TrustedSigner `json:"signers,omitempty"`

	// revokedKeys are keys by which no signature is accepted, under this TrustPolicy or any
	// other, whatever a key source says. A revocation that is listed here is not lost when a
	// Secret is created again from an older copy of a key.
	// +optional
	// +listType=map
	// +listMapKey=fingerprint
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="[self.map(k, k.fingerprint.upperAscii())].all(fs, fs.all(f, fs.indexOf(f) == fs.lastIndexOf(f)))",message="a fingerprint is listed twice; upper and lower case are the same"
	RevokedKeys []RevokedKey `json:"revokedKeys,omitempty"`

	// signedIdentity says how the name that was signed must agree with the image's reference.
	// +optional
	// +kubebuilder:default={matchPolicy: MatchRepoDigestOrExact}
	SignedIdentity *SignedIdentity `json:"signedIdentity,omitempty"`

	// unnamedSignatures says what becomes of signatures that state no name of an image, as those
	// of cosign 3 do not: Reject refuses them; Accept accepts them for the image's digest, and
	// signedIdentity does not apply to them.
	// +optional
	// +kubebuilder:default=Reject
	UnnamedSignatures UnnamedSignaturesPolicy `json:"unnamedSignatures,omitempty"`

	// requiredSignatures is how many different signers must have signed an image: keys, and
	// entries of signers.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	RequiredSignatures int32 `json:"requiredSignatures,omitempty"`

	// expiredKeys defines what becomes of signatures when their key expires: Reject refuses
	// them; AcceptSignaturesBeforeExpiry goes on accepting those that say that they were
	// made before. The time in a signature is what its signer says: use it for archives.
	// +optional
	// +kubebuilder:default=Reject
	ExpiredKeys ExpiredKeysPolicy `json:"expiredKeys,omitempty"`

	// enforcement defines what admission does with a Pod whose image is not verified.
	// +optional
	// +kubebuilder:default=Enforce
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// discovery defines whether Assay makes an Image for each image in the scopes that a workload
	// refers to. Where several TrustPolicies apply to an image, one that says Disabled decides.
	// +optional
	// +kubebuilder:default=Enabled
	Discovery Discovery `json:"discovery,omitempty"`
}

// ExpiredKeysPolicy says what becomes of signatures by a key that has expired.
//
// +kubebuilder:validation:Enum=Reject;AcceptSignaturesBeforeExpiry
type ExpiredKeysPolicy string

const (
	// ExpiredKeysReject refuses every signature by an expired key.
	ExpiredKeysReject ExpiredKeysPolicy = "Reject"
	// ExpiredKeysAcceptSignaturesBeforeExpiry accepts signatures that claim to be made before the key expired.
	ExpiredKeysAcceptSignaturesBeforeExpiry ExpiredKeysPolicy = "AcceptSignaturesBeforeExpiry"
)

// Enforcement is what admission does with a Pod whose image is not verified.
//
// +kubebuilder:validation:Enum=Enforce;Warn;Audit
type Enforcement string

const (
	// EnforcementEnforce refuses the Pod.
	EnforcementEnforce Enforcement = "Enforce"
	// EnforcementWarn admits the Pod and warns the client.
	EnforcementWarn Enforcement = "Warn"
	// EnforcementAudit admits the Pod and adds an annotation to the audit event.
	EnforcementAudit Enforcement = "Audit"
)

// Scope is the images that a TrustPolicy is for: a reference, a repository, a namespace, a
// registry, or every registry below a domain.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^([*]([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:[1-9][0-9]{0,4})?|([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[[][a-f0-9:]+[]])(:[1-9][0-9]{0,4})?((/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?)?)$')",message="a scope is host[:port], host[:port]/path, host[:port]/path:tag, host[:port]/path@digest or *.domain[:port]: hosts and paths in lower case, no underscore in a host, no scheme, no slash at the end, no white space, ports without leading zeros, not both a tag and a digest"
// +kubebuilder:validation:XValidation:rule="self.matches('^([*]|localhost$|localhost/|[^/]*[.:])') && !self.matches('^((index|registry-1)[.]docker[.]io|registry[.]hub[.]docker[.]com)($|[:/])|^docker[.]io/[^/]*[:@]')",message="a scope begins with the name of the registry: docker.io/library/busybox for busybox, docker.io for index.docker.io"
// +kubebuilder:validation:XValidation:rule="!self.matches('^[*].*[.]([0-9]+|0x[0-9a-f]*)(:[0-9]+)?$')",message="a wildcard stands for the subdomains of a domain, and an IP address has none"
// +kubebuilder:validation:XValidation:rule="!self.matches('^(localhost|[^/]*[.][^/]*|[[][^/]*[]]):443($|/)|^docker[.]io:80($|/)|^[^/]*:(6553[6-9]|655[4-9][0-9]|65[6-9][0-9]{2}|6[6-9][0-9]{3}|[7-9][0-9]{4})($|/)')",message="a port is at most 65535, and the default port 443 is left out"
// +kubebuilder:validation:XValidation:rule="!self.matches('^([[]|([^/:]*[.])?([0-9]+|0x[0-9a-f]*)($|[:/]))') || [self.split('/')[0]].all(h, [h.startsWith('[') ? h.split(']')[0].substring(1) : h.split(':')[0]].all(a, isIP(a) && ip.isCanonical(a)))",message="a host that is an IP address is written as four decimal numbers without leading zeros, or in brackets as RFC 5952 says"
// +kubebuilder:validation:XValidation:rule="self.split('/')[0].split(':')[0].size() <= 253",message="a host has at most 253 characters"
type Scope string

// EntryName is the name of an entry in spec.keys, for messages and status.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
type EntryName string

// TrustedKey is a source of public keys. A source may hold several keys: OpenPGP keys, armored or
// binary, for signatures of type AtomicImageV1 or atomic, or public keys in PEM for those of type
// sigstore. The content of each file tells which it holds.
//
// +kubebuilder:validation:XValidation:rule="[has(self.secretRef), has(self.configMapRef), has(self.inline)].filter(x, x).size() == 1",message="give exactly one of secretRef, configMapRef and inline"
type TrustedKey struct {
	// name of the entry in this policy, for messages and status.
	// +required
	Name EntryName `json:"name"`

	// secretRef names a Secret in the operator's namespace.
	// +optional
	SecretRef *KeySourceRef `json:"secretRef,omitempty"`

	// configMapRef names a ConfigMap in the operator's namespace.
	// +optional
	ConfigMapRef *KeySourceRef `json:"configMapRef,omitempty"`

	// inline is an ASCII-armored OpenPGP public key block, or public keys in PEM.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Inline string `json:"inline,omitempty"`

	// transparencyLog has the logs of which one must have each signature by these keys. Without
	// it, no log is asked for. It is for keys in PEM.
	// +optional
	TransparencyLog *TransparencyLog `json:"transparencyLog,omitempty"`
}

// Fingerprint is the fingerprint of a public key in hexadecimal: for an OpenPGP key, that of
// the primary key or of the subkey that signs.
//
// +kubebuilder:validation:MinLength=40
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$')",message="a fingerprint has 40 or 64 hexadecimal digits, without 0x and spaces"
type Fingerprint string

// RevokedKey is a key by which no signature is accepted.
type RevokedKey struct {
	// fingerprint of the key, in upper or lower case: with OpenPGP, that of the primary key or
	// of the subkey that signs. A revoked primary key revokes its subkeys.
	// +required
	Fingerprint Fingerprint `json:"fingerprint"`

	// comment is for people: why the key is revoked, and where to read about it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Comment string `json:"comment,omitempty"`
}

// KeySourceRef names a Secret or ConfigMap in the operator's namespace.
type KeySourceRef struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key in the object's data. Without it every entry of the object is read.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// MatchPolicy is a rule for comparing the signed name with the image's reference
// (containers-policy.json(5), signedIdentity).
//
// +kubebuilder:validation:Enum=MatchRepoDigestOrExact;MatchExact;MatchRepository;ExactReference;ExactRepository;RemapIdentity
type MatchPolicy string

const (
	// MatchRepoDigestOrExact wants equal references, or the same repository for an image named by digest alone.
	MatchRepoDigestOrExact MatchPolicy = "MatchRepoDigestOrExact"
	// MatchExact wants equal references, with a tag or digest.
	MatchExact MatchPolicy = "MatchExact"
	// MatchRepository wants the same repository.
	MatchRepository MatchPolicy = "MatchRepository"
	// ExactReference wants the configured reference, whatever the image is called.
	ExactReference MatchPolicy = "ExactReference"
	// ExactRepository wants the configured repository, whatever the image is called.
	ExactRepository MatchPolicy = "ExactRepository"
	// RemapIdentity replaces a prefix of the image's name, then does as MatchRepoDigestOrExact.
	RemapIdentity MatchPolicy = "RemapIdentity"
)

// SignedIdentity says how the name that was signed must agree with the image's reference.
//
// +kubebuilder:validation:XValidation:rule="(self.matchPolicy == 'ExactReference') == has(self.exactReference)",message="exactReference is for matchPolicy ExactReference, and needed there"
// +kubebuilder:validation:XValidation:rule="(self.matchPolicy == 'ExactRepository') == has(self.exactRepository)",message="exactRepository is for matchPolicy ExactRepository, and needed there"
// +kubebuilder:validation:XValidation:rule="(self.matchPolicy == 'RemapIdentity') == has(self.remapIdentity)",message="remapIdentity is for matchPolicy RemapIdentity, and needed there"
type SignedIdentity struct {
	// matchPolicy is the rule.
	//   - MatchRepoDigestOrExact (default): equal references, or the same repository for an
	//     image named by digest alone
	//   - MatchExact: equal references, with a tag or digest
	//   - MatchRepository: the same repository
	//   - ExactReference, ExactRepository: the configured one, whatever the image is called
	//   - RemapIdentity: a prefix of the image's name is replaced, for mirrors
	// +optional
	// +kubebuilder:default=MatchRepoDigestOrExact
	MatchPolicy MatchPolicy `json:"matchPolicy,omitempty"`

	// exactReference is the reference that must have been signed.
	// +optional
	ExactReference *ExactReferenceIdentity `json:"exactReference,omitempty"`

	// exactRepository is the repository that must have been signed.
	// +optional
	ExactRepository *ExactRepositoryIdentity `json:"exactRepository,omitempty"`

	// remapIdentity replaces a prefix of the image's name before the comparison.
	// +optional
	RemapIdentity *RemapIdentityRule `json:"remapIdentity,omitempty"`
}

// ImageReference is a reference with a tag or digest.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?([.][a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|[[][a-fA-F0-9:]+[]])(:[0-9]+)?/)?[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?$')",message="a reference is [host[:port]/]path[:tag][@digest], the path in lower case and without a scheme"
// +kubebuilder:validation:XValidation:rule="self.matches('(:[^/:@]+|@[^/@]+)$') && !self.matches('^([^/]*[.][^/]*|localhost):[0-9]+$')",message="a tag or a digest is needed behind the repository, or no signature can match"
type ImageReference string

// ExactReferenceIdentity is the reference that must have been signed.
type ExactReferenceIdentity struct {
	// reference with a tag or digest, for example registry.example.com/team/app:v1.
	// +required
	Reference ImageReference `json:"reference"`
}

// Repository is a repository without tag and digest.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?([.][a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|[[][a-fA-F0-9:]+[]])(:[0-9]+)?/)?[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*$')",message="a repository is [host[:port]/]path, the path in lower case and without a scheme, tag, digest or slash at the end"
type Repository string

// ExactRepositoryIdentity is the repository that must have been signed.
type ExactRepositoryIdentity struct {
	// repository, for example registry.example.com/team/app.
	// +required
	Repository Repository `json:"repository"`
}

// NamePrefix is a host[:port], a namespace or a repository, in full: the beginning of an
// image's name.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?([.][a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|[[][a-fA-F0-9:]+[]])(:[0-9]+)?(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*$')",message="a prefix is a host[:port], namespace or repository, without a scheme, tag, digest or slash at the end"
// +kubebuilder:validation:XValidation:rule="self.matches('^(localhost$|localhost/|[^/]*[.:A-Z])') && !self.matches('^index[.]docker[.]io($|[:/])')",message="a prefix begins with the name of the registry: docker.io/library/busybox for busybox, docker.io for index.docker.io"
type NamePrefix string

// RemapIdentityRule replaces a prefix of the image's name.
type RemapIdentityRule struct {
	// prefix of the image's name: a host[:port], a namespace or a repository, in full. It
	// is replaced where it ends at a slash or is the whole name; other images are compared as they are.
	// +required
	Prefix NamePrefix `json:"prefix"`

	// signedPrefix takes the place of prefix.
	// +required
	SignedPrefix NamePrefix `json:"signedPrefix"`
}

// TrustPolicyList is a list of TrustPolicies.
//
// +kubebuilder:object:root=true
type TrustPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TrustPolicy `json:"items"`
}
