// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"fmt"

	"github.com/assay-project/assay/internal/strictjson"
	"github.com/assay-project/assay/internal/tlog"
)

// Bounds of the content. Sizes are in bytes.
const (
	// MaxContent is the largest content. Signatures of images have less than 16 KiB.
	MaxContent = 256 << 10
	// maxDepth is how deep objects and arrays may be nested. Bundles have 7 levels.
	maxDepth = 16
	// maxMembers is how many members an object may have.
	maxMembers = 256
	// maxEntries is the largest number of log entries of one signature, and maxTimestamps that of
	// timestamps. Clients write one of each.
	maxEntries    = 8
	maxTimestamps = 8
	// maxCertificates is the largest number of certificates of one signature. It bounds the chains
	// that are tried.
	maxCertificates = 4
	// maxCertificate is the largest certificate. Those of Fulcio have less than 3 KiB.
	maxCertificate = 32 << 10
	// maxSignature is the largest signature: RSA of 8192 bits has 1024.
	maxSignature = 1024
)

var contentLimits = strictjson.Limits{Size: MaxContent, Depth: maxDepth, Members: maxMembers}

// form is what a signature is over.
type form int

const (
	_            form = iota
	formBlob          // the payload of a blob of containers/image
	formEnvelope      // the payload of a DSSE envelope with its type
	formMessage       // content that is elsewhere, of which the bundle has the digest
)

// Signature is a signature that was read. Nothing of it is authenticated, and nothing of it can be
// seen but through Authenticate.
type Signature struct {
	form        form
	payload     []byte
	payloadType string // of an envelope
	keyID       string // of an envelope, empty if it names none
	signature   []byte

	// Of a message.
	hash   crypto.Hash
	digest []byte

	// Of a blob: annotations that only some policies need, and that are read when one does.
	annotations map[string]string
	// Of a bundle.
	certificates [][]byte
	entries      []*tlog.Entry
	timestamps   [][]byte
}

// Parse reads a signature within bounds. Its errors are of type *Error.
func Parse(content []byte) (*Signature, error) {
	switch {
	case len(content) > MaxContent:
		return nil, fail(Malformed, fmt.Sprintf("the content is larger than %d bytes", MaxContent))
	case len(content) == 0:
		return nil, fail(Malformed, "the content is empty")
	}
	parse := parseBundle
	if content[0] == 0 {
		parse = parseBlob
	}
	s, err := parse(content)
	if err != nil {
		return nil, err
	}
	if len(s.signature) == 0 || len(s.signature) > maxSignature {
		return nil, fail(Malformed, fmt.Sprintf("the signature does not have 1 to %d bytes", maxSignature))
	}
	return s, nil
}

// preAuthenticated returns what the signature in a DSSE envelope is over (DSSE protocol, PAE).
func preAuthenticated(payloadType string, payload []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(payloadType) + len(payload) + 32)
	fmt.Fprintf(&b, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload))
	b.Write(payload)
	return b.Bytes()
}

// decodeBase64 decodes standard base64 with padding, which may be broken into lines.
func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.Strict().DecodeString(text)
}
