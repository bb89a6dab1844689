// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package strictjson reads JSON documents that all readers must interpret the same way.
//
// Several programs read security-relevant documents: the one that signs, the one that verifies, the
// one that runs the image. RFC 8259 allows them to differ, and attacks exploit the differences.
// This package therefore refuses constructs that interoperable producers never write:
//
//   - a member name that occurs twice in one object, compared after unescaping (RFC 8259 section 4:
//     "the names within an object SHOULD be unique"); encoding/json lets the last one win, others
//     the first;
//   - text that is not UTF-8, a byte order mark, and escaped surrogates that are not a pair
//     (sections 8.1 and 8.2);
//   - anything but white space after the value.
//
// Names are compared exactly. FoldsOnto finds names that encoding/json would match to a known one
// ("Layers" for "layers").
//
// Callbacks read a document once, from front to back, without a tree in memory. Size, nesting and
// the number of members of an object are checked before they cost anything. The package does no I/O
// and keeps no state.
package strictjson

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/assay-project/assay/internal/safetext"
)

// Limits bounds a document. Every limit must be set: zero allows nothing.
type Limits struct {
	Size    int // bytes of the whole document
	Depth   int // objects and arrays inside one another; a scalar has depth 0
	Members int // members of one object; all names are kept to find duplicates
}

// Error is the position at which a document is refused, and the reason. Its text is bounded and
// deterministic, and quotes names from the document with Quote.
type Error struct {
	Offset    int    // bytes from the start of the document
	Detail    string // one clause
	Duplicate bool   // a member name occurs twice: readers differ in their interpretation
}

// Error implements the error interface.
func (e *Error) Error() string {
	return fmt.Sprintf("byte %d: %s", e.Offset, e.Detail)
}

// Kind is the kind of a JSON value.
type Kind int

// The kinds of values of RFC 8259 section 3. Invalid stands for text that does not begin a value.
const (
	Invalid Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// String returns the name of the kind in messages, with its article.
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

// Parse calls read for the document's single value and then checks that nothing follows it. The
// error is either a *Error or an error of a callback.
func Parse(document []byte, limits Limits, read func(d *Decoder) error) error {
	if len(document) > limits.Size {
		return &Error{Offset: limits.Size, Detail: fmt.Sprintf("the document is larger than %d bytes", limits.Size)}
	}
	// With one copy, every name and string is a substring without an allocation.
	d := &Decoder{text: string(document), limits: limits}
	if i := invalidUTF8(d.text); i >= 0 {
		return &Error{Offset: i, Detail: "the text is not UTF-8"}
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

// maxQuoted bounds the text that Quote shows, in bytes: a SHA-256 digest has 71 and the longest
// media type of a manifest 57.
const maxQuoted = 80

// Quote quotes text from a document for a message, as [safetext.Quote] does, with at most 80 bytes
// of it.
func Quote(s string) string {
	return safetext.Quote(s, maxQuoted)
}

// FoldsOnto returns the first of names that differs from name, but that encoding/json and other
// readers that ignore case would match; or "". It uses Unicode case folding: U+017F folds onto "s".
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
