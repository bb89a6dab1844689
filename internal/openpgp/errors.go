// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"strconv"
	"time"
)

// Code classifies why a message, a key or a signature is refused. The zero value is not a valid
// code.
type Code int

const (
	_ Code = iota

	// Malformed: the content is not a signed message of the accepted form.
	Malformed

	// UnsupportedVersion: the signature packet has a version that is not accepted (2, 5, ...), or
	// version 3 with an algorithm other than RSA.
	UnsupportedVersion

	// WeakAlgorithm: the digest, the key's size or its algorithm is too weak (MD5, SHA-1,
	// RIPEMD-160, RSA below 2048 bits, DSA).
	WeakAlgorithm

	// UnsupportedAlgorithm: the signature has a public-key algorithm that is not known here, such
	// as a post-quantum one. This says nothing about its strength.
	UnsupportedAlgorithm

	// OverBudget: the message was not read, because the caller's budget for decompression is spent.
	OverBudget

	// UnknownKey: no certificate of the keyring contains the issuing key.
	UnknownKey

	// UnusableKey: the key is in the keyring but may not sign: it has no valid self-signature, no
	// capability to sign or no cross-certification.
	UnusableKey

	// BadSignature: the cryptographic check failed, or the signature was created before its key.
	BadSignature

	// KeyExpired: the key or its primary key is expired.
	KeyExpired

	// KeyRevoked: the key or its primary key is revoked.
	KeyRevoked

	// SignatureExpired: the signature's own expiration time has been reached.
	SignatureExpired

	// SignatureInFuture: the signature's creation time is in the future.
	SignatureInFuture
)

var codeNames = [...]string{
	Malformed:            "Malformed",
	UnsupportedVersion:   "UnsupportedVersion",
	WeakAlgorithm:        "WeakAlgorithm",
	UnsupportedAlgorithm: "UnsupportedAlgorithm",
	OverBudget:           "OverBudget",
	UnknownKey:           "UnknownKey",
	UnusableKey:          "UnusableKey",
	BadSignature:         "BadSignature",
	KeyExpired:           "KeyExpired",
	KeyRevoked:           "KeyRevoked",
	SignatureExpired:     "SignatureExpired",
	SignatureInFuture:    "SignatureInFuture",
}

// String returns the name of the constant.
func (c Code) String() string {
	if c > 0 && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "Code(" + strconv.Itoa(int(c)) + ")"
}

// Error is the reason why a message or a certificate is refused. The same input gives the same
// Error.
type Error struct {
	Code Code

	// Detail is one English clause of at most 256 bytes: what is wrong and, where possible, what to
	// do. It contains no time and no remote text except hexadecimal key IDs and fingerprints.
	Detail string

	// Issuer is the key that the signature names, in the form of [Message.UnverifiedIssuer]; empty
	// if it is not known. It is not verified.
	Issuer string

	// Fingerprint is the primary fingerprint of the certificate in the keyring that was tried,
	// upper-case hexadecimal; empty if there is none.
	Fingerprint string

	// SigningFingerprint is the fingerprint of the key of that certificate that was tried: the
	// primary key or a subkey.
	SigningFingerprint string

	// NotBefore is the time before which the passing of time cannot change this refusal; zero if
	// time will not change it, or not predictably.
	NotBefore time.Time
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// refuse returns an Error.
func refuse(code Code, detail string) *Error {
	return &Error{Code: code, Detail: detail}
}

func malformed(detail string) *Error { return refuse(Malformed, detail) }
