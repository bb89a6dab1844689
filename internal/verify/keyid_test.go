// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/verify"
)

// TestPublicKeyID checks which keys a client may ask for, and how it may write them.
func TestPublicKeyID(t *testing.T) {
	fingerprint, subkey := alice.fingerprint(), strings.TrimPrefix(firstSubkey.claimed(), "0x")
	v6 := version6.fingerprint()
	const malformed, other = "is not 0x and a fingerprint", "asks for another key than 0x"
	tests := map[string]struct {
		signer  signer
		asked   string
		message string // Part of it; empty when the key is accepted.
	}{
		"any key":                         {signer: alice, asked: ""},
		"the fingerprint":                 {signer: alice, asked: "0x" + fingerprint},
		"the fingerprint without 0x":      {signer: alice, asked: fingerprint},
		"the fingerprint in lower case":   {signer: alice, asked: "0x" + strings.ToLower(fingerprint)},
		"with an upper-case X":            {signer: alice, asked: "0X" + fingerprint},
		"the key ID":                      {signer: alice, asked: "0x" + fingerprint[24:]},
		"more than the key ID":            {signer: alice, asked: "0x" + fingerprint[20:]},
		"15 digits":                       {signer: alice, asked: "0x" + fingerprint[25:], message: malformed},
		"the 8 digits of old":             {signer: alice, asked: "0x" + fingerprint[32:], message: malformed},
		"only 0x":                         {signer: alice, asked: "0x", message: malformed},
		"0x twice":                        {signer: alice, asked: "0x0X" + fingerprint, message: malformed},
		"more than any fingerprint has":   {signer: alice, asked: "0x" + v6 + "0", message: malformed},
		"as many as version 6 has":        {signer: alice, asked: "0x" + v6, message: other},
		"one digit before":                {signer: alice, asked: "0x0" + fingerprint, message: other},
		"the beginning":                   {signer: alice, asked: "0x" + fingerprint[:16], message: other},
		"the middle":                      {signer: alice, asked: "0x" + fingerprint[10:30], message: other},
		"another key":                     {signer: alice, asked: "0x" + bob.fingerprint(), message: other},
		"the last digit is another":       {signer: alice, asked: "0x" + fingerprint[:39] + flipped(fingerprint[39]), message: other},
		"a user ID":                       {signer: alice, asked: "alice@example.com", message: malformed},
		"spaces":                          {signer: alice, asked: fingerprint[:20] + " " + fingerprint[20:], message: malformed},
		"digits that are not hexadecimal": {signer: alice, asked: "0x" + strings.Repeat("G", 40), message: malformed},
		"digits of another script":        {signer: alice, asked: strings.Repeat("١", 20), message: malformed},
		"control characters":              {signer: alice, asked: "\x1b[31m" + fingerprint, message: malformed},
		"the primary key of a subkey":     {signer: firstSubkey, asked: "0x" + firstSubkey.fingerprint()},
		"its key ID":                      {signer: firstSubkey, asked: "0x" + firstSubkey.fingerprint()[24:]},
		"the subkey":                      {signer: firstSubkey, asked: "0x" + subkey},
		"the subkey's key ID":             {signer: firstSubkey, asked: "0x" + subkey[24:]},
		"another subkey":                  {signer: firstSubkey, asked: secondSubkey.claimed(), message: other},
		"a version 6 fingerprint":         {signer: version6, asked: "0x" + v6},
		"a version 6 key ID":              {signer: version6, asked: "0x" + v6[:16]},
		"its lowest 64 bits":              {signer: version6, asked: "0x" + v6[48:]},
		"its beginning, but no key ID":    {signer: version6, asked: "0x" + v6[:17], message: other},
		"its middle":                      {signer: version6, asked: "0x" + v6[20:36], message: other},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			signedBy(t, tt.signer)(&in)
			in.Image.Signatures[0].PublicKeyID = tt.asked
			if got, want := verify.IsPublicKeyID(tt.asked), tt.message != malformed; got != want {
				t.Errorf("IsPublicKeyID(%q) is %t, want %t", tt.asked, got, want)
			}
			got := check(in)
			checkMessages(t, &got)
			reason := "PublicKeyIDMismatch"
			if tt.message == "" {
				reason = "Verified"
			}
			if got.Reason != reason || !strings.Contains(got.Message, tt.message) {
				t.Errorf("%s: %q; want %s with %q", got.Reason, got.Message, reason, tt.message)
			}
		})
	}
}

func flipped(digit byte) string {
	if digit == '0' {
		return "1"
	}
	return "0"
}
