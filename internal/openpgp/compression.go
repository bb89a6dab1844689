// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"
	"sync"
)

// Compression algorithms, RFC 9580 section 9.4.
const (
	compressionNone  = 0
	compressionZIP   = 1
	compressionZLIB  = 2
	compressionBZIP2 = 3
)

var (
	errCompression = errors.New("unknown compression algorithm")
	errDecompress  = errors.New("the compressed data is damaged")
	errTooLarge    = errors.New("the compressed data grows too large")
	errAfterStream = errors.New("data follows the compressed data")
	errOverBudget  = errors.New("the budget does not allow to decompress more")
)

// An inflater allocates 40 KiB, more than all the rest of a verification, and can be reused.
var (
	inflaters    = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}
	zlibReaders  sync.Pool // Of io.ReadCloser; zlib.NewReader needs a header.
	plainBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

// withDecompressed calls use with the content of a compressed data packet (RFC 9580 section 5.6).
// use must not keep the content. spend is called before a step that takes many times as long as it
// does for usual messages: any BZIP2, and more than maxLightSize octets of anything else.
func withDecompressed(body []byte, spend func() bool, use func([]byte) (*Message, *Error)) (*Message, *Error) {
	buffer := plainBuffers.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= maxKeptBuffer {
			buffer.Reset()
			plainBuffers.Put(buffer)
		}
	}()
	if err := decompress(buffer, body, spend); err != nil {
		return nil, describeCompression(err)
	}
	return use(buffer.Bytes())
}

func describeCompression(err error) *Error {
	switch {
	case errors.Is(err, errCompression):
		return malformed("the message is compressed with an algorithm that is not ZIP, ZLIB or BZIP2")
	case errors.Is(err, errTooLarge):
		return malformed("the message decompresses to more than 160 KiB")
	case errors.Is(err, errOverBudget):
		return refuse(OverBudget, "the message is compressed with BZIP2, or is larger than 16 KiB when decompressed, "+
			"which takes too long beside others of its kind; use ZIP")
	case errors.Is(err, errAfterStream):
		return malformed("data follows the compressed message")
	default:
		return malformed("the compressed message is damaged or truncated")
	}
}

// decompress appends the content of a compressed data packet to out. All of the body must belong to
// the compressed stream, and the stream must end.
func decompress(out *bytes.Buffer, body []byte, spend func() bool) error {
	if len(body) == 0 {
		return errDecompress
	}
	// The decompressors read single octets from an io.ByteReader such as this one, so what remains
	// in it follows the end of the stream.
	in := bytes.NewReader(body[1:])
	var err error
	switch body[0] {
	case compressionNone:
		err = copyBounded(out, in, spend)
	case compressionZIP:
		err = inflate(out, in, spend)
	case compressionZLIB:
		err = zlibInflate(out, in, spend)
	case compressionBZIP2:
		if !spend() {
			return errOverBudget
		}
		err = copyBounded(out, bzip2.NewReader(in), func() bool { return true })
	default:
		return errCompression
	}
	if err != nil {
		return err
	}
	if in.Len() != 0 {
		return errAfterStream
	}
	return nil
}

func inflate(out *bytes.Buffer, in *bytes.Reader, spend func() bool) error {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(in, nil); err != nil {
		return errDecompress
	}
	return copyBounded(out, r, spend)
}

func zlibInflate(out *bytes.Buffer, in *bytes.Reader, spend func() bool) error {
	r, ok := zlibReaders.Get().(io.ReadCloser)
	var err error
	if ok {
		err = r.(zlib.Resetter).Reset(in, nil)
	} else {
		r, err = zlib.NewReader(in)
	}
	if err != nil {
		return errDecompress
	}
	defer zlibReaders.Put(r)
	return copyBounded(out, r, spend)
}

// copyBounded reads r to its end, at most maxDecompressedSize octets. It calls spend before it
// decodes more than maxLightSize.
func copyBounded(out *bytes.Buffer, r io.Reader, spend func() bool) error {
	limited := io.LimitedReader{R: r, N: maxLightSize + 1}
	if _, err := out.ReadFrom(&limited); err != nil {
		return errDecompress
	}
	if limited.N > 0 {
		return nil
	}
	if !spend() {
		return errOverBudget
	}
	limited.N = maxDecompressedSize - maxLightSize
	if _, err := out.ReadFrom(&limited); err != nil {
		return errDecompress
	}
	if limited.N == 0 {
		return errTooLarge
	}
	return nil
}
