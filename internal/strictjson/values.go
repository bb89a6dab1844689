// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package strictjson

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Fields names the members of an object that a reader knows, each with what reads its value.
type Fields map[string]func() error

// Known reads an object whose members all are among fields. A member whose value is null is taken
// for absent, as in the JSON form of protocol buffers.
func (d *Decoder) Known(fields Fields) error {
	return d.Object(func(name string) error {
		start := d.pos
		read, ok := fields[name]
		if !ok {
			return &Error{Offset: start, Detail: "unknown member " + Quote(name)}
		}
		return d.unlessNull(read)
	})
}

// Some reads an object, passing over the members that are not among fields with the same strictness
// as others. A member whose value is null is taken for absent.
func (d *Decoder) Some(fields Fields) error {
	return d.Object(func(name string) error {
		if read, ok := fields[name]; ok {
			return d.unlessNull(read)
		}
		return d.Skip()
	})
}

// Elements reads an array of at most limit elements.
func (d *Decoder) Elements(limit int, element func() error) error {
	n := 0
	return d.Array(func() error {
		n++
		if n > limit {
			return d.fail("an array has more than " + strconv.Itoa(limit) + " elements")
		}
		return element()
	})
}

// Base64 reads a string of standard base64 with padding (RFC 4648 section 4) whose unused bits are
// zero, so that no two spellings mean the same bytes.
func (d *Decoder) Base64() ([]byte, error) {
	return d.base64(false)
}

// Base64Lines reads a string as Base64 does, but one that may be broken into lines, as some programs
// write it.
func (d *Decoder) Base64Lines() ([]byte, error) {
	return d.base64(true)
}

func (d *Decoder) base64(lines bool) ([]byte, error) {
	start := d.pos
	text, err := d.String()
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text) // which passes over line feeds
	if err != nil || !lines && strings.ContainsAny(text, "\r\n") {
		return nil, &Error{Offset: start, Detail: "a string is not base64"}
	}
	return data, nil
}

// Integer reads an integer of 64 bits in its shortest form: as a number, or as a string, which is
// how the JSON form of protocol buffers writes it.
func (d *Decoder) Integer() (int64, error) {
	start := d.pos
	read := d.Number
	if d.Kind() == String {
		read = d.String
	}
	text, err := read()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text {
		return 0, &Error{Offset: start, Detail: "a number is not an integer of 64 bits"}
	}
	return n, nil
}

func (d *Decoder) unlessNull(read func() error) error {
	if d.Kind() == Null {
		return d.literal()
	}
	return read()
}
