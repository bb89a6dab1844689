// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package strictjson

import (
	"fmt"
	"strings"
)

// Decoder reads one document. Each of its methods consumes one value, or fails and leaves the
// Decoder in an unusable state.
type Decoder struct {
	text   string // valid UTF-8
	pos    int    // next unread byte
	depth  int    // open objects and arrays
	limits Limits
}

// Offset returns the number of bytes read. After reading a value, it is the offset of the first
// byte after the value.
func (d *Decoder) Offset() int { return d.pos }

// Kind returns the kind of the next value, according to its first byte.
func (d *Decoder) Kind() Kind {
	d.space()
	switch c := d.peek(); {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return String
	case c == '-' || isDigit(c):
		return Number
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	default:
		return Invalid
	}
}

// Object reads an object and calls member with the unescaped name of each member, in the order of
// the document. member must read the member's value.
func (d *Decoder) Object(member func(name string) error) error {
	if err := d.open(Object); err != nil {
		return err
	}
	var names nameSet
	for more := !d.closed('}'); more; {
		d.space()
		start := d.pos
		name, err := d.String()
		if err != nil {
			return err
		}
		if names.len() == d.limits.Members {
			return &Error{Offset: start, Detail: fmt.Sprintf("an object has more than %d members", d.limits.Members)}
		}
		if !names.add(name) {
			return &Error{Offset: start, Detail: "duplicate member " + Quote(name), Duplicate: true}
		}
		d.space()
		if d.peek() != ':' {
			return d.fail("a colon is missing after a member name")
		}
		d.pos++
		if err := member(name); err != nil {
			return err
		}
		if more, err = d.next('}'); err != nil {
			return err
		}
	}
	return nil
}

// Array reads an array and calls element for each element. element must read the element.
func (d *Decoder) Array(element func() error) error {
	if err := d.open(Array); err != nil {
		return err
	}
	for more := !d.closed(']'); more; {
		err := element()
		if err != nil {
			return err
		}
		if more, err = d.next(']'); err != nil {
			return err
		}
	}
	return nil
}

// Skip reads a value of any kind, as strictly as the other methods.
func (d *Decoder) Skip() error {
	switch d.Kind() {
	case Object:
		return d.Object(func(string) error { return d.Skip() })
	case Array:
		return d.Array(d.Skip)
	case String:
		_, err := d.String()
		return err
	case Number:
		_, err := d.Number()
		return err
	default:
		return d.literal()
	}
}

// Raw reads a value of any kind and returns its text in the document.
func (d *Decoder) Raw() (string, error) {
	d.space()
	start := d.pos
	if err := d.Skip(); err != nil {
		return "", err
	}
	return d.text[start:d.pos], nil
}

// Number reads a number of any size and precision and returns its text in the document (RFC 8259
// section 6).
func (d *Decoder) Number() (string, error) {
	if err := d.want(Number); err != nil {
		return "", err
	}
	start := d.pos
	d.accept("-")
	leadingZero := d.peek() == '0'
	if n := d.digits(); n == 0 || leadingZero && n > 1 {
		return "", d.fail("a number is malformed")
	}
	if d.accept(".") && d.digits() == 0 {
		return "", d.fail("a number is malformed")
	}
	if d.accept("eE") {
		d.accept("+-")
		if d.digits() == 0 {
			return "", d.fail("a number is malformed")
		}
	}
	return d.text[start:d.pos], nil
}

// literal reads true, false or null.
func (d *Decoder) literal() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(d.text[d.pos:], word) {
			d.pos += len(word)
			return nil
		}
	}
	if d.pos == len(d.text) {
		return d.fail("the text ends where a value should be")
	}
	return d.fail("a value is malformed")
}

// want fails unless the next value is of the given kind.
func (d *Decoder) want(k Kind) error {
	if got := d.Kind(); got != k {
		return d.fail(fmt.Sprintf("%s where %s should be", got, k))
	}
	return nil
}

// open reads the first character of an object or array.
func (d *Decoder) open(k Kind) error {
	if err := d.want(k); err != nil {
		return err
	}
	if d.depth == d.limits.Depth {
		return d.fail(fmt.Sprintf("objects and arrays are nested more than %d deep", d.limits.Depth))
	}
	d.depth++
	d.pos++
	return nil
}

// closed reads the end of an object or array if it is next.
func (d *Decoder) closed(end byte) bool {
	d.space()
	if d.peek() != end {
		return false
	}
	d.depth--
	d.pos++
	return true
}

// next reads the comma after a member or element, or the end of the object or array. It reports
// whether there is another one.
func (d *Decoder) next(end byte) (more bool, err error) {
	if d.closed(end) {
		return false, nil
	}
	if d.peek() != ',' {
		return false, d.fail("a comma or the end of an object or array is missing")
	}
	d.pos++
	return true, nil
}

// space skips insignificant white space (RFC 8259 section 2).
func (d *Decoder) space() {
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, or 0 at the end of the text. No JSON token begins with NUL, so
// callers need not distinguish the two.
func (d *Decoder) peek() byte {
	if d.pos == len(d.text) {
		return 0
	}
	return d.text[d.pos]
}

// accept reads the next byte if it is one of set.
func (d *Decoder) accept(set string) bool {
	if c := d.peek(); c == 0 || strings.IndexByte(set, c) < 0 {
		return false
	}
	d.pos++
	return true
}

// digits reads decimal digits and returns their number.
func (d *Decoder) digits() int {
	start := d.pos
	for isDigit(d.peek()) {
		d.pos++
	}
	return d.pos - start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (d *Decoder) fail(detail string) error { return &Error{Offset: d.pos, Detail: detail} }
