// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assay-project/assay/internal/jsonscan"
)

// maxEscape is how many bytes of an escape sequence stand for one byte of text.
const maxEscape = 6

// token reads a string and returns what stands between the quotation marks, valid until the
// next read. It returns false for null, for what is no string, and for a string of more than
// limit bytes, of which long makes the fault.
func (r *reader) token(field string, limit int, long func() Fault) (raw []byte, ok bool) {
	switch {
	case r.broken(), r.null():
		return nil, false
	case r.Peek() != '"':
		r.wrongKind(field, "a string")
		return nil, false
	}
	raw, ok = r.Str(limit)
	if !ok {
		r.failAs(long())
	}
	return raw, ok
}

// bytes reads a string and returns its text, valid until the next read. It returns false like
// token.
func (r *reader) bytes(field string, limit int, long func() Fault) (text []byte, ok bool) {
	raw, ok := r.token(field, maxEscape*limit, long)
	if !ok {
		return nil, false
	}
	if r.scratch, ok = jsonscan.Unescape(r.scratch[:0], raw); !ok {
		r.Syntax()
		return nil, false
	}
	if len(r.scratch) > limit {
		r.failAs(long())
		return nil, false
	}
	return r.scratch, true
}

// budgeted is bytes for a text that the section's budget pays for.
func (r *reader) budgeted(field string) (text []byte, ok bool) {
	text, ok = r.bytes(field, max(r.budget, 0), func() Fault { return r.overrun })
	return text, ok && r.charge(len(text))
}

// string reads a string.
func (r *reader) string(field string) string {
	text, _ := r.budgeted(field)
	return string(text)
}

// sharedString reads a string that many Images have alike.
func (r *reader) sharedString(field string) string {
	text, _ := r.budgeted(field)
	if len(text) > maxSharedText {
		return string(text)
	}
	if known, ok := r.shared[string(text)]; ok {
		return known
	}
	if r.shared == nil || len(r.shared) == maxShared {
		r.shared = make(map[string]string)
	}
	s := string(text)
	r.shared[s] = s
	return s
}

// integer reads an integer of 64 bits.
func (r *reader) integer(field string) int64 {
	const want = "an integer of 64 bits"
	if r.broken() || r.null() {
		return 0
	}
	if c := r.Peek(); c != '-' && (c < '0' || c > '9') {
		r.wrongKind(field, want)
		return 0
	}
	n, err := strconv.ParseInt(string(r.Scalar()), 10, 64)
	if err != nil {
		r.fail(field, "the value is not "+want)
		return 0
	}
	return n
}

// maxTime bounds the text of a time. RFC 3339 allows any number of digits for fractions of a
// second.
const maxTime = 256

// time reads a time as metav1.Time does. It returns false for null and for what is no time.
func (r *reader) time(field string) (metav1.Time, bool) {
	const detail = "the value is not a time as in RFC 3339"
	text, ok := r.bytes(field, maxTime, func() Fault { return *r.undecodable(field, detail) })
	if !ok {
		return metav1.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		r.fail(field, detail)
		return metav1.Time{}, false
	}
	return metav1.Time{Time: t.Local()}, true
}

// writableTime reads a time that is written back. That is done in UTC, where the time must not
// leave the years that RFC 3339 has digits for.
func (r *reader) writableTime(field string) (metav1.Time, bool) {
	t, ok := r.time(field)
	if year := t.UTC().Year(); ok && (year < 0 || year > 9999) {
		r.fail(field, "in UTC, the time has a year that RFC 3339 cannot write")
		return metav1.Time{}, false
	}
	return t, ok
}

// binary reads a string of binary data in base64, which is longer than limit bytes only with
// a fault that long makes.
func (r *reader) binary(field string, limit int, long func() Fault) []byte {
	// encoding/json takes line breaks in base64, each of which is an escape sequence.
	raw, ok := r.token(field, 2*base64.StdEncoding.EncodedLen(limit), long)
	if !ok {
		return nil
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		if r.scratch, ok = jsonscan.Unescape(r.scratch[:0], raw); !ok {
			r.Syntax()
			return nil
		}
		raw = r.scratch
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, err := base64.StdEncoding.Decode(data, raw)
	if err != nil {
		r.fail(field, "the value is not base64")
		return nil
	}
	if n > limit {
		r.failAs(long())
		return nil
	}
	return data[:n:n]
}
