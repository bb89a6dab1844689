// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"strconv"
	"time"
)

// Code classifies why a message, a key or a signature is not accepted. The
// zero value is no valid code.
type Code int

const (
	_ Code = iota

	// Malformed: the content is not a signed message of the accepted shape.
	Malformed

	// UnsupportedVersion: the signature packet is of a version that is not
	// accepted (2, 5, ...), or of version 3 with anything but RSA.
	UnsupportedVersion

	// WeakAlgorithm: the digest, the key's size or its algorithm is below the
	// floor (MD5, SHA-1, RIPEMD-160, RSA below 2048 bits, DSA), or not one
	// that is accepted.
	WeakAlgorithm

	// UnknownKey: no certificate of the keyring has the issuing key.
	UnknownKey

	// UnusableKey: the key is in the keyring but must not sign: it has no valid
	// self-signature, no capability to sign or no cross-certification.
	UnusableKey

	// BadSignature: the cryptographic check failed, or the signature claims to
	// be older than its key.
	BadSignature

	// KeyExpired: the key, or the primary key over it, is expired.
	KeyExpired

	// KeyRevoked: the key, or the primary key over it, is revoked.
	KeyRevoked

	// SignatureExpired: the signature's own expiration time is reached.
	SignatureExpired

	// SignatureInFuture: the signature claims to be created in the future.
	SignatureInFuture
)

var codeNames = [...]string{
	Malformed:          "Malformed",
	UnsupportedVersion: "UnsupportedVersion",
	WeakAlgorithm:      "WeakAlgorithm",
	UnknownKey:         "UnknownKey",
	UnusableKey:        "UnusableKey",
	BadSignature:       "BadSignature",
	KeyExpired:         "KeyExpired",
	KeyRevoked:         "KeyRevoked",
	SignatureExpired:   "SignatureExpired",
	SignatureInFuture:  "SignatureInFuture",
}

// String returns the name of the constant.
func (c Code) String() string {
	if c > 0 && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "Code(" + strconv.Itoa(int(c)) + ")"
}

// Error says why a message or a certificate is refused. The same input gives
// the same Error.
type Error struct {
	Code Code

	// Detail is one English clause of at most 256 bytes that says what is
	// wrong and, where it can, what to do. It holds no time and no remote text
	// except hexadecimal key IDs and fingerprints.
	Detail string

	// Issuer is what the signature claims about its key, in the form of
	// [Message.UnverifiedIssuer]; empty if it is not known. It is not verified.
	Issuer string

	// Fingerprint is the primary fingerprint of the certificate of the keyring
	// that was judged, upper-case hexadecimal; empty if there is none.
	Fingerprint string

	// SigningFingerprint is the fingerprint of the key of that certificate
	// that was judged: of the primary key or of a subkey.
	SigningFingerprint string

	// NotBefore is the moment before which the passing of time cannot change
	// this refusal; zero if time will not change it, or not predictably.
	NotBefore time.Time
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// refuse returns an Error.
func refuse(code Code, detail string) *Error {
	return &Error{Code: code, Detail: detail}
}

func malformed(detail string) *Error { return refuse(Malformed, detail) }
