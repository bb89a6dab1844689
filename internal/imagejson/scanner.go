// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import (
	"bytes"
	"errors"
	"io"
)

// errSyntax is text that is not JSON. An API server that sends any is broken: what it stores is
// JSON, and it is encoded anew for each answer.
var errSyntax = errors.New("the API server's answer is not JSON")

const (
	// bufferSize is the buffer's size at first. A TLS record has at most 16 KiB.
	bufferSize = 32 << 10
	// maxIdleBuffer bounds the buffer that is held while waiting for the next document.
	maxIdleBuffer = 1 << 20
	// maxEmptyReads is how often a reader may return nothing before it counts as broken.
	maxEmptyReads = 100
)

// scanner finds the tokens of JSON text while it arrives. After a failure err is set, and every
// method returns at once.
type scanner struct {
	src  io.Reader
	buf  []byte
	pos  int // next unread byte of buf
	keep int // first byte of buf that is held, or -1
	gone int // number of bytes before buf
	// limit is how many bytes are held at most; of more, none are.
	limit int
	err   error
}

func newScanner(src io.Reader) scanner {
	return scanner{src: src, buf: make([]byte, 0, bufferSize), keep: -1}
}

// offset is how many bytes were read.
func (s *scanner) offset() int { return s.gone + s.pos }

// hold keeps what is read from here on in the buffer, up to limit bytes.
func (s *scanner) hold(limit int) { s.keep, s.limit = s.pos, limit }

// held returns what was read since hold, valid until the next read, and false if it was more than the limit.
func (s *scanner) held() ([]byte, bool) {
	from := s.keep
	s.keep = -1
	if s.err != nil || from < 0 || s.pos-from > s.limit {
		return nil, false
	}
	return s.buf[from:s.pos], true
}

// fill reads more text behind what is unread, and drops what was read and is not held. It
// returns false at the end of the text and on errors, with err set.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	if s.keep >= 0 && s.pos-s.keep > s.limit {
		s.keep = -1
	}
	from := s.pos
	if s.keep >= 0 {
		from, s.keep = s.keep, 0
	}
	s.buf = s.buf[:copy(s.buf, s.buf[from:])]
	s.pos -= from
	s.gone += from
	if len(s.buf) == cap(s.buf) {
		s.buf = append(make([]byte, 0, 2*cap(s.buf)), s.buf...)
	}
	for range maxEmptyReads {
		n, err := s.src.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if n > 0 {
			// An error, if there was one, comes again.
			return true
		}
		if err != nil {
			s.err = err
			return false
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// begin waits for the first byte of the next document. The error is io.EOF when there is none.
func (s *scanner) begin() error {
	if len(s.buf) == s.pos && cap(s.buf) > maxIdleBuffer {
		s.buf, s.pos, s.gone = make([]byte, 0, bufferSize), 0, s.gone+s.pos
	}
	for s.err == nil {
		for ; s.pos < len(s.buf); s.pos++ {
			if !isSpace(s.buf[s.pos]) {
				return nil
			}
		}
		s.fill()
	}
	return s.err
}

// more is fill inside a value, where the text must not end.
func (s *scanner) more() bool {
	if s.fill() {
		return true
	}
	if errors.Is(s.err, io.EOF) {
		s.err = io.ErrUnexpectedEOF
	}
	return false
}

func (s *scanner) syntax() {
	if s.err == nil {
		s.err = errSyntax
	}
}

// peek skips white space and returns the first byte behind it, or 0 after a failure.
func (s *scanner) peek() byte {
	for s.err == nil {
		for ; s.pos < len(s.buf); s.pos++ {
			if c := s.buf[s.pos]; !isSpace(c) {
				return c
			}
		}
		s.more()
	}
	return 0
}

// expect reads the byte c, after white space.
func (s *scanner) expect(c byte) {
	if s.peek() != c {
		s.syntax()
		return
	}
	s.pos++
}

// enter reads the beginning of an object or array, which is next.
func (s *scanner) enter() { s.pos++ }

// next reads what separates the elements of an object or array. It returns false behind the
// end. first is set until there was an element.
func (s *scanner) next(end byte, first *bool) bool {
	c := s.peek()
	if c == end {
		s.pos++
		return false
	}
	if !*first {
		if c != ',' {
			s.syntax()
			return false
		}
		s.pos++
		s.peek()
	}
	*first = false
	return s.err == nil
}

// member reads the next member's name. It returns false behind the object's end. The name is as
// it stands in the text, nil when it is longer than maxName, and valid until the next read.
func (s *scanner) member(first *bool) (name []byte, ok bool) {
	if !s.next('}', first) {
		return nil, false
	}
	if s.peek() != '"' {
		s.syntax()
		return nil, false
	}
	s.hold(maxName + len(`"":`))
	s.skipString()
	end := s.pos - s.keep // of the name; what is held may move before the colon is read
	s.expect(':')
	if text, ok := s.held(); ok {
		name = text[1 : end-1]
	}
	return name, s.err == nil
}

// str reads a string, which is next, and returns what stands between the quotation marks, valid
// until the next read. It returns false for a string of more than limit bytes.
func (s *scanner) str(limit int) ([]byte, bool) {
	s.hold(limit + len(`""`))
	s.skipString()
	text, ok := s.held()
	if !ok {
		return nil, false
	}
	return text[1 : len(text)-1], true
}

// skipString reads a string, which is next.
func (s *scanner) skipString() {
	s.pos++
	backslashes := 0 // at the end of what was read
	for {
		part := s.buf[s.pos:]
		quote := bytes.IndexByte(part, '"')
		if quote >= 0 {
			part = part[:quote]
		}
		n := len(part)
		for n > 0 && part[n-1] == '\\' {
			n--
		}
		if n > 0 {
			backslashes = 0
		}
		backslashes += len(part) - n
		s.pos += len(part)
		if quote >= 0 {
			s.pos++
			if backslashes%2 == 0 {
				return
			}
			backslashes = 0
			continue
		}
		if !s.more() {
			return
		}
	}
}

// skip reads a value of any kind and depth.
func (s *scanner) skip() {
	switch s.peek() {
	case '"':
		s.skipString()
	case '{', '[':
		s.skipNested()
	default:
		s.scalar()
	}
}

// skipNested reads an object or array, which is next. It counts brackets and does not recurse.
func (s *scanner) skipNested() {
	depth := 0
	for {
		for s.pos < len(s.buf) {
			switch s.buf[s.pos] {
			case '"':
				s.skipString()
				if s.err != nil {
					return
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			s.pos++
			if depth == 0 {
				return
			}
		}
		if !s.more() {
			return
		}
	}
}

// raw reads a value and returns its text, or nil if that is longer than limit bytes.
func (s *scanner) raw(limit int) []byte {
	if c := s.peek(); c != '{' && c != '[' {
		s.skip()
		return nil
	}
	s.hold(limit)
	s.skipNested()
	text, _ := s.held()
	return bytes.Clone(text)
}

// maxScalar bounds a number or literal that is read: more digits than any integer has.
const maxScalar = 32

// scalar reads a number or literal and returns its text, valid until the next read and nil when
// it is longer than maxScalar.
func (s *scanner) scalar() []byte {
	s.peek()
	s.hold(maxScalar)
	length := 0
	for s.err == nil {
		start := s.pos
		for s.pos < len(s.buf) && isScalar(s.buf[s.pos]) {
			s.pos++
		}
		length += s.pos - start
		if s.pos < len(s.buf) {
			break
		}
		s.more()
	}
	if length == 0 {
		s.syntax()
	}
	text, _ := s.held()
	return text
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// isScalar reports whether c occurs in numbers, true, false and null.
func isScalar(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}
