// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rfc3161 verifies timestamps: the statement of a timestamp authority that it saw a digest at
// a time (RFC 3161), signed in the Cryptographic Message Syntax (RFC 5652).
//
// A timestamp is accepted from an authority that the caller trusts, and from no other. The
// certificate that signed it is the one that has to be issued by the authority, to be valid at the
// time that the timestamp states, and to have time stamping as its only and critical extended key
// usage (RFC 3161 section 2.3); what other certificates the timestamp brings is of no consequence
// (CVE-2026-39984).
//
// Timestamps of some authorities are in BER and not in DER: lengths are indefinite, or strings in
// pieces. They are brought into DER first, within bounds.
//
// The package does no I/O, reads no clock and keeps no state.
package rfc3161
