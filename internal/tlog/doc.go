// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tlog verifies that a signature is in a transparency log, from what the log has signed and
// without asking it. It knows the logs of sigstore: Rekor version 1 and version 2.
//
// A log proves an entry in two ways:
//
//   - By a promise, the signed entry timestamp (SET) of Rekor version 1: the log's signature over the
//     canonical JSON (RFC 8785) of the entry's body, the time at which the log took it, the log's ID
//     and the entry's index. The time is as trustworthy as the log.
//   - By a proof: a path through the Merkle tree (RFC 9162 section 2.1.3) from the entry's body to a
//     root hash, and a checkpoint in which the log signs that root hash and the size of the tree
//     (C2SP tlog-checkpoint, a note in the form of C2SP signed-note). It has no time.
//
// That an entry is in a log says nothing about a signature until the entry was compared with it
// (CVE-2022-36056, CVE-2026-22703): Body.Match does that with payload hash, signature and key, none
// of which may be missing.
//
// The package does no I/O, reads no clock and keeps no state.
package tlog
