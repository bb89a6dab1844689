// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/assay-project/assay/internal/strictjson"
)

// A signed Docker image manifest, schema 1, has a last member "signatures" with JSON Web Signatures
// (RFC 7515) over the document without that member. According to Docker's specification
// (manifest-v2-1, "Signed Manifests"), the protected header of each signature describes how to
// restore that document:
//
//	{"formatLength": 5478, "formatTail": "Cn0", "time": "2016-04-18T20:54:42Z"}
//
// The document consists of the first formatLength bytes of the manifest and formatTail, decoded
// from base64url: usually a line feed and a closing brace. The digest of the image is the digest of
// the restored document.
//
// A header may name any length and tail, so the digest could be that of an unrelated document. The
// restored document must therefore be the manifest without its signatures: the length leads to the
// end of the preceding member, signatures is the last member, and the tail closes the object.

const (
	// maxSignatures bounds the signatures of a manifest. Docker wrote one.
	maxSignatures = 64
	// maxProtected bounds a protected header in bytes. Real ones have about 100.
	maxProtected = 4 << 10
)

var (
	signatureMembers = []string{"header", "signature", "protected"}
	protectedMembers = []string{"formatLength", "formatTail", "time"}
)

// signatures is the member of that name and its position in the manifest.
type signatures struct {
	start int    // offset of the end of the preceding member
	raw   string // text of the value
	end   int    // offset of the end of the value
	last  bool   // it is the last member
}

// format describes how to restore the signed document, according to the protected headers.
type format struct {
	length int
	tail   string
}

// payload returns the signed document.
func (s *signatures) payload(manifest []byte) ([]byte, error) {
	f, err := s.format()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignatures, err)
	}
	if !s.last {
		return nil, fmt.Errorf("%w: signatures is not the last member", ErrAmbiguous)
	}
	const differs = "%w: the signed document is not the manifest without its signatures: %s"
	if f.length < s.start || f.length > len(manifest) || trimmed(manifest[s.start:f.length]) != "" {
		return nil, fmt.Errorf(differs, ErrAmbiguous, "formatLength does not lead to the end of the member before")
	}
	if trimmed(f.tail) != "}" {
		return nil, fmt.Errorf(differs, ErrAmbiguous, "formatTail does not just close the object")
	}
	return append(manifest[:f.length:f.length], f.tail...), nil
}

// trimmed returns text without the white space of JSON at both ends.
func trimmed[T string | []byte](text T) string {
	return strings.Trim(string(text), " \t\r\n")
}

// format reads all signatures, which must agree on the signed document.
func (s *signatures) format() (format, error) {
	var formats []format
	limits := strictjson.Limits{Size: MaxSize, Depth: maxDepth, Members: maxMembers}
	err := strictjson.Parse([]byte(s.raw), limits, func(d *strictjson.Decoder) error {
		return d.Array(func() error {
			if len(formats) == maxSignatures {
				return fmt.Errorf("more than %d signatures", maxSignatures)
			}
			f, err := readSignature(d)
			formats = append(formats, f)
			return err
		})
	})
	if err != nil {
		return format{}, err
	}
	if len(formats) == 0 {
		return format{}, errors.New("there is no signature")
	}
	for _, f := range formats {
		if f != formats[0] {
			return format{}, errors.New("signatures differ in formatLength or formatTail")
		}
	}
	return formats[0], nil
}

// readSignature reads one element of signatures.
func readSignature(d *strictjson.Decoder) (format, error) {
	protected, hasHeader, hasSignature := "", false, false
	err := d.Object(func(name string) error {
		var err error
		switch name {
		case "protected":
			protected, err = d.String()
		case "signature":
			hasSignature = true
			_, err = d.String()
		case "header":
			hasHeader = true
			err = d.Object(func(string) error { return d.Skip() })
		default:
			err = unknownMember(d, name, signatureMembers)
		}
		return err
	})
	switch {
	case err != nil:
		return format{}, err
	case protected == "" || !hasHeader || !hasSignature:
		return format{}, errors.New("a signature lacks its header, signature or protected member")
	}
	return readProtected(protected)
}

// readProtected reads a protected header (RFC 7515 section 2, "JWS Protected Header").
func readProtected(encoded string) (format, error) {
	f := format{length: -1}
	header, err := decode(encoded)
	if err != nil {
		return f, errors.New("a protected header is not base64url-encoded")
	}
	limits := strictjson.Limits{Size: maxProtected, Depth: maxDepth, Members: maxMembers}
	hasTail := false
	err = strictjson.Parse(header, limits, func(d *strictjson.Decoder) error {
		return d.Object(func(name string) error {
			switch name {
			case "formatLength":
				return f.readLength(d)
			case "formatTail":
				hasTail = true
				return f.readTail(d)
			default:
				return unknownMember(d, name, protectedMembers)
			}
		})
	})
	switch {
	case err != nil:
		return f, fmt.Errorf("in a protected header: %w", err)
	case f.length < 0 || !hasTail:
		return f, errors.New("a protected header lacks formatLength or formatTail")
	}
	return f, nil
}

func (f *format) readLength(d *strictjson.Decoder) error {
	literal, err := d.Number()
	if err != nil {
		return err
	}
	f.length, err = strconv.Atoi(literal)
	if err != nil || f.length < 0 {
		return errors.New("formatLength is not a number of bytes")
	}
	return nil
}

func (f *format) readTail(d *strictjson.Decoder) error {
	encoded, err := d.String()
	if err != nil {
		return err
	}
	tail, err := decode(encoded)
	if err != nil {
		return errors.New("formatTail is not base64url-encoded")
	}
	f.tail = string(tail)
	return nil
}

// unknownMember skips a member unless its name folds onto a defined one.
func unknownMember(d *strictjson.Decoder, name string, defined []string) error {
	if other := strictjson.FoldsOnto(name, defined); other != "" {
		return fmt.Errorf("some readers take the member %s for %q", strictjson.Quote(name), other)
	}
	return d.Skip()
}

// decode decodes base64url without padding (RFC 7515 section 2). It accepts only the canonical
// encoding.
func decode(encoded string) ([]byte, error) {
	if strings.ContainsAny(encoded, "\r\n") { // which encoding/base64 would skip
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.Strict().DecodeString(encoded)
}
