// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/assay-project/assay/internal/strictjson"
	"github.com/assay-project/assay/internal/tlog"
)

// bundleVersions maps the media types of bundles to the minor number of their version 0.x.
var bundleVersions = map[string]int{
	"application/vnd.dev.sigstore.bundle+json;version=0.1": 1,
	"application/vnd.dev.sigstore.bundle+json;version=0.2": 2,
	"application/vnd.dev.sigstore.bundle+json;version=0.3": 3,
	"application/vnd.dev.sigstore.bundle.v0.3+json":        3,
}

// payloadTypeInToto is the only payload type of an envelope that can be an image signature.
const payloadTypeInToto = "application/vnd.in-toto+json"

// maxHint bounds hints and key IDs, in bytes. Nothing depends on a hint.
const maxHint = 1024

// messageHashes maps the hash algorithms of sigstore_common.proto.
var messageHashes = map[string]crypto.Hash{
	"SHA2_256": crypto.SHA256,
	"SHA2_384": crypto.SHA384,
	"SHA2_512": crypto.SHA512,
}

// bundleReader reads a bundle in the JSON form of protocol buffers.
type bundleReader struct {
	*strictjson.Decoder
	s         *Signature
	mediaType string
	contents  int // signatures in the bundle, of any form
	verifiers int // certificates, chains and keys
	chain     bool
}

// parseBundle reads a sigstore bundle.
func parseBundle(content []byte) (*Signature, error) {
	r := &bundleReader{s: &Signature{}}
	err := strictjson.Parse(content, contentLimits, func(d *strictjson.Decoder) error {
		r.Decoder = d
		return d.Known(strictjson.Fields{
			"mediaType":            stringInto(d, &r.mediaType),
			"verificationMaterial": r.material,
			"messageSignature":     r.messageSignature,
			"dsseEnvelope":         r.envelope,
		})
	})
	var e *Error
	switch {
	case errors.As(err, &e):
		return nil, e
	case err != nil:
		return nil, fail(Malformed, "bundle: "+err.Error())
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r.s, nil
}

// check holds a bundle to the rules of its version.
func (r *bundleReader) check() error {
	version, ok := bundleVersions[r.mediaType]
	switch {
	case !ok:
		return fail(UnsupportedVersion, "bundles of versions 0.1 to 0.3 are verified, and this is "+strictjson.Quote(r.mediaType))
	case r.contents != 1:
		return fail(Malformed, "bundle: there must be exactly one signature")
	case r.verifiers != 1:
		return fail(Malformed, "bundle: there must be exactly one of certificate, certificate chain and public key")
	case r.s.keyID != "" && len(r.s.certificates) > 0:
		return fail(Malformed, "bundle: the envelope names a key beside the certificate")
	case r.chain && len(r.s.certificates) == 0:
		return fail(Malformed, "bundle: the certificate chain is empty")
	case version >= 3 && r.chain:
		return fail(Malformed, "bundle: version 0.3 has no certificate chain")
	}
	type place struct {
		log   tlog.ID
		index int64
	}
	places := make(map[place]bool)
	for _, e := range r.s.entries {
		switch {
		case version == 1 && e.Promise == nil:
			return fail(Malformed, "bundle: version 0.1 needs a signed entry timestamp for each log entry")
		case version >= 2 && e.Proof == nil:
			return fail(Malformed, "bundle: versions from 0.2 on need a proof of inclusion for each log entry")
		case places[place{e.LogID, e.Index}]:
			return fail(Malformed, "bundle: a log entry occurs twice")
		}
		places[place{e.LogID, e.Index}] = true
	}
	return nil
}

func (r *bundleReader) material() error {
	return r.Known(strictjson.Fields{
		"publicKey": func() error {
			r.verifiers++
			return r.Known(strictjson.Fields{"hint": func() error {
				_, err := r.hint()
				return err
			}})
		},
		"certificate": func() error {
			r.verifiers++
			return r.certificate()
		},
		"x509CertificateChain": func() error {
			r.verifiers++
			r.chain = true
			return r.Known(strictjson.Fields{"certificates": func() error {
				return r.Elements(maxCertificates, r.certificate)
			}})
		},
		"tlogEntries": func() error {
			return r.Elements(maxEntries, func() error {
				e, err := tlog.ParseEntry(r.Decoder)
				r.s.entries = append(r.s.entries, e)
				return err
			})
		},
		"timestampVerificationData": func() error {
			return r.Known(strictjson.Fields{"rfc3161Timestamps": func() error {
				return r.Elements(maxTimestamps, r.timestamp)
			}})
		},
	})
}

// hint reads the hint at a key, which is not authenticated. No key is chosen by it.
func (r *bundleReader) hint() (string, error) {
	text, err := r.String()
	if len(text) > maxHint {
		return "", fmt.Errorf("a hint is longer than %d bytes", maxHint)
	}
	return text, err
}

func (r *bundleReader) certificate() error {
	var der []byte
	if err := r.Known(strictjson.Fields{"rawBytes": base64Into(r.Decoder, &der)}); err != nil {
		return err
	}
	if len(der) == 0 || len(der) > maxCertificate {
		return fmt.Errorf("a certificate does not have 1 to %d bytes", maxCertificate)
	}
	r.s.certificates = append(r.s.certificates, der)
	return nil
}

func (r *bundleReader) timestamp() error {
	var der []byte
	err := r.Known(strictjson.Fields{"signedTimestamp": base64Into(r.Decoder, &der)})
	r.s.timestamps = append(r.s.timestamps, der)
	return err
}

func (r *bundleReader) messageSignature() error {
	r.contents++
	r.s.form = formMessage
	var algorithm string
	err := r.Known(strictjson.Fields{
		"messageDigest": func() error {
			return r.Known(strictjson.Fields{
				"algorithm": stringInto(r.Decoder, &algorithm),
				"digest":    base64Into(r.Decoder, &r.s.digest),
			})
		},
		"signature": base64Into(r.Decoder, &r.s.signature),
	})
	if err != nil {
		return err
	}
	hash, ok := messageHashes[algorithm]
	if !ok || len(r.s.digest) != hash.Size() {
		return errors.New("the message digest is not one of SHA2_256, SHA2_384 and SHA2_512")
	}
	r.s.hash = hash
	return nil
}

func (r *bundleReader) envelope() error {
	r.contents++
	r.s.form = formEnvelope
	payload, signatures := false, 0
	err := r.Known(strictjson.Fields{
		"payload": func() (err error) {
			payload = true
			r.s.payload, err = r.Base64()
			return err
		},
		"payloadType": stringInto(r.Decoder, &r.s.payloadType),
		"signatures": func() error {
			return r.Array(func() error {
				signatures++
				if signatures > 1 {
					return errors.New("an envelope must have exactly one signature")
				}
				return r.Known(strictjson.Fields{
					"sig": base64Into(r.Decoder, &r.s.signature),
					"keyid": func() (err error) {
						r.s.keyID, err = r.hint()
						return err
					},
				})
			})
		},
	})
	switch {
	case err != nil:
		return err
	case !payload || signatures != 1:
		return errors.New("an envelope must have a payload and exactly one signature")
	case r.s.payloadType != payloadTypeInToto:
		return fail(NotASignature, "the envelope holds "+strictjson.Quote(r.s.payloadType)+" and no statement about an image")
	}
	return nil
}
