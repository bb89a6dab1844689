// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sigstore verifies image signatures of sigstore from their content alone, without network
// and without a clock of its own.
//
// # Formats
//
// The first byte of the content tells two forms apart:
//
//   - A NUL begins the form in which containers/image keeps signatures of cosign:
//     "\0sigstore-json\n" and a JSON object with mimeType, payload and annotations. A ".sig"
//     attachment of cosign has the same three parts. The payload is the JSON of
//     containers-signature(5) with another type.
//   - Anything else is a sigstore bundle of version 0.1 to 0.3 (sigstore_bundle.proto), with either
//     a DSSE envelope or a signature over the image's manifest. The envelope holds an in-toto
//     statement whose predicate type is exactly https://sigstore.dev/cosign/sign/v1: an attestation
//     says something about an image and is never a signature of it.
//
// # Checks
//
// Parse bounds and reads the content. Signature.Authenticate checks it against the authorities of a
// policy, in this order, and the first check that fails names the Code:
//
//  1. the certificate: code signing, one subject, one issuer
//  2. transparency log: every entry of a log that is trusted is proven, and is for this signature
//  3. timestamps: each by an authority that is trusted is for this signature
//  4. trusted time: from promises and timestamps, never from the content, never in the future
//  5. chain: all certificates up to the root valid at every trusted time, or now for a plain PKI
//  6. certificate transparency, where the policy has a trusted root
//  7. signature: by the certificate's key, which alone determines the algorithm
//  8. signer: issuer, subject and claims of the certificate are those that the policy names
//  9. payload: strict JSON of the expected type
//
// For a key of the policy, the signature is checked first, the log where the policy asks for one, and
// the payload. For a plain PKI there is no log, and the time is the present.
//
// What was signed is returned after all of them. Whether that is the image, and under which name, is
// the caller's to decide.
//
// # Trust
//
// Keys and Roots are read once from what a policy holds and may be shared. A root that lacks what a
// signature needs leaves the signature unchecked, which is not a refusal.
package sigstore
