// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package simplesigning

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/assay-project/assay/internal/strictjson"
)

// Bounds of Payload.Claims, which is stored on an API object once for each signature.
const (
	// MaxClaims is the largest number of claims. The five that the format defines are always among them, then
	// others in the order of their names; when some are left out, the claim "optional.…" says how many.
	MaxClaims = 32
	// MaxClaimName is the longest name of a claim in bytes.
	MaxClaimName = 128
	// MaxClaimValue is the longest value of a claim in bytes. A docker-reference always fits. Longer ones are cut
	// and end with "…".
	MaxClaimValue = 1024
)

const (
	memberCritical = "critical"
	memberOptional = "optional"

	// Names of the claims that the format defines.
	claimType      = "critical.type"
	claimDigest    = "critical.image.docker-manifest-digest"
	claimReference = "critical.identity.docker-reference"
	claimCreator   = "optional.creator"
	claimTimestamp = "optional.timestamp"

	optionalPrefix = memberOptional + "."
	ellipsis       = "…"
)

// claim is a member of optional that the format does not define.
type claim struct {
	name  string // as in the payload
	value string // escaped and bounded
}

// unknown reads a member of optional that the format does not define.
func (r *reader) unknown(name string) error {
	value, err := r.display()
	if err != nil {
		return at(memberOptional, err)
	}
	r.extra = append(r.extra, claim{name, value})
	return nil
}

// display reads a value of any kind as text to look at: a string's characters, anything else as compact JSON with
// sorted members, so that the claim depends on what was signed and not on how it was laid out.
func (r *reader) display() (string, error) {
	switch r.Kind() {
	case strictjson.String:
		text, err := r.String()
		return escape(text, true, MaxClaimValue), err
	case strictjson.Object, strictjson.Array:
		raw, err := r.Raw()
		if err != nil {
			return "", err
		}
		return escape(compact(raw), false, MaxClaimValue), nil
	default:
		raw, err := r.Raw()
		return escape(raw, false, MaxClaimValue), err
	}
}

// compact returns valid JSON without white space and with sorted members; numbers keep their spelling.
func compact(raw string) string {
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	var v any
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if d.Decode(&v) != nil || e.Encode(v) != nil {
		return raw // what is stricter than encoding/json has accepted raw
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// claims flattens the payload.
func (r *reader) claims() map[string]string {
	claims := make(map[string]string, 5+min(len(r.extra), MaxClaims))
	slices.SortFunc(r.extra, func(a, b claim) int { return strings.Compare(a.name, b.name) })
	// One place is kept for each claim that the format defines, present or not, and one for the count of what was
	// left out.
	shown := r.extra[:min(len(r.extra), MaxClaims-6)]
	for _, c := range slices.Backward(shown) { // of two names that are alike when cut, the first in order is shown
		claims[escape(optionalPrefix+c.name, true, MaxClaimName)] = c.value
	}
	if left := len(r.extra) - len(shown); left > 0 {
		claims[optionalPrefix+ellipsis] = fmt.Sprintf("%d more", left)
	}
	claims[claimType] = signatureType
	claims[claimDigest] = r.payload.ManifestDigest.String()
	claims[claimReference] = escape(r.payload.DockerReference, true, MaxClaimValue)
	if r.payload.Creator != nil {
		claims[claimCreator] = escape(*r.payload.Creator, true, MaxClaimValue)
	}
	if r.payload.Timestamp != nil {
		claims[claimTimestamp] = strconv.FormatInt(*r.payload.Timestamp, 10)
	}
	return claims
}

// escape makes remote text safe to show on a terminal and in a web page: every character that is not printable,
// such as control characters, bidirectional overrides, zero-width and separator characters, is written as in JSON,
// \u202e. With backslash set a backslash is doubled, so that text which looks like an escape is told from one. The
// result has at most limit bytes; no escape is cut in two.
func escape(s string, backslash bool, limit int) string {
	plain := func(r rune) bool { return unicode.IsPrint(r) && (r != '\\' || !backslash) }
	if len(s) <= limit && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	var b strings.Builder
	cut := 0 // so much of the result leaves room for an ellipsis
	for _, r := range s {
		switch {
		case plain(r):
			b.WriteRune(r)
		case r == '\\':
			b.WriteString(`\\`)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
		if b.Len() > limit {
			return b.String()[:cut] + ellipsis
		}
		if b.Len() <= limit-len(ellipsis) {
			cut = b.Len()
		}
	}
	return b.String()
}
