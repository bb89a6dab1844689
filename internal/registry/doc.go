// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package registry fetches what is known of an image from its registry: the digest of a tag,
// manifests and indexes, and the signatures that the registry keeps. It verifies no signature.
//
// # Where signatures are
//
//   - the signature extension of OpenShift's API: GET /extensions/v2/<name>/signatures/<digest>,
//     in registries that announce it by X-Registry-Supports-Signatures on /v2/ (extension.go);
//   - OCI referrers, or the tag sha256-<hex> in registries without them (OCI distribution
//     specification 1.1, "Listing Referrers" and "Referrers Tag Schema"), and cosign's tag
//     sha256-<hex>.sig (attachments.go).
//
// A signature is a pair of a type, as an Image has it, and content: see Signature.
//
// # Bounds
//
// A server is a stranger. Every answer has a bound of bytes, of headers and of time,
// redirects have a number and never leave https, nothing is decompressed, and what is fetched by
// digest is hashed (limits.go). Addresses are checked when a connection is made, after the name
// was resolved, so that a name cannot change its address behind the check (address.go).
//
// # Economy
//
// A Network knows every host that was contacted. It sends at most four requests at a time and so
// many a second to each, and none to a host that asked for a rest, or that does not answer
// (host.go). Then an *Error comes back at once: nobody waits for a rest to end, and nothing is
// retried here.
//
// # Credentials
//
// A Client holds one credential for one registry, so that the tokens of two credentials do not mix.
// The credential goes to the registry and to the token service that the registry names, and no
// redirect takes it along.
package registry
