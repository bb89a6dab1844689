// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package verify decides whether an image is verified. It is the one place where
// this decision is made: the operator and the command line both call Check.
//
// The decision is pure and deterministic. It reads no clock, does no I/O and logs
// nothing; the same Input gives the same Verdict, whatever the order of policies,
// keys and signatures. The zero Verdict is not verified.
//
// There are three outcomes, never two: verified, refused, and could not be checked.
// What could be mended by adding a key, a policy or a digest is never called refused,
// and nothing but a signature that passed every check is called verified.
//
// A signature passes these checks in this order, and the first that fails names the
// reason. Nothing of the signed payload is looked at before the cryptography is done:
//
//  1. type: the format is one that is verified            UnsupportedType
//  2. message: size, packet sequence, compression         MalformedSignature, UnsupportedSignatureVersion
//  3. image: the Image does not contradict itself         InvalidImage
//  4. policies: at least one applies, as it is written    NoTrustPolicy, InvalidPolicy
//  5. key and signature, for each policy                  UntrustedKey, KeysUnavailable, WeakAlgorithm,
//     InvalidSignature, KeyExpired, KeyRevoked,
//     SignatureExpired, SignatureInFuture
//  6. issuedTo.publicKeyID, where a client asks for a key PublicKeyIDMismatch
//  7. payload: the strict JSON of containers-signature(5) MalformedPayload
//  8. digest: the signed digest is that of the image      DigestUnknown, DigestMismatch
//  9. identity: the signed name is accepted for the image IdentityMismatch
//
// An image is verified when every policy that applies to it is satisfied, and a
// policy is satisfied when signatures by as many different primary keys as it asks
// for pass all checks.
package verify
