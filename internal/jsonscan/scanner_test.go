// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package jsonscan_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/assay-project/assay/internal/jsonscan"
)

// deep is a value of more levels than encoding/json reads.
var deep = strings.Repeat(`[{"a":`, 50_000) + `"]}"` + strings.Repeat("}]", 50_000)

// TestValue checks that the text of each value is found, however it arrives and whatever is behind it.
func TestValue(t *testing.T) {
	for _, value := range []string{
		`null`, `true`, `-1.5e300`, `""`, `"a\"b\\"`, `"é\u0000"`, `{}`, `[]`, `{"a":[1,{"b":"]}"}]}`, deep,
		`"` + strings.Repeat("x", 100_000) + `"`,
	} {
		for name, reader := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "data with the end": iotest.DataErrReader,
		} {
			s := jsonscan.New(reader(strings.NewReader(" \n" + value + ",1")))
			if got := string(s.Value(len(value))); got != value {
				t.Errorf("%s: got %.100q, want %.100q", name, got, value)
			}
			if c := s.Peek(); c != ',' {
				t.Errorf("%s: %q is behind %.100q", name, c, value)
			}
			if len(value) > 40 {
				s = jsonscan.New(reader(strings.NewReader(value + ",1")))
				if got := s.Value(len(value) - 1); got != nil || s.Peek() != ',' {
					t.Errorf("%s: got %.100q of a value that is too long", name, got)
				}
			}
		}
	}
}

// TestMembers reads the members of objects in an array, as a list has them.
func TestMembers(t *testing.T) {
	const text = `[{"a":1,"b\n":{"c":[]}},{},{"d":"e"}]`
	s := jsonscan.New(iotest.OneByteReader(strings.NewReader(text)))
	var names []string
	s.Peek()
	s.Enter()
	for first := true; s.Next(']', &first); {
		s.Peek()
		s.Enter()
		for inner := true; ; {
			name, ok := s.Member(&inner)
			if !ok {
				break
			}
			names = append(names, string(name))
			s.Skip()
		}
	}
	if got := strings.Join(names, " "); s.Err != nil || got != `a b\n d` || s.Offset() != len(text) {
		t.Errorf("names %s, error %v, %d bytes of %d", got, s.Err, s.Offset(), len(text))
	}
	if err := s.Begin(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// TestFailures checks that text which ends or is none is an error, after which nothing is read.
func TestFailures(t *testing.T) {
	for text, want := range map[string]error{
		``: io.ErrUnexpectedEOF, `"a`: io.ErrUnexpectedEOF, `{"a":[`: io.ErrUnexpectedEOF, `nul`: io.ErrUnexpectedEOF, `,`: jsonscan.ErrSyntax,
	} {
		s := jsonscan.New(strings.NewReader(text))
		if got := s.Value(100); got != nil || !errors.Is(s.Err, want) || s.Peek() != 0 {
			t.Errorf("%q: got %q and %v, want %v", text, got, s.Err, want)
		}
	}
	s := jsonscan.New(iotest.ErrReader(io.ErrClosedPipe))
	if s.Skip(); !errors.Is(s.Err, io.ErrClosedPipe) {
		t.Errorf("got %v, want the error of the reader", s.Err)
	}
}

// FuzzValue compares with encoding/json: it finds the ends of the same values.
func FuzzValue(f *testing.F) {
	f.Add(`{"a":[1,"b"]}`)
	f.Add(`"\\\""`)
	f.Fuzz(func(t *testing.T, text string) {
		want := strings.Trim(text, " \t\r\n")
		if !json.Valid([]byte(want)) {
			return
		}
		s := jsonscan.New(iotest.HalfReader(strings.NewReader(text + " ")))
		got := s.Value(len(text))
		if isLongNumber := len(want) > 32 && want[0] != '"' && want[0] != '{' && want[0] != '['; isLongNumber {
			want = ""
		}
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestUnescape(t *testing.T) {
	for raw, want := range map[string]string{
		`plain`: "plain", `\u0041\n\/\\`: "A\n/\\", `\ud83d\ude00`: "😀", `\ud83d`: "\uFFFD", "\xff": "\uFFFD",
	} {
		if got, ok := jsonscan.Unescape([]byte("x"), []byte(raw)); !ok || string(got) != "x"+want {
			t.Errorf("%q: got %q, %t, want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{"\n", `\x`, `\u12`, `\`} {
		if got, ok := jsonscan.Unescape(nil, []byte(raw)); ok {
			t.Errorf("%q: got %q", raw, got)
		}
	}
}
