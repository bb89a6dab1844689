// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DiscoveredLabel, with the value "true", marks an Image that Assay made because a workload uses
// it. Assay fetches its signatures.
const DiscoveredLabel = "assay.dev/discovered"

// ImportAnnotation, with the value "true", makes Assay fetch the signatures of an Image that
// somebody else made.
const ImportAnnotation = "assay.dev/import"

// ImportedFromAnnotation marks a signature of an Image that Assay fetched. Its value is
// ImportedFromStore while a store has the signature, and ImportedLeftStore once every store was
// asked and none has it. Assay removes no signature.
const ImportedFromAnnotation = "assay.dev/imported"

// Values of ImportedFromAnnotation.
const (
	ImportedFromStore = "FromStore"
	ImportedLeftStore = "LeftStore"
)

// ImportedCondition is the condition of an Image whose signatures Assay fetches. It reports
// whether every signature store was asked:
//   - True: all were. Verified goes by what they hold.
//   - False: one could not be asked; it is asked again. Until then an Image that is not verified
//     is Unknown with SignaturesUnavailable.
//
// Absent before the first attempt, and on Images whose signatures Assay does not fetch.
// Normal-true.
const ImportedCondition = "Imported"

// Reasons of the Imported condition, and results of a store.
const (
	// ReasonImported: the stores were asked, and hold signatures.
	ReasonImported = "Imported"
	// ReasonNoSignaturesFound: the stores were asked, and hold no signature of the image.
	ReasonNoSignaturesFound = "NoSignaturesFound"
	// ReasonManifestNotFound: the registry has no image of that digest.
	ReasonManifestNotFound = "ManifestNotFound"
	// ReasonTooLarge: a signature or an index is larger than what is fetched. Others are used.
	ReasonTooLarge = "TooLarge"
	// ReasonTooManySignatures: the stores hold more signatures than an Image can have. The first
	// are used.
	ReasonTooManySignatures = "TooManySignatures"
	// ReasonNoSignatureStore: the RegistryConfig of the image leaves no store to ask.
	ReasonNoSignatureStore = "NoSignatureStore"
	// ReasonStoreUnavailable: a store cannot be reached, or answers with an error.
	ReasonStoreUnavailable = "StoreUnavailable"
	// ReasonRateLimited: a store asks to send fewer requests. Also of a RegistryConfig.
	ReasonRateLimited = "RateLimited"
	// ReasonUnauthorized: a store requires a credential, or refuses the one that is configured.
	// Also of a RegistryConfig.
	ReasonUnauthorized = "Unauthorized"
	// ReasonHostNotAllowed: no TrustPolicy or RegistryConfig allows to contact the host, or it
	// has an address that is not contacted. Also of a RegistryConfig.
	ReasonHostNotAllowed = "HostNotAllowed"
	// ReasonTLSError: the certificate of a store is not accepted, or it does not speak TLS. A
	// result of stores, and a reason of RegistryConfigs.
	ReasonTLSError = "TLSError"
)

// ReasonSignaturesUnavailable: the signatures that the Image has do not satisfy the policies, and
// a signature store could not be asked for others. Of Images only.
const ReasonSignaturesUnavailable = "SignaturesUnavailable"

// Reasons of the Ready condition of a RegistryConfig, beside those that stores have.
const (
	// ReasonReachable: the hosts that were asked since the last change answered.
	ReasonReachable = "Reachable"
	// ReasonNotContacted: no image in the scopes has needed a request yet.
	ReasonNotContacted = "NotContacted"
	// ReasonUnavailable: a host cannot be reached, or answers with an error.
	ReasonUnavailable = "Unavailable"
	// ReasonScopeConflict: another RegistryConfig has the same scope, and is used.
	ReasonScopeConflict = "ScopeConflict"
	// ReasonInvalidConfig: the Secret or ConfigMap that the RegistryConfig names does not exist or
	// cannot be read.
	ReasonInvalidConfig = "InvalidConfig"
)

// IsImported reports whether Assay fetches the signatures of an Image.
func IsImported(image metav1.Object) bool {
	return image.GetLabels()[DiscoveredLabel] == "true" || image.GetAnnotations()[ImportAnnotation] == "true"
}

// ImportReasons returns the reasons of the Imported condition.
func ImportReasons() []string {
	return []string{
		ReasonImported, ReasonNoSignaturesFound, ReasonManifestNotFound, ReasonTooLarge, ReasonTooManySignatures,
		ReasonNoSignatureStore, ReasonStoreUnavailable, ReasonRateLimited, ReasonUnauthorized, ReasonHostNotAllowed,
	}
}
