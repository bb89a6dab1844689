// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package strictjson

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// String reads a string and returns it unescaped (RFC 8259 section 7).
func (d *Decoder) String() (string, error) {
	if err := d.want(String); err != nil {
		return "", err
	}
	d.pos++
	start := d.pos
	// Most strings have no escape and are a substring of the document.
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			d.pos++
			return d.text[start : d.pos-1], nil
		case c == '\\':
			return d.escapedString(start)
		case c < 0x20:
			return "", d.fail("a control character stands unescaped in a string")
		default:
			d.pos++
		}
	}
	return "", d.fail("a string has no end")
}

// escapedString reads the rest of a string that began at start, from its first escape on.
func (d *Decoder) escapedString(start int) (string, error) {
	var b strings.Builder
	b.WriteString(d.text[start:d.pos])
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			d.pos++
			return b.String(), nil
		case c == '\\':
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		case c < 0x20:
			return "", d.fail("a control character stands unescaped in a string")
		default:
			b.WriteByte(c)
			d.pos++
		}
	}
	return "", d.fail("a string has no end")
}

// escape reads one escape sequence, or two for a surrogate pair.
func (d *Decoder) escape() (rune, error) {
	start := d.pos
	d.pos++
	c := d.peek()
	if c == 'u' {
		return d.unicodeEscape(start)
	}
	const names, values = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	i := strings.IndexByte(names, c)
	if i < 0 {
		return 0, &Error{Offset: start, Detail: "an escape sequence is malformed"}
	}
	d.pos++
	return rune(values[i]), nil
}

// unicodeEscape reads \uXXXX from the u on; the sequence began at start.
func (d *Decoder) unicodeEscape(start int) (rune, error) {
	r, ok := d.hex4()
	if !ok {
		return 0, &Error{Offset: start, Detail: "an escape sequence is malformed"}
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	// A lone surrogate is not a character: readers replace it, keep it or fail (RFC 8259 section
	// 8.2).
	const lone = "an escaped surrogate is not part of a pair"
	if !strings.HasPrefix(d.text[d.pos:], `\u`) {
		return 0, &Error{Offset: start, Detail: lone}
	}
	d.pos++
	low, ok := d.hex4()
	if !ok {
		return 0, &Error{Offset: start, Detail: "an escape sequence is malformed"}
	}
	pair := utf16.DecodeRune(r, low)
	if pair == '\uFFFD' {
		return 0, &Error{Offset: start, Detail: lone}
	}
	return pair, nil
}

// hex4 reads a u and the four hexadecimal digits after it.
func (d *Decoder) hex4() (rune, bool) {
	if len(d.text)-d.pos < 5 {
		return 0, false
	}
	v, err := strconv.ParseUint(d.text[d.pos+1:d.pos+5], 16, 16)
	if err != nil {
		return 0, false
	}
	d.pos += 5
	return rune(v), true
}

// nameSet holds the names of one object's members. Nearly all objects have few: scanning an array
// on the stack is faster than a map and does not allocate.
type nameSet struct {
	few  [12]string
	n    int
	many map[string]struct{}
}

func (s *nameSet) len() int { return s.n + len(s.many) }

// add adds a name and returns false if it is already present.
func (s *nameSet) add(name string) bool {
	for _, known := range s.few[:s.n] {
		if known == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if _, dup := s.many[name]; dup {
		return false
	}
	if s.many == nil {
		s.many = make(map[string]struct{})
	}
	s.many[name] = struct{}{}
	return true
}
