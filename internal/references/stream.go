// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// magic begins every object that is encoded as runtime.Unknown, and not one of a watch's frames
// (k8s.io/apimachinery, pkg/runtime/serializer/protobuf).
var magic = []byte("k8s\x00")

// stream reads the answer to a list or watch request. It holds one object at a time.
type stream struct {
	kind *Kind
	src  *bufio.Reader
	buf  []byte
	// skipped is called for an object that is left out, with the reason.
	skipped func(reason string)
}

func newStream(kind *Kind, src io.Reader, skipped func(reason string)) *stream {
	return &stream{kind: kind, src: bufio.NewReaderSize(src, bufferSize), skipped: skipped}
}

// list reads a list and calls emit for each object, in the order of the list. An error means that
// the list is incomplete.
func (s *stream) list(emit func(*Object)) (metav1.ListMeta, error) {
	var meta metav1.ListMeta
	prefix := make([]byte, len(magic))
	if _, err := io.ReadFull(s.src, prefix); err != nil {
		return meta, err
	}
	if !bytes.Equal(prefix, magic) {
		return meta, errWire
	}
	// A runtime.Unknown: raw (2) is the list, contentEncoding (3) is empty.
	complete := false
	err := s.fields(-1, func(num protowire.Number, length int64) error {
		switch {
		case num == 2:
			complete = true
			return s.fields(length, func(num protowire.Number, length int64) error {
				return s.listField(num, length, &meta, emit)
			})
		case num == 3 && length > 0:
			return fmt.Errorf("%w: it is encoded once more", errWire)
		default:
			return s.discard(length)
		}
	})
	if err == nil && !complete {
		err = io.ErrUnexpectedEOF
	}
	return meta, err
}

// listField reads a field of a list: metadata (1) or an item (2).
func (s *stream) listField(num protowire.Number, length int64, meta *metav1.ListMeta, emit func(*Object)) error {
	switch {
	case num == 1 && length > maxListMeta:
		return fmt.Errorf("%w: the metadata of the list is too large", errWire)
	case num == 1:
		raw, err := s.read(length)
		if err == nil {
			readListMeta(raw, meta)
		}
		return err
	case num == 2 && length > maxObject:
		s.skipped("it is too large")
		return s.discard(length)
	case num == 2:
		raw, err := s.read(length)
		if err != nil {
			return err
		}
		s.emit(decode(s.kind, raw), emit)
		return nil
	default:
		return s.discard(length)
	}
}

// emit passes an object on unless it has no name, which none of an API server's objects lacks.
func (s *stream) emit(o *Object, emit func(*Object)) {
	if o.name == "" {
		s.skipped("it has no name")
		return
	}
	emit(o)
}

func readListMeta(raw []byte, meta *metav1.ListMeta) {
	eachField(raw, func(num protowire.Number, v value) {
		switch num {
		case 2:
			meta.ResourceVersion = string(v.bytes)
		case 3:
			meta.Continue = string(v.bytes)
		case 4:
			n := int64(v.varint) //nolint:gosec // An int64 is encoded so.
			meta.RemainingItemCount = &n
		}
	})
}

// fields reads the fields of a message of so many bytes, or of everything that is left if length
// is negative, and calls field with the length of each. Only fields that have one occur in
// runtime.Unknown and in lists.
func (s *stream) fields(length int64, field func(num protowire.Number, length int64) error) error {
	for length != 0 {
		tag, n, err := s.varint()
		if errors.Is(err, io.EOF) && length < 0 {
			return nil
		}
		if err != nil {
			return noEOF(err)
		}
		num, wireType := protowire.DecodeTag(tag)
		size, m, err := s.varint()
		if err != nil {
			return noEOF(err)
		}
		if wireType != protowire.BytesType || !num.IsValid() {
			return errWire
		}
		if length > 0 {
			if size > uint64(length) || int64(n+m) > length-int64(size) { //nolint:gosec // Checked first.
				return errWire
			}
			length -= int64(n+m) + int64(size) //nolint:gosec // It is less than length.
		}
		if size > 1<<62 {
			return errWire
		}
		if err := field(num, int64(size)); err != nil {
			return noEOF(err)
		}
	}
	return nil
}

// varint reads a number and returns how many bytes it has. The error is io.EOF only in front of
// the first one.
func (s *stream) varint() (v uint64, n int, err error) {
	for n < binary.MaxVarintLen64 {
		b, err := s.src.ReadByte()
		if err != nil {
			if n > 0 {
				err = noEOF(err)
			}
			return 0, 0, err
		}
		v |= uint64(b&0x7f) << (7 * n)
		n++
		if b < 0x80 {
			return v, n, nil
		}
	}
	return 0, 0, errWire
}

// read returns the next bytes, valid until the next read.
func (s *stream) read(length int64) ([]byte, error) {
	if cap(s.buf) > maxIdleBuffer && length <= maxIdleBuffer {
		s.buf = nil
	}
	if int64(cap(s.buf)) < length {
		// No more than what arrives is allocated: a length is only a claim.
		var b bytes.Buffer
		if _, err := io.CopyN(&b, s.src, length); err != nil {
			return nil, noEOF(err)
		}
		s.buf = b.Bytes()
		return s.buf, nil
	}
	s.buf = s.buf[:length]
	_, err := io.ReadFull(s.src, s.buf)
	return s.buf, noEOF(err)
}

func (s *stream) discard(length int64) error {
	_, err := io.CopyN(io.Discard, s.src, length)
	return noEOF(err)
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next waits for the next event of a watch. object is nil for an event of type ERROR, whose status
// is not. The error is io.EOF at the end of the watch.
func (s *stream) next() (eventType watch.EventType, object *Object, status *metav1.Status, err error) {
	for {
		raw, err := s.frame()
		switch {
		case err != nil:
			return "", nil, nil, err
		case raw == nil:
			continue
		}
		// A WatchEvent: type (1), object (2) with raw (1), in which there is a runtime.Unknown.
		eventType = watch.EventType(text(raw, 1))
		var content []byte
		walk(raw, []protowire.Number{2, 1}, func(v []byte) { content = v })
		body, ok := bytes.CutPrefix(content, magic)
		if !ok {
			return "", nil, nil, errWire
		}
		content = nil
		walk(body, []protowire.Number{2}, func(v []byte) { content = v })
		switch eventType {
		case watch.Error:
			status = &metav1.Status{}
			return eventType, nil, status, status.Unmarshal(content)
		case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
		default:
			return "", nil, nil, errWire
		}
		if o := decode(s.kind, content); o.name != "" || eventType == watch.Bookmark {
			return eventType, o, nil, nil
		}
		s.skipped("it has no name")
	}
}

// frame reads the next frame of a watch: its length in four bytes, then its content. It returns
// nil for one that is too large to read.
func (s *stream) frame() ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(s.src, header[:]); err != nil {
		return nil, err
	}
	length := int64(binary.BigEndian.Uint32(header[:]))
	if length > maxObject {
		s.skipped("it is too large")
		return nil, s.discard(length)
	}
	raw, err := s.read(length)
	if raw == nil && err == nil {
		raw = []byte{}
	}
	return raw, err
}
