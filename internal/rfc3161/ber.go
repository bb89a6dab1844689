// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package rfc3161

import "errors"

// maxDepth bounds how deep elements are nested. A timestamp with certificates has some 15 levels.
const maxDepth = 32

var errBER = errors.New("the timestamp is not well-formed ASN.1")

// Parts of an identifier octet and a length octet (X.690 sections 8.1.2 and 8.1.3).
const (
	tagOctetString    = 0x04
	constructedBit    = 0x20
	tagNumberMask     = 0x1f
	longLength        = 0x80
	maxLengthOctets   = 4
	shortLengthLimit  = 0x80
	indefiniteLength  = 0x80
	endOfContentsSize = 2
)

// toDER brings one BER element (X.690) into the form that parsers of DER read: lengths are definite
// and short, and octet strings are in one piece. The content of other elements stays as it is, so
// that DER comes out as it went in.
func toDER(ber []byte) ([]byte, error) {
	der, rest, err := element(nil, ber, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, errBER
	}
	return der, nil
}

// element appends the DER form of the first element of in, and returns what follows it.
func element(out, in []byte, depth int) (der, rest []byte, err error) {
	if depth > maxDepth || len(in) < 2 || in[0]&tagNumberMask == tagNumberMask {
		return nil, nil, errBER // no structure of a timestamp has a tag number above 30
	}
	tag := in[0]
	length, in, err := readLength(in[1:])
	if err != nil || length < 0 && tag&constructedBit == 0 || length > len(in) {
		return nil, nil, errBER
	}
	if tag&constructedBit == 0 {
		return append(appendHeader(out, tag, length), in[:length]...), in[length:], nil
	}
	content := in
	if length >= 0 {
		content, rest = in[:length], in[length:]
	}
	body, after, err := elements(content, length < 0, depth+1, tag&^constructedBit == tagOctetString)
	if err != nil {
		return nil, nil, err
	}
	if length < 0 {
		rest = after
	}
	if tag&^constructedBit == tagOctetString {
		tag = tagOctetString
	}
	return append(appendHeader(out, tag, len(body)), body...), rest, nil
}

// elements brings the content of a constructed element into DER. The content ends with its slice, or
// where it is of indefinite length with two zero octets. The pieces of a string are joined.
func elements(in []byte, indefinite bool, depth int, pieces bool) (body, rest []byte, err error) {
	for len(in) > 0 {
		if indefinite && len(in) >= endOfContentsSize && in[0] == 0 && in[1] == 0 {
			return body, in[endOfContentsSize:], nil
		}
		if !pieces {
			if body, in, err = element(body, in, depth); err != nil {
				return nil, nil, err
			}
			continue
		}
		var piece []byte
		if piece, in, err = element(nil, in, depth); err != nil || piece[0] != tagOctetString {
			return nil, nil, errBER
		}
		_, value, err := readLength(piece[1:])
		if err != nil {
			return nil, nil, err
		}
		body = append(body, value...)
	}
	if indefinite {
		return nil, nil, errBER
	}
	return body, nil, nil
}

// readLength reads the length of an element, -1 for an indefinite one, and returns what follows.
func readLength(in []byte) (length int, rest []byte, err error) {
	if len(in) == 0 {
		return 0, nil, errBER
	}
	first, in := in[0], in[1:]
	switch {
	case first == indefiniteLength:
		return -1, in, nil
	case first < shortLengthLimit:
		return int(first), in, nil
	}
	n := int(first &^ longLength)
	if n > maxLengthOctets || n > len(in) {
		return 0, nil, errBER
	}
	for _, b := range in[:n] {
		length = length<<8 | int(b)
	}
	return length, in[n:], nil
}

// appendHeader appends an identifier octet and a length in the shortest form.
func appendHeader(out []byte, tag byte, length int) []byte {
	out = append(out, tag)
	if length < shortLengthLimit {
		return append(out, byte(length&0xff))
	}
	n := 1
	for length>>(8*n) > 0 {
		n++
	}
	out = append(out, longLength|byte(n))
	for i := n - 1; i >= 0; i-- {
		out = append(out, byte(length>>(8*i)&0xff))
	}
	return out
}
