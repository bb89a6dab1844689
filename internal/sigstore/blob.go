// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"bytes"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/rfc3161"
	"github.com/assay-project/assay/internal/strictjson"
	"github.com/assay-project/assay/internal/tlog"
)

// blobPrefix begins the form in which containers/image stores signatures of cosign.
const blobPrefix = "\x00sigstore-json\n"

// mimeTypeSimpleSigning is the only type of payload that is an image signature.
const mimeTypeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"

// Annotations of cosign's attachments.
const (
	annotationSignature   = "dev.cosignproject.cosign/signature"
	annotationBundle      = "dev.sigstore.cosign/bundle"
	annotationCertificate = "dev.sigstore.cosign/certificate"
	annotationChain       = "dev.sigstore.cosign/chain"
	annotationTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"
)

// parseBlob reads the form of containers/image.
func parseBlob(content []byte) (*Signature, error) {
	document, ok := bytes.CutPrefix(content, []byte(blobPrefix))
	if !ok {
		return nil, fail(Malformed, "the content begins with NUL, but not as sigstore-json does")
	}
	s := &Signature{form: formBlob, annotations: make(map[string]string)}
	var mimeType string
	payload := false
	err := strictjson.Parse(document, contentLimits, func(d *strictjson.Decoder) error {
		return d.Known(strictjson.Fields{
			"mimeType": stringInto(d, &mimeType),
			"payload": func() (err error) {
				payload = true
				s.payload, err = d.Base64Lines()
				return err
			},
			"annotations": func() error {
				return d.Object(func(name string) error {
					value, err := d.String()
					s.annotations[name] = value
					return err
				})
			},
		})
	})
	switch {
	case err != nil:
		return nil, fail(Malformed, "sigstore-json: "+err.Error())
	case mimeType != mimeTypeSimpleSigning:
		return nil, fail(NotASignature, "the attachment is of type "+strictjson.Quote(mimeType)+" and not an image signature")
	case !payload:
		return nil, fail(Malformed, "sigstore-json: there is no payload")
	}
	if s.signature, err = decodeBase64(s.annotations[annotationSignature]); err != nil {
		return nil, fail(Malformed, "annotation "+annotationSignature+" is not base64")
	}
	return s, nil
}

// blobCertificates reads the certificate and its chain from the annotations of a blob.
func (s *Signature) blobCertificates() ([][]byte, *Error) {
	text, ok := s.annotations[annotationCertificate]
	if !ok {
		return nil, nil
	}
	leaf, err := pubkey.Blocks([]byte(text), "CERTIFICATE", maxCertificate, 1)
	if err != nil {
		return nil, fail(InvalidCertificate, "annotation "+annotationCertificate+": "+err.Error())
	}
	chain := s.annotations[annotationChain]
	if chain == "" {
		return leaf, nil
	}
	others, err := pubkey.Blocks([]byte(chain), "CERTIFICATE", maxCertificates*maxCertificate, maxCertificates-1)
	if err != nil {
		return nil, fail(InvalidCertificate, "annotation "+annotationChain+": "+err.Error())
	}
	return append(leaf, others...), nil
}

// blobEntries reads the log entry from the annotations of a blob.
func (s *Signature) blobEntries() ([]*tlog.Entry, *Error) {
	text, ok := s.annotations[annotationBundle]
	if !ok {
		return nil, nil
	}
	entry, err := tlog.ParsePromise([]byte(text))
	if err != nil {
		return nil, fail(InvalidLogEntry, "annotation "+annotationBundle+": "+err.Error())
	}
	return []*tlog.Entry{entry}, nil
}

// blobTimestamps reads the timestamp from the annotations of a blob.
func (s *Signature) blobTimestamps() ([][]byte, *Error) {
	text, ok := s.annotations[annotationTimestamp]
	if !ok {
		return nil, nil
	}
	limits := strictjson.Limits{Size: 2 * rfc3161.MaxSize, Depth: 1, Members: 1}
	var timestamp []byte
	err := strictjson.Parse([]byte(text), limits, func(d *strictjson.Decoder) error {
		return d.Known(strictjson.Fields{"SignedRFC3161Timestamp": base64Into(d, &timestamp)})
	})
	if err != nil {
		return nil, fail(InvalidTimestamp, "annotation "+annotationTimestamp+": "+err.Error())
	}
	return [][]byte{timestamp}, nil
}

// stringInto returns what reads a string into a variable.
func stringInto(d *strictjson.Decoder, to *string) func() error {
	return func() (err error) {
		*to, err = d.String()
		return err
	}
}

// base64Into returns what reads base64 into a variable.
func base64Into(d *strictjson.Decoder, to *[]byte) func() error {
	return func() (err error) {
		*to, err = d.Base64()
		return err
	}
}
