// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package strictjson reads JSON documents of which no two readers may have different opinions.
//
// Documents that decide what is trusted are read by several programs: the one that signed, the one that verifies,
// the one that runs the image. RFC 8259 leaves room for them to differ, and attacks live in that room. This package
// therefore refuses what interoperable producers never write:
//
//   - a member name that occurs twice in one object, compared after unescaping (RFC 8259 section 4: "the names within
//     an object SHOULD be unique"); encoding/json lets the last one win, others the first;
//   - text that is not UTF-8, a byte order mark, and escaped surrogates that are not a pair (sections 8.1 and 8.2);
//   - anything but white space after the value.
//
// Names are compared exactly. A reader that also wants to refuse names which encoding/json would fold onto one it
// knows ("Layers" for "layers") asks FoldsOnto.
//
// A document is read once, from front to back, by callbacks, without a tree in memory; size, nesting and the number
// of members of an object are bounded before any of them costs something. The package does no I/O and keeps no
// state.
package strictjson

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/assay-project/assay/internal/safetext"
)

// Limits bounds a document. Every limit has to be set: zero allows nothing.
type Limits struct {
	Size    int // bytes of the whole document
	Depth   int // objects and arrays inside one another; a scalar has depth 0
	Members int // members of one object, all of which are remembered to find duplicates
}

// Error says where a document stops being acceptable, and why. Its text is bounded and deterministic, and quotes
// names from the document only as Quote does.
type Error struct {
	Offset    int    // bytes from the start of the document
	Problem   string // one clause
	Duplicate bool   // the problem is a member name that occurs twice: readers differ in what they make of it
}

// Error implements the error interface.
func (e *Error) Error() string {
	return fmt.Sprintf("byte %d: %s", e.Offset, e.Problem)
}

// Kind is the kind of a JSON value.
type Kind int

// The kinds of values of RFC 8259 section 3. Invalid stands for text that begins no value.
const (
	Invalid Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// String names the kind as it is named in messages, with its article.
func (k Kind) String() string {
	switch k {
	case Object:
		return "an object"
	case Array:
		return "an array"
	case String:
		return "a string"
	case Number:
		return "a number"
	case Bool:
		return "a boolean"
	case Null:
		return "null"
	default:
		return "no JSON value"
	}
}

// Parse calls read on the document's single value and then makes sure that nothing follows it. The error is either a
// *Error or what a callback returned.
func Parse(document []byte, limits Limits, read func(d *Decoder) error) error {
	if len(document) > limits.Size {
		return &Error{Offset: limits.Size, Problem: fmt.Sprintf("the document is larger than %d bytes", limits.Size)}
	}
	// One copy makes every name and string a substring of it, without an allocation each.
	d := &Decoder{text: string(document), limits: limits}
	if i := invalidUTF8(d.text); i >= 0 {
		return &Error{Offset: i, Problem: "the text is not UTF-8"}
	}
	if err := read(d); err != nil {
		return err
	}
	d.space()
	if d.pos < len(d.text) {
		return d.fail("there is more text after the value")
	}
	return nil
}

// invalidUTF8 returns the offset of the first byte that is not part of UTF-8, or -1.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	i := 0
	for {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
}

// maxQuoted bounds, in bytes, how much of a text Quote shows: a SHA-256 digest has 71 and the longest media type of
// a manifest 57.
const maxQuoted = 80

// Quote returns text from a document for use in a message: in quotation marks, everything but printable ASCII
// escaped, and cut short, marked with an ellipsis, where it is longer than 80 bytes.
func Quote(s string) string {
	return safetext.Quote(s, maxQuoted)
}

// FoldsOnto returns the first of names that is not name but that encoding/json, and other readers that ignore case,
// would take it for; or "". Case folding is that of Unicode: U+017F folds onto "s".
func FoldsOnto(name string, names []string) string {
	for _, n := range names {
		if n == name {
			return ""
		}
	}
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return ""
}
