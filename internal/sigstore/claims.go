// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/assay-project/assay/internal/strictjson"
)

// Bounds of Verified.Claims, which is stored on an API object once for each signature. Sizes are in
// bytes.
const (
	// MaxClaims is the largest number of claims. Those that a payload adds freely come last; when some
	// are left out, the claim "…" says how many.
	MaxClaims = 64
	// MaxClaimName is the longest name of a claim.
	MaxClaimName = 128
	// MaxClaimValue is the longest value of a claim. Longer ones are truncated and end with "…".
	MaxClaimValue = 1024

	ellipsis = "…"
)

// claims collects what is authenticated about a signature, flattened for display.
type claims struct {
	fixed []claim // of which the format determines number and names
	free  []claim
}

type claim struct{ name, value string }

// add adds a claim of a name that the format determines.
func (c *claims) add(name, value string) { c.fixed = append(c.fixed, claim{name, value}) }

// addValue reads a value of any kind and adds it under a name from the payload: a string's
// characters, or anything else as it is written.
func (c *claims) addValue(name string, d *strictjson.Decoder) (err error) {
	var value string
	if d.Kind() == strictjson.String {
		value, err = d.String()
	} else {
		value, err = d.Raw()
	}
	c.free = append(c.free, claim{name, value})
	return err
}

// flatten returns the claims within their bounds, with names and values escaped.
func (c *claims) flatten() map[string]string {
	slices.SortFunc(c.free, func(a, b claim) int { return strings.Compare(a.name, b.name) })
	shown := c.free[:min(len(c.free), max(0, MaxClaims-1-len(c.fixed)))]
	flat := make(map[string]string, len(c.fixed)+len(shown)+1)
	for _, one := range slices.Backward(append(slices.Clone(c.fixed), shown...)) {
		flat[escape(one.name, MaxClaimName)] = escape(one.value, MaxClaimValue)
	}
	if left := len(c.free) - len(shown); left > 0 {
		flat[ellipsis] = strconv.Itoa(left) + " more"
	}
	return flat
}

// escape makes remote text safe to show: every character that is not printable, such as control
// characters and bidirectional overrides, is written as in JSON, \u202e, and a backslash is doubled.
// The result has at most limit bytes; no escape is cut in two.
func escape(s string, limit int) string {
	plain := func(r rune) bool { return unicode.IsPrint(r) && r != '\\' }
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
