// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// Bounds of a key ID that a client asks for, in hexadecimal digits: at least the 64 bits
// that OpenShift's API asks for (shorter ones can be made to collide at will), at most a
// version 6 fingerprint.
const (
	minKeyIDDigits = 16
	maxKeyIDDigits = 64
)

// IsPublicKeyID reports whether text can be a Signature's PublicKeyID. One that cannot is
// never that of the signing key.
func IsPublicKeyID(text string) bool {
	_, ok := keyIDDigits(text)
	return text == "" || ok
}

// keyIDDigits returns the upper-case hexadecimal digits of a key ID or fingerprint.
func keyIDDigits(text string) (digits string, ok bool) {
	digits = strings.TrimPrefix(strings.ToUpper(text), "0X")
	return digits, len(digits) >= minKeyIDDigits && len(digits) <= maxKeyIDDigits &&
		strings.Trim(digits, "0123456789ABCDEF") == ""
}

// checkPublicKeyID compares the key that a client asks for in issuedTo.publicKeyID with the
// one that made the signature. Any of the signer's keys may be named (with OpenPGP, the
// primary key or the signing subkey), by the whole fingerprint or by its lowest 64 bits or more.
func checkPublicKeyID(asked string, signer *Signer) *Finding {
	if asked == "" {
		return nil
	}
	digits, ok := keyIDDigits(asked)
	if !ok {
		f := refused(assayv1alpha1.ReasonPublicKeyIDMismatch,
			"issuedTo.publicKeyID is not 0x and a fingerprint or at least its lowest 16 hexadecimal digits; correct it or leave it empty")
		return &f
	}
	for _, fingerprint := range signer.Fingerprints {
		if names(digits, fingerprint) {
			return nil
		}
	}
	f := refused(assayv1alpha1.ReasonPublicKeyIDMismatch,
		fmt.Sprintf("issuedTo.publicKeyID asks for another key than %s, which made the signature; correct it, or leave it empty to accept any trusted signer", signer.PublicKeyID()))
	return &f
}

// Digits in a version 4 fingerprint (RFC 9580, 5.5.4.2).
const v4FingerprintDigits = 40

// names reports whether digits are the fingerprint or its key ID. The key ID of a version
// 4 key is the end of its fingerprint, that of a version 6 key the beginning (RFC 9580,
// 5.5.4.2 and 5.5.4.3); OpenShift speaks of the lowest bits, so those name either.
func names(digits, fingerprint string) bool {
	if strings.HasSuffix(fingerprint, digits) {
		return true
	}
	return len(fingerprint) > v4FingerprintDigits && fingerprint[:minKeyIDDigits] == digits
}
