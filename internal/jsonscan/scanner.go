// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"bytes"
	"errors"
	"io"
)

// ErrSyntax is text that is not JSON. An API server that sends any is broken: what it stores is
// JSON, and it is encoded anew for each answer.
var ErrSyntax = errors.New("the API server's answer is not JSON")

const (
	// bufferSize is the buffer's size at first. A TLS record has at most 16 KiB.
	bufferSize = 32 << 10
	// MaxIdleBuffer bounds the buffer that is held while waiting for the next document, in bytes.
	MaxIdleBuffer = 1 << 20
	// MaxName bounds the names of members, in bytes. An API server takes 317 for a label, and
	// Assay writes 128 for a claim.
	MaxName = 4096
	// maxEmptyReads is how often a reader may return nothing before it counts as broken.
	maxEmptyReads = 100
)

// Scanner finds the tokens of JSON text while it arrives. After a failure Err is set, and every
// method returns at once. The zero Scanner is not usable.
type Scanner struct {
	src  io.Reader
	buf  []byte
	pos  int // next unread byte of buf
	keep int // first byte of buf that is held, or -1
	gone int // number of bytes before buf
	// limit is how many bytes are held at most; of more, none are.
	limit int
	// Err is the first failure, after which every method returns at once.
	Err error
}

// New returns a Scanner of the text that src has.
func New(src io.Reader) Scanner {
	return Scanner{src: src, buf: make([]byte, 0, bufferSize), keep: -1}
}

// Offset is how many bytes were read.
func (s *Scanner) Offset() int { return s.gone + s.pos }

// hold keeps what is read from here on in the buffer, up to limit bytes.
func (s *Scanner) hold(limit int) { s.keep, s.limit = s.pos, limit }

// held returns what was read since hold, valid until the next read, and false if it was more than the limit.
func (s *Scanner) held() ([]byte, bool) {
	from := s.keep
	s.keep = -1
	if s.Err != nil || from < 0 || s.pos-from > s.limit {
		return nil, false
	}
	return s.buf[from:s.pos], true
}

// fill reads more text behind what is unread, and drops what was read and is not held. It
// returns false at the end of the text and on errors, with Err set.
func (s *Scanner) fill() bool {
	if s.Err != nil {
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
			s.Err = err
			return false
		}
	}
	s.Err = io.ErrNoProgress
	return false
}

// Begin waits for the first byte of the next document. The error is io.EOF when there is none.
func (s *Scanner) Begin() error {
	if len(s.buf) == s.pos && cap(s.buf) > MaxIdleBuffer {
		s.buf, s.pos, s.gone = make([]byte, 0, bufferSize), 0, s.gone+s.pos
	}
	for s.Err == nil {
		for ; s.pos < len(s.buf); s.pos++ {
			if !isSpace(s.buf[s.pos]) {
				return nil
			}
		}
		s.fill()
	}
	return s.Err
}

// more is fill inside a value, where the text must not end.
func (s *Scanner) more() bool {
	if s.fill() {
		return true
	}
	if errors.Is(s.Err, io.EOF) {
		s.Err = io.ErrUnexpectedEOF
	}
	return false
}

// Syntax records that the text is not JSON, unless there was a failure before.
func (s *Scanner) Syntax() {
	if s.Err == nil {
		s.Err = ErrSyntax
	}
}

// Peek skips white space and returns the first byte behind it, or 0 after a failure.
func (s *Scanner) Peek() byte {
	for s.Err == nil {
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
func (s *Scanner) expect(c byte) {
	if s.Peek() != c {
		s.Syntax()
		return
	}
	s.pos++
}

// Enter reads the beginning of an object or array, which is next.
func (s *Scanner) Enter() { s.pos++ }

// Next reads what separates the elements of an object or array. It returns false behind the
// end. first is set until there was an element.
func (s *Scanner) Next(end byte, first *bool) bool {
	c := s.Peek()
	if c == end {
		s.pos++
		return false
	}
	if !*first {
		if c != ',' {
			s.Syntax()
			return false
		}
		s.pos++
		s.Peek()
	}
	*first = false
	return s.Err == nil
}

// Member reads the next member's name. It returns false behind the object's end. The name is as
// it stands in the text, nil when it is longer than MaxName, and valid until the next read.
func (s *Scanner) Member(first *bool) (name []byte, ok bool) {
	if !s.Next('}', first) {
		return nil, false
	}
	if s.Peek() != '"' {
		s.Syntax()
		return nil, false
	}
	s.hold(MaxName + len(`"":`))
	s.skipString()
	end := s.pos - s.keep // of the name; what is held may move before the colon is read
	s.expect(':')
	if text, ok := s.held(); ok {
		name = text[1 : end-1]
	}
	return name, s.Err == nil
}

// Str reads a string, which is next, and returns what stands between the quotation marks, valid
// until the next read. It returns false for a string of more than limit bytes.
func (s *Scanner) Str(limit int) ([]byte, bool) {
	s.hold(limit + len(`""`))
	s.skipString()
	text, ok := s.held()
	if !ok {
		return nil, false
	}
	return text[1 : len(text)-1], true
}

// skipString reads a string, which is next.
func (s *Scanner) skipString() {
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

// Skip reads a value of any kind and depth.
func (s *Scanner) Skip() {
	switch s.Peek() {
	case '"':
		s.skipString()
	case '{', '[':
		s.skipNested()
	default:
		s.Scalar()
	}
}

// skipNested reads an object or array, which is next. It counts brackets and does not recurse.
func (s *Scanner) skipNested() {
	depth := 0
	for {
		for s.pos < len(s.buf) {
			switch s.buf[s.pos] {
			case '"':
				s.skipString()
				if s.Err != nil {
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

// Raw reads a value and returns its text, or nil if that is longer than limit bytes.
func (s *Scanner) Raw(limit int) []byte {
	if c := s.Peek(); c != '{' && c != '[' {
		s.Skip()
		return nil
	}
	s.hold(limit)
	s.skipNested()
	text, _ := s.held()
	return bytes.Clone(text)
}

// Value reads a value of any kind and returns its text, or nil if that is longer than limit bytes,
// or than maxScalar for a number or literal.
func (s *Scanner) Value(limit int) []byte {
	switch s.Peek() {
	case '{', '[':
		return s.Raw(limit)
	case '"':
		s.hold(limit)
		s.skipString()
		text, _ := s.held()
		return bytes.Clone(text)
	default:
		return bytes.Clone(s.Scalar())
	}
}

// maxScalar bounds a number or literal that is read: more digits than any integer has.
const maxScalar = 32

// Scalar reads a number or literal and returns its text, valid until the next read and nil when
// it is longer than maxScalar.
func (s *Scanner) Scalar() []byte {
	s.Peek()
	s.hold(maxScalar)
	length := 0
	for s.Err == nil {
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
		s.Syntax()
	}
	text, _ := s.held()
	return text
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// isScalar reports whether c occurs in numbers, true, false and null.
func isScalar(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}
