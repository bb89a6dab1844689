// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"errors"
	"strconv"
	"time"
)

// Code classifies why a signature is not accepted. Codes are in the order in which a signature
// meets them: of two, the greater came further. The zero value is no valid code.
type Code int

const (
	_ Code = iota

	// Malformed: the content is not a signature of a known form, or is out of bounds.
	Malformed
	// UnsupportedVersion: the bundle is of a version that is not verified.
	UnsupportedVersion
	// InvalidPolicy: no authority, or one that is contradictory. The signature was not checked.
	InvalidPolicy
	// UntrustedKey: no key of the policy verifies the signature.
	UntrustedKey
	// NoCertificate: the policy asks for a certificate, and the signature has none.
	NoCertificate
	// WeakAlgorithm: the key of the certificate is below the floor.
	WeakAlgorithm
	// InvalidCertificate: the certificate is malformed or not one for signing code.
	InvalidCertificate
	// NoLogEntry: the policy asks for a transparency log, and the signature has no entry.
	NoLogEntry
	// UntrustedLog: the signature is in no log that the policy trusts.
	UntrustedLog
	// InvalidLogEntry: promise, proof or checkpoint of a log entry is wrong.
	InvalidLogEntry
	// LogEntryMismatch: the log entry is about another signature, key or content.
	LogEntryMismatch
	// InvalidTimestamp: a timestamp is malformed, wrong, or for another signature.
	InvalidTimestamp
	// NoTrustedTime: nothing that the policy trusts says when the signature was made.
	NoTrustedTime
	// SignedInFuture: the trusted time is later than the present.
	SignedInFuture
	// UntrustedCertificate: the certificate was not issued by a CA of the policy.
	UntrustedCertificate
	// CertificateExpired: a certificate was not valid when the signature was made.
	CertificateExpired
	// InvalidSCT: no certificate transparency log of the policy has recorded the certificate.
	InvalidSCT
	// RootsUnavailable: the policy has nothing to check a part of the signature with, which is
	// therefore not refused.
	RootsUnavailable
	// ContentUnavailable: the signature is over the manifest itself, which the caller did not have.
	// It is not refused.
	ContentUnavailable
	// OverBudget: the caller did not allow the processor time. The signature is not refused.
	OverBudget
	// InvalidSignature: the cryptographic check failed.
	InvalidSignature
	// SignerMismatch: the certificate is for another issuer or subject, or lacks a claim.
	SignerMismatch
	// NotASignature: what is signed is not an image, or is an attestation about one.
	NotASignature
	// MalformedPayload: what was signed is not what the format prescribes.
	MalformedPayload
)

var codeNames = [...]string{
	Malformed:            "Malformed",
	UnsupportedVersion:   "UnsupportedVersion",
	InvalidPolicy:        "InvalidPolicy",
	UntrustedKey:         "UntrustedKey",
	NoCertificate:        "NoCertificate",
	WeakAlgorithm:        "WeakAlgorithm",
	InvalidCertificate:   "InvalidCertificate",
	NoLogEntry:           "NoLogEntry",
	UntrustedLog:         "UntrustedLog",
	InvalidLogEntry:      "InvalidLogEntry",
	LogEntryMismatch:     "LogEntryMismatch",
	InvalidTimestamp:     "InvalidTimestamp",
	NoTrustedTime:        "NoTrustedTime",
	SignedInFuture:       "SignedInFuture",
	UntrustedCertificate: "UntrustedCertificate",
	CertificateExpired:   "CertificateExpired",
	InvalidSCT:           "InvalidSCT",
	RootsUnavailable:     "RootsUnavailable",
	ContentUnavailable:   "ContentUnavailable",
	OverBudget:           "OverBudget",
	InvalidSignature:     "InvalidSignature",
	SignerMismatch:       "SignerMismatch",
	NotASignature:        "NotASignature",
	MalformedPayload:     "MalformedPayload",
}

// String returns the name of the constant.
func (c Code) String() string {
	if c > 0 && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "Code(" + strconv.Itoa(int(c)) + ")"
}

// Unchecked reports whether the code stands for a signature that could not be checked, and is thus
// neither accepted nor refused.
func (c Code) Unchecked() bool {
	return c == InvalidPolicy || c == RootsUnavailable || c == ContentUnavailable || c == OverBudget
}

// Error is why a signature is not accepted. The same input gives the same Error.
type Error struct {
	Code Code
	// Detail is one English clause of at most 512 bytes. What it quotes from the content is escaped
	// and truncated.
	Detail string
	// Authority is the name of the policy entry that the signature was checked against, empty if it
	// did not come to that.
	Authority string
	// RecheckAt is when the passing of time may change the result, zero if it does not.
	RecheckAt time.Time
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// AsError returns the Error that err is. Every error of this package about a signature is one.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Malformed, Detail: "the content is not a signature of sigstore"}
}

func fail(code Code, detail string) *Error { return &Error{Code: code, Detail: detail} }

// further reports whether e says more than other about a signature: that it could not be checked by
// one authority outweighs that another refuses it, and otherwise the later check does.
func (e *Error) further(other *Error) bool {
	if a, b := e.Code.Unchecked(), other.Code.Unchecked(); a != b {
		return a
	}
	return e.Code > other.Code
}
