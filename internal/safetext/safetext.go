// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package safetext makes text that a stranger wrote safe to show: in conditions, events, logs
// and on terminals.
package safetext

import (
	"strconv"
	"unicode/utf8"
)

// ellipsis marks text that was shortened.
const ellipsis = "…"

// Truncate shortens text to at most limit bytes, at a character boundary. It does not escape.
func Truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return text[:boundary(text, limit)]
}

// TruncateWithEllipsis shortens text to at most limit bytes, the ellipsis included, at a
// character boundary. limit must hold the ellipsis, which has three bytes.
func TruncateWithEllipsis(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return text[:boundary(text, limit-len(ellipsis))] + ellipsis
}

// boundary returns the last character boundary of text that is not after limit.
func boundary(text string, limit int) int {
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return max(limit, 0)
}

// Quote quotes text in printable ASCII, and shortens it to limit bytes before that.
func Quote(text string, limit int) string {
	if len(text) > limit {
		return strconv.QuoteToASCII(text[:limit]) + ellipsis
	}
	return strconv.QuoteToASCII(text)
}
