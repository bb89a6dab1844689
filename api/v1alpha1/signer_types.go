// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// UnnamedSignaturesPolicy says what becomes of signatures that state no name of an image.
//
// +kubebuilder:validation:Enum=Reject;Accept
type UnnamedSignaturesPolicy string

const (
	// UnnamedSignaturesReject refuses them, by every rule of signedIdentity.
	UnnamedSignaturesReject UnnamedSignaturesPolicy = "Reject"
	// UnnamedSignaturesAccept accepts them for the digest alone, whatever the image is called.
	UnnamedSignaturesAccept UnnamedSignaturesPolicy = "Accept"
)

// TrustSource is a source of what a policy trusts beside keys: a trusted root, or certificates or
// public keys in PEM.
//
// +kubebuilder:validation:XValidation:rule="[has(self.secretRef), has(self.configMapRef), has(self.inline)].filter(x, x).size() == 1",message="give exactly one of secretRef, configMapRef and inline"
type TrustSource struct {
	// secretRef names a Secret in the operator's namespace.
	// +optional
	SecretRef *KeySourceRef `json:"secretRef,omitempty"`

	// configMapRef names a ConfigMap in the operator's namespace.
	// +optional
	ConfigMapRef *KeySourceRef `json:"configMapRef,omitempty"`

	// inline is the content itself.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Inline string `json:"inline,omitempty"`
}

// TransparencyLog is the transparency logs of which one must have a signature.
//
// +kubebuilder:validation:XValidation:rule="has(self.trustedRoot) != has(self.rekorKeys)",message="give either trustedRoot or rekorKeys"
type TransparencyLog struct {
	// trustedRoot is the source of one trusted_root.json of sigstore, which names the logs.
	// +optional
	TrustedRoot *TrustSource `json:"trustedRoot,omitempty"`

	// rekorKeys is the source of the logs' public keys in PEM.
	// +optional
	RekorKeys *TrustSource `json:"rekorKeys,omitempty"`
}

// TrustedSigner is an identity that a certificate authority vouches for. It is one signer, no
// matter how many keys the authority certifies for it.
//
// +kubebuilder:validation:XValidation:rule="has(self.fulcio) != has(self.pki)",message="give either fulcio or pki"
type TrustedSigner struct {
	// name of the entry in this policy, for messages and status. No key has the same name.
	// +required
	Name EntryName `json:"name"`

	// fulcio accepts keys that sigstore's Fulcio certified for an OIDC identity, in signatures that
	// a transparency log has recorded.
	// +optional
	Fulcio *FulcioSigner `json:"fulcio,omitempty"`

	// pki accepts certificates of any other certificate authority, as long as they are valid.
	// +optional
	PKI *PKISigner `json:"pki,omitempty"`
}

// FulcioSigner is an identity for which Fulcio certifies keys.
//
// +kubebuilder:validation:XValidation:rule="has(self.trustedRoot) ? !has(self.caCertificates) && !has(self.rekorKeys) : has(self.caCertificates) && has(self.rekorKeys)",message="give either trustedRoot, or both caCertificates and rekorKeys"
type FulcioSigner struct {
	// trustedRoot is the source of one trusted_root.json of sigstore. It names the certificate
	// authorities, the logs and the timestamp authorities, and when each of them is trusted.
	// +optional
	TrustedRoot *TrustSource `json:"trustedRoot,omitempty"`

	// caCertificates is the source of the CA certificates of a private Fulcio in PEM, all of them
	// trust anchors. Certificate transparency and timestamps do not count then.
	// +optional
	CACertificates *TrustSource `json:"caCertificates,omitempty"`

	// rekorKeys is the source of the public keys of the transparency logs in PEM.
	// +optional
	RekorKeys *TrustSource `json:"rekorKeys,omitempty"`

	// oidcIssuer is the URL of the issuer that identified the signer, compared exactly: for example
	// https://token.actions.githubusercontent.com.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/[:space:]]+[^[:space:]]*$')",message="an issuer is a URL with the scheme https or http"
	OIDCIssuer string `json:"oidcIssuer"`

	// subject is who signed.
	// +required
	Subject FulcioSubject `json:"subject"`

	// claims must all be in the certificate, with exactly these values.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Claims []CertificateClaim `json:"claims,omitempty"`
}

// EmailAddress is compared exactly.
//
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=320
// +kubebuilder:validation:XValidation:rule="self.matches('^[^@*[:space:]]+@[^@*[:space:]]+$')",message="an email address is name@domain, compared exactly and without wildcards"
type EmailAddress string

// FulcioSubject selects the one subject alternative name of a certificate by Fulcio. Names are
// compared exactly, and only with a name of the same type.
//
// +kubebuilder:validation:XValidation:rule="[has(self.email), has(self.uri), has(self.uriPrefix), has(self.username)].filter(x, x).size() == 1",message="give exactly one of email, uri, uriPrefix and username"
type FulcioSubject struct {
	// email is an email address.
	// +optional
	Email EmailAddress `json:"email,omitempty"`

	// uri is a URI, as the workflows of CI systems have: for example
	// https://github.com/org/repo/.github/workflows/release.yml@refs/heads/main.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9+.-]*:[^[:space:]*]+$')",message="a URI has a scheme; it is compared exactly, without wildcards and regular expressions"
	URI string `json:"uri,omitempty"`

	// uriPrefix is the beginning of a URI, up to and including a slash of its path or an @: for
	// example https://github.com/org/ or https://github.com/org/repo/.github/workflows/release.yml@.
	// Something must follow, without a segment "." or "..".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9+.-]*://[^/@[:space:]*]+/([^[:space:]*]*[/@])?$')",message="a prefix is scheme://host/path and ends with a slash or an @; wildcards and regular expressions are not known"
	URIPrefix string `json:"uriPrefix,omitempty"`

	// username is a name that Fulcio issues for a username, for example user!example.com.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=320
	Username string `json:"username,omitempty"`
}

// ClaimName is the name of a claim that Fulcio copies from an OIDC token into a certificate
// (Fulcio's docs/oid-info.md).
//
// +kubebuilder:validation:Enum=buildConfigDigest;buildConfigURI;buildSignerDigest;buildSignerURI;buildTrigger;deploymentEnvironment;githubWorkflowName;githubWorkflowRef;githubWorkflowRepository;githubWorkflowSHA;githubWorkflowTrigger;runInvocationURI;runnerEnvironment;sourceRepositoryDigest;sourceRepositoryIdentifier;sourceRepositoryOwnerIdentifier;sourceRepositoryOwnerURI;sourceRepositoryRef;sourceRepositoryURI;sourceRepositoryVisibilityAtSigning
type ClaimName string

// CertificateClaim is a claim that a certificate by Fulcio must have.
type CertificateClaim struct {
	// name of the claim.
	// +required
	Name ClaimName `json:"name"`

	// value of the claim, compared exactly.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`
}

// PKISigner is an identity that a certificate authority other than Fulcio vouches for. The whole
// chain of certificates has to be valid at present, not when the signature was made.
type PKISigner struct {
	// caCertificates is the source of CA certificates in PEM, all of them trust anchors.
	// +required
	CACertificates TrustSource `json:"caCertificates"`

	// intermediates is the source of CA certificates in PEM that may be needed to find an anchor.
	// +optional
	Intermediates *TrustSource `json:"intermediates,omitempty"`

	// subject is who signed.
	// +required
	Subject PKISubject `json:"subject"`
}

// PKISubject is what a certificate must be for: where both are given, for both.
//
// +kubebuilder:validation:XValidation:rule="has(self.email) || has(self.hostname)",message="give email, hostname or both"
type PKISubject struct {
	// email must be among the certificate's email addresses.
	// +optional
	Email EmailAddress `json:"email,omitempty"`

	// hostname must be among the certificate's DNS names, in upper or lower case. A wildcard in the
	// certificate does not count.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$')",message="a hostname is a DNS name without wildcards"
	Hostname string `json:"hostname,omitempty"`
}
