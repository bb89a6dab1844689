// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package safetext makes untrusted text safe to show in conditions, events, logs and terminals.
//
// Text is printable if it is valid UTF-8 and consists of characters that [unicode.IsPrint]
// accepts: no control characters, no line separators and none of the invisible characters that
// change the direction of text. All limits are in bytes; a negative one is zero.
package safetext

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// ellipsis marks truncated text.
const ellipsis = "…"

// Truncate shortens text to at most limit bytes, at a character boundary. It does not escape.
func Truncate(text string, limit int) string {
	if len(text) <= max(limit, 0) {
		return text
	}
	return text[:boundary(text, limit)]
}

// TruncateWithEllipsis shortens text to at most limit bytes, including the ellipsis that marks
// truncated text, at a character boundary. It does not escape. The ellipsis takes three bytes; a
// smaller limit leaves no text.
func TruncateWithEllipsis(text string, limit int) string {
	switch {
	case len(text) <= max(limit, 0):
		return text
	case limit < len(ellipsis):
		return ""
	}
	return text[:boundary(text, limit-len(ellipsis))] + ellipsis
}

// boundary returns the last character boundary of text that is not after limit, which is less
// than the length of text. In invalid UTF-8 any byte may be a boundary.
func boundary(text string, limit int) int {
	limit = max(limit, 0)
	for end := limit; end >= 0 && limit-end < utf8.UTFMax; end-- {
		if utf8.RuneStart(text[end]) {
			return end
		}
	}
	return limit
}

// Quote returns text as a Go string literal in printable ASCII. It truncates text to limit bytes
// before quoting and marks that with an ellipsis, so that the result has at most 4*limit+5 bytes.
func Quote(text string, limit int) string {
	quoted := Truncate(text, limit)
	if len(quoted) < len(text) {
		return strconv.QuoteToASCII(quoted) + ellipsis
	}
	return strconv.QuoteToASCII(text)
}

// Escape escapes all characters of text that are not printable as in Go string literals: "\n",
// "\x1b", "\u202e". It does not escape backslashes. The result is printable and has at most limit
// bytes; longer text is truncated between characters and ends with an ellipsis.
func Escape(text string, limit int) string {
	return escape(text, limit, unicode.IsPrint, func(b []byte, r rune, char string) []byte {
		if r == utf8.RuneError { // A byte that is not part of UTF-8.
			return appendHex(append(b, `\x`...), uint16(char[0]), 2)
		}
		quoted := strconv.QuoteRuneToASCII(r)
		return append(b, quoted[1:len(quoted)-1]...)
	})
}

// EscapeJSON escapes all characters of text that are not printable as in JSON strings: "\u000a",
// "\u202e". With backslashes it also doubles backslashes, so that text that looks like an escape
// is distinguished from an escape. The result is printable and has at most limit bytes; longer
// text is truncated between characters and ends with an ellipsis.
func EscapeJSON(text string, limit int, backslashes bool) string {
	plain := func(r rune) bool { return unicode.IsPrint(r) && (r != '\\' || !backslashes) }
	return escape(text, limit, plain, func(b []byte, r rune, _ string) []byte {
		if r == '\\' {
			return append(b, `\\`...)
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			b = appendHex(append(b, `\u`...), unit, 4)
		}
		return b
	})
}

// appendHex appends the lowest digits of value in hexadecimal.
func appendHex(b []byte, value uint16, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[value>>shift&0xf])
	}
	return b
}

// escape copies text and calls appendEscape for each character that is not plain and for each
// byte that is not part of UTF-8, which is utf8.RuneError.
func escape(text string, limit int, plain func(rune) bool, appendEscape func(b []byte, r rune, char string) []byte) string {
	isEscaped := func(r rune) bool { return !plain(r) }
	if len(text) <= limit && utf8.ValidString(text) && !strings.ContainsFunc(text, isEscaped) {
		return text
	}
	b := make([]byte, 0, min(len(text), max(limit, 0)))
	end := 0 // Where the result is truncated if it turns out to be too long.
	for len(text) > 0 {
		r, width := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && width == 1 || !plain(r) {
			b = appendEscape(b, r, text[:width])
		} else {
			b = append(b, text[:width]...)
		}
		text = text[width:]
		if len(b) > limit && limit < len(ellipsis) {
			return ""
		}
		if len(b) > limit {
			return string(b[:end]) + ellipsis
		}
		if len(b) <= limit-len(ellipsis) {
			end = len(b)
		}
	}
	return string(b)
}

// Mask replaces each character of text that is not printable with a question mark, so that the
// text cannot move the cursor of a terminal. Bytes that are not part of UTF-8 become U+FFFD.
func Mask(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
