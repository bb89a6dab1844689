// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package verify decides whether an image is verified. It is the one place where this
// decision is made: the operator and the command line both call [Verifier.Check].
//
// The decision is pure and deterministic. It reads no clock, does no I/O and logs nothing;
// the same Input gives the same Verdict, whatever the order of policies, keys and
// signatures. The zero Verdict is not verified.
//
// There are three outcomes, never two: verified, refused, and could not be checked. What
// adding a key, a policy or a digest could mend is never called refused, and only a
// signature that passes every check is called verified.
//
// The checks and their order are the table in checks.go. Formats of signatures implement
// [Format] in packages of their own, of which this one imports none.
//
// An image is verified when every policy that applies to it is satisfied, and a policy is
// satisfied when signatures by as many different signers as it requires pass all checks.
package verify
