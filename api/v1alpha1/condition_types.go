// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

const (
	// VerifiedCondition is the condition of an Image that reports whether its signatures
	// satisfy every TrustPolicy that applies to it:
	//   - True: verified; the reason is Verified.
	//   - False: refused; the reason is that of the signature that came furthest.
	//   - Unknown: could not be checked, and is checked again when that may have changed.
	// Always present after the first check. Normal-true.
	VerifiedCondition = "Verified"

	// ReadyCondition is the condition of both kinds that tools which know kstatus wait for.
	//
	// Of a TrustPolicy, it reports whether the policy can be applied:
	//   - True: at least one of its keys and signers can verify signatures.
	//   - False: none can; images in its scopes are Unknown with KeysUnavailable.
	//
	// Of an Image, it has the status and the reason of Verified. Its message is empty unless the
	// Image could not be checked: that of a refused one is in Stalled.
	//
	// Always present after the first check or reconciliation. Normal-true.
	ReadyCondition = "Ready"

	// StalledCondition is the condition of both kinds by which kstatus tells what has failed
	// from what is in progress. It is True when somebody has to change something first:
	//   - of an Image, when it was refused: Verified is False;
	//   - of a TrustPolicy, when it is not Ready although every key source that it names exists.
	// Present only while it is True. Abnormal-true.
	StalledCondition = "Stalled"

	// RevocationLostCondition is the condition of a TrustPolicy that is True when a key source
	// held the revocation of a key before, and now has the key without it: the source was
	// probably created again from an older copy. Signatures by the key are accepted again. It
	// ends when the fingerprint is listed in any TrustPolicy's spec.revokedKeys, or when the
	// revocation or the absence of the key is restored.
	// Present only while it is True. Abnormal-true.
	RevocationLostCondition = "RevocationLost"

	// KeyDataSkippedCondition is the condition of a TrustPolicy that is True when a key source
	// holds data that was skipped, beside keys that are used: a key that cannot be read, a
	// private key, a revocation that is not in force. Its message names the entry, the source
	// and the problem.
	// Present only while it is True. Abnormal-true.
	KeyDataSkippedCondition = "KeyDataSkipped"
)

// RecheckRequestedAtAnnotation, when its value changes, makes Assay check the Image again
// at once. By convention the value is the time of the request in RFC 3339.
const RecheckRequestedAtAnnotation = "assay.dev/recheck-requested-at"

// FieldManager is the name by which the operator writes Images, in metadata.managedFields and in
// requests. The policy keep-verdicts goes by it.
const FieldManager = "assay-controller-manager"

// Reasons of a verified signature or image.
const (
	// ReasonVerified: a trusted key signed this image's digest under an accepted identity.
	ReasonVerified = "Verified"
)

// Reasons of a refused signature or image: looking again at the same content with the
// same keys gives the same answer.
const (
	// ReasonMalformedSignature: the content is not a signed message in the accepted form.
	ReasonMalformedSignature = "MalformedSignature"
	// ReasonUnsupportedSignatureVersion: the signature packet has a version that is not verified.
	ReasonUnsupportedSignatureVersion = "UnsupportedSignatureVersion"
	// ReasonNotASignature: the content is not a signature of an image, but an attestation or
	// another attachment.
	ReasonNotASignature = "NotASignature"
	// ReasonWeakAlgorithm: the digest, the key's size or its algorithm is below the accepted strength.
	ReasonWeakAlgorithm = "WeakAlgorithm"
	// ReasonUntrustedKey: the key that made the signature is not one that the policy trusts for signing.
	ReasonUntrustedKey = "UntrustedKey"
	// ReasonInvalidCertificate: the signer's certificate is malformed or not one for signing.
	ReasonInvalidCertificate = "InvalidCertificate"
	// ReasonNoLogEntry: the policy asks for a transparency log, and the signature has no entry of one.
	ReasonNoLogEntry = "NoLogEntry"
	// ReasonUntrustedLog: the signature is in no transparency log that the policy trusts.
	ReasonUntrustedLog = "UntrustedLog"
	// ReasonInvalidLogEntry: the entry of a trusted log is wrong, or about another signature.
	ReasonInvalidLogEntry = "InvalidLogEntry"
	// ReasonInvalidTimestamp: a timestamp is wrong, or for another signature.
	ReasonInvalidTimestamp = "InvalidTimestamp"
	// ReasonNoTrustedTime: nothing that the policy trusts says when the signature was made, so that
	// its certificate cannot be accepted.
	ReasonNoTrustedTime = "NoTrustedTime"
	// ReasonUntrustedCertificate: no certificate authority of the policy issued the signer's
	// certificate, or no log of certificate transparency has recorded it.
	ReasonUntrustedCertificate = "UntrustedCertificate"
	// ReasonCertificateExpired: a certificate was not valid when the signature was made or, with a
	// signer of kind pki, is not valid at present.
	ReasonCertificateExpired = "CertificateExpired"
	// ReasonSignerMismatch: the certificate is for another issuer or subject than the policy names,
	// or lacks a claim.
	ReasonSignerMismatch = "SignerMismatch"
	// ReasonInvalidSignature: the cryptographic check failed; the signed data was altered.
	ReasonInvalidSignature = "InvalidSignature"
	// ReasonKeyExpired: the trusted key has expired.
	ReasonKeyExpired = "KeyExpired"
	// ReasonKeyRevoked: the trusted key has been revoked.
	ReasonKeyRevoked = "KeyRevoked"
	// ReasonSignatureExpired: the signature itself has expired.
	ReasonSignatureExpired = "SignatureExpired"
	// ReasonSignatureInFuture: the signature claims to be made later than now.
	ReasonSignatureInFuture = "SignatureInFuture"
	// ReasonMalformedPayload: the signed data is not the JSON of an atomic container signature.
	ReasonMalformedPayload = "MalformedPayload"
	// ReasonDigestMismatch: the signature is for another image.
	ReasonDigestMismatch = "DigestMismatch"
	// ReasonIdentityMismatch: the signature is for another name than the policy accepts for this image.
	ReasonIdentityMismatch = "IdentityMismatch"
	// ReasonPublicKeyIDMismatch: another key than issuedTo.publicKeyID asks for made the signature.
	ReasonPublicKeyIDMismatch = "PublicKeyIDMismatch"
	// ReasonInvalidImage: the Image contradicts itself, so no signature can be for it.
	ReasonInvalidImage = "InvalidImage"
	// ReasonNoSignatures: a policy asks for signatures and the Image has none. Of Images only.
	ReasonNoSignatures = "NoSignatures"
	// ReasonInsufficientSignatures: signatures are verified, but not by as many different
	// keys, or not for as many policies, as are asked for. Of Images only.
	ReasonInsufficientSignatures = "InsufficientSignatures"
)

// Reasons of a signature or image that could not be checked: neither trusted nor refused.
const (
	// ReasonNoTrustPolicy: no TrustPolicy covers the image.
	ReasonNoTrustPolicy = "NoTrustPolicy"
	// ReasonKeysUnavailable: keys or roots that the policy names are missing or cannot be read,
	// and the others do not decide.
	ReasonKeysUnavailable = "KeysUnavailable"
	// ReasonRootsUnavailable: the policy's root lacks what a part of the signature is checked with,
	// such as a timestamp authority.
	ReasonRootsUnavailable = "RootsUnavailable"
	// ReasonDigestUnknown: nothing on the Image tells its digest.
	ReasonDigestUnknown = "DigestUnknown"
	// ReasonUnsupportedType: the signature's type is not one that Assay verifies.
	ReasonUnsupportedType = "UnsupportedType"
	// ReasonUnsupportedAlgorithm: the signature or its key has an algorithm that this version of
	// Assay does not know, and that is not known to be weak.
	ReasonUnsupportedAlgorithm = "UnsupportedAlgorithm"
	// ReasonOverBudget: the Image has more signatures that take long to read or to check than are
	// checked.
	ReasonOverBudget = "OverBudget"
)

// Reasons of the Ready condition of a TrustPolicy.
const (
	// ReasonKeysUsable: every key and signer can verify signatures.
	ReasonKeysUsable = "KeysUsable"
	// ReasonSomeKeysUnusable: some keys or signers cannot verify signatures; status.keys and
	// status.signers say why.
	ReasonSomeKeysUnusable = "SomeKeysUnusable"
	// ReasonNoUsableKeys: no key or signer can verify signatures; status.keys and status.signers
	// say why.
	ReasonNoUsableKeys = "NoUsableKeys"
	// ReasonInvalidPolicy: a scope or the signed identity cannot be used as it is written.
	ReasonInvalidPolicy = "InvalidPolicy"
)

// Reasons of a key or signer in a TrustPolicy's status, beside KeyExpired, KeyRevoked,
// WeakAlgorithm, UnsupportedAlgorithm, CertificateExpired and, for a file that was not read,
// OverBudget.
const (
	// ReasonSourceNotFound: the Secret or ConfigMap, or the key in it, does not exist.
	ReasonSourceNotFound = "SourceNotFound"
	// ReasonMalformedKey: the data is not a public key in OpenPGP or PEM.
	ReasonMalformedKey = "MalformedKey"
	// ReasonMalformedRoots: the data is not the trusted root, certificates or public keys that the
	// entry asks for.
	ReasonMalformedRoots = "MalformedRoots"
	// ReasonUnusableKey: the key may not sign: it has no valid self-signature, or lacks the sign flag.
	ReasonUnusableKey = "UnusableKey"
	// ReasonRevocationLost: a revocation of the key was seen before, and no source has it now.
	// The key is usable. Also the reason of the condition RevocationLost.
	ReasonRevocationLost = "RevocationLost"
	// ReasonKeyDataSkipped: the file of the key also holds data that was skipped. The key is
	// usable. Also the reason of the condition KeyDataSkipped.
	ReasonKeyDataSkipped = "KeyDataSkipped"
)
