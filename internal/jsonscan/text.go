// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"bytes"
	"encoding/hex"
	"unicode/utf16"
	"unicode/utf8"
)

// Unescape appends to dst the text of a string that stands as raw between quotation marks. Like
// encoding/json it puts U+FFFD in the place of what is not UTF-8 and of lone surrogates. It
// returns false where a control character stands unescaped or an escape is malformed.
func Unescape(dst, raw []byte) ([]byte, bool) {
	for _, c := range raw {
		if c < 0x20 {
			return dst, false
		}
	}
	start := len(dst)
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			dst = append(dst, raw...)
			break
		}
		dst = append(dst, raw[:i]...)
		r, n := escape(raw[i:])
		if n == 0 {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
		raw = raw[i+n:]
	}
	if utf8.Valid(dst[start:]) {
		return dst, true
	}
	return append(dst[:start], toValidUTF8(dst[start:])...), true
}

// escape returns what the escape sequence at the beginning of raw stands for, and its length: 0
// for one that is malformed.
func escape(raw []byte) (rune, int) {
	if len(raw) < 2 {
		return 0, 0
	}
	if raw[1] != 'u' {
		const names, values = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		i := bytes.IndexByte([]byte(names), raw[1])
		if i < 0 {
			return 0, 0
		}
		return rune(values[i]), 2
	}
	r, ok := hex4(raw)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(raw[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// hex4 reads \uXXXX at the beginning of raw.
func hex4(raw []byte) (rune, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	var v [2]byte
	if _, err := hex.Decode(v[:], raw[2:6]); err != nil {
		return 0, false
	}
	return rune(v[0])<<8 | rune(v[1]), true
}

// toValidUTF8 puts U+FFFD in the place of each byte that is not part of UTF-8.
func toValidUTF8(text []byte) []byte {
	valid := make([]byte, 0, len(text)+len(text)/2)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		valid = utf8.AppendRune(valid, r)
		text = text[n:]
	}
	return valid
}
