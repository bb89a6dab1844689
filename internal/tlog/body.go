// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/strictjson"
)

// MaxBody is the largest entry in bytes. Those of Rekor for an image have less than 8 KiB.
const MaxBody = 128 << 10

var bodyLimits = strictjson.Limits{Size: MaxBody, Depth: 12, Members: 64}

// Kinds of entries.
const (
	kindHashedRekord = "hashedrekord"
	kindDSSE         = "dsse"
	kindInToto       = "intoto"
)

// Body is what a log has recorded: the digest of what was signed, a signature, and the key or
// certificate that verifies it.
type Body struct {
	// Kind and Version are the type of the entry, such as hashedrekord 0.0.1.
	Kind, Version string

	raw         []byte
	v2          bool
	hash        crypto.Hash
	digest      []byte
	signature   []byte
	certificate []byte // DER, or nil
	key         []byte // SubjectPublicKeyInfo, or nil
}

// V2 reports whether the entry is of a kind that only Rekor version 2 records.
func (b *Body) V2() bool { return b.v2 }

// Signed is what an entry is compared with.
type Signed struct {
	// Digest returns the digest of what was signed, nil if it is not known for the hash function.
	Digest func(crypto.Hash) []byte
	// Payload is the payload of a DSSE envelope, nil if the signature is not in one.
	Payload []byte
	// Signature as it was made.
	Signature []byte
	// Certificate is the signer's in DER; Key is the signer's key where there is no certificate.
	Certificate []byte
	Key         *pubkey.Key
}

// Errors of Match. Their text is one clause.
var (
	ErrOtherKind      = errors.New("the log entry is of a kind that does not record such signatures")
	ErrOtherDigest    = errors.New("the log entry is for other content")
	ErrOtherSignature = errors.New("the log entry is for another signature")
	ErrOtherKey       = errors.New("the log entry is for another key or certificate")
)

// Match compares the entry with a signature: what was signed, the signature and the key.
func (b *Body) Match(s *Signed) error {
	var want []byte
	switch {
	case b.Kind == kindHashedRekord && (s.Payload == nil || b.v2):
		want = s.Digest(b.hash)
	case b.Kind != kindHashedRekord && s.Payload != nil:
		want = pubkey.Sum(b.hash, s.Payload)
	default:
		return ErrOtherKind
	}
	switch {
	case want == nil || !bytes.Equal(want, b.digest):
		return ErrOtherDigest
	case !bytes.Equal(s.Signature, b.signature):
		return ErrOtherSignature
	case s.Certificate != nil && !bytes.Equal(s.Certificate, b.certificate):
		return ErrOtherKey
	case s.Certificate == nil && (s.Key == nil || !bytes.Equal(s.Key.SPKI(), b.key)):
		return ErrOtherKey
	}
	return nil
}

// ParseBody reads an entry. Members that do not matter to Match are passed over: the log has signed
// them, and no decision rests on them.
func ParseBody(raw []byte) (*Body, error) {
	b := &Body{raw: raw}
	var spec string
	err := strictjson.Parse(raw, bodyLimits, func(d *strictjson.Decoder) error {
		return d.Known(strictjson.Fields{
			"kind":       text(d, &b.Kind),
			"apiVersion": text(d, &b.Version),
			"spec": func() (err error) {
				spec, err = d.Raw()
				return err
			},
		})
	})
	if err != nil {
		return nil, fmt.Errorf("log entry: %w", err)
	}
	if err := strictjson.Parse([]byte(spec), bodyLimits, b.parseSpec); err != nil {
		return nil, fmt.Errorf("log entry: %w", err)
	}
	if err := b.complete(); err != nil {
		return nil, err
	}
	return b, nil
}

// parseSpec reads the part of an entry that depends on its kind.
func (b *Body) parseSpec(d *strictjson.Decoder) error {
	switch b.Kind + " " + b.Version {
	case kindHashedRekord + " 0.0.1":
		return b.hashedRekord1(d)
	case kindDSSE + " 0.0.1":
		return b.dsse1(d)
	case kindInToto + " 0.0.2":
		return b.inToto2(d)
	case kindHashedRekord + " 0.0.2":
		b.v2 = true
		return d.Known(strictjson.Fields{"hashedRekordV002": func() error { return b.hashedRekord2(d) }})
	case kindDSSE + " 0.0.2":
		b.v2 = true
		return d.Known(strictjson.Fields{"dsseV002": func() error { return b.dsse2(d) }})
	default:
		return errors.New("entries are hashedrekord 0.0.1 and 0.0.2, dsse 0.0.1 and 0.0.2, and intoto 0.0.2")
	}
}

// complete reports what an entry lacks.
func (b *Body) complete() error {
	switch {
	case b.hash == 0 || len(b.digest) != b.hash.Size():
		return errors.New("log entry: there is no digest of the content")
	case len(b.signature) == 0:
		return errors.New("log entry: there is no signature")
	case (b.certificate == nil) == (b.key == nil):
		return errors.New("log entry: there is no key or certificate, or both")
	}
	return nil
}

func (b *Body) hashedRekord1(d *strictjson.Decoder) error {
	return d.Some(strictjson.Fields{
		"data": func() error {
			return d.Some(strictjson.Fields{"hash": func() error { return b.hexDigest(d) }})
		},
		"signature": func() error {
			return d.Some(strictjson.Fields{
				"content": base64Bytes(d, &b.signature),
				"publicKey": func() error {
					return d.Some(strictjson.Fields{"content": func() error { return b.verifierPEM(d) }})
				},
			})
		},
	})
}

func (b *Body) dsse1(d *strictjson.Decoder) error {
	return d.Some(strictjson.Fields{
		"payloadHash": func() error { return b.hexDigest(d) },
		"signatures": func() error {
			return d.Elements(1, func() error {
				return d.Some(strictjson.Fields{
					"signature": base64Bytes(d, &b.signature),
					"verifier":  func() error { return b.verifierPEM(d) },
				})
			})
		},
	})
}

// inToto2 reads intoto 0.0.2, which holds the base64 of a base64 string as signature.
func (b *Body) inToto2(d *strictjson.Decoder) error {
	signature := func() error {
		twice, err := d.Base64()
		if err != nil {
			return err
		}
		b.signature, err = base64.StdEncoding.Strict().DecodeString(string(twice))
		return err
	}
	envelope := func() error {
		return d.Some(strictjson.Fields{"signatures": func() error {
			return d.Elements(1, func() error {
				return d.Some(strictjson.Fields{
					"sig":       signature,
					"publicKey": func() error { return b.verifierPEM(d) },
				})
			})
		}})
	}
	return d.Some(strictjson.Fields{"content": func() error {
		return d.Some(strictjson.Fields{
			"envelope":    envelope,
			"payloadHash": func() error { return b.hexDigest(d) },
		})
	}})
}

func (b *Body) hashedRekord2(d *strictjson.Decoder) error {
	return d.Some(strictjson.Fields{
		"data":      func() error { return b.base64Digest(d) },
		"signature": func() error { return b.signature2(d) },
	})
}

func (b *Body) dsse2(d *strictjson.Decoder) error {
	return d.Some(strictjson.Fields{
		"payloadHash": func() error { return b.base64Digest(d) },
		"signatures": func() error {
			return d.Elements(1, func() error { return b.signature2(d) })
		},
	})
}

// signature2 reads the signature of an entry of Rekor version 2.
func (b *Body) signature2(d *strictjson.Decoder) error {
	return d.Some(strictjson.Fields{
		"content": base64Bytes(d, &b.signature),
		"verifier": func() error {
			return d.Some(strictjson.Fields{
				"x509Certificate": func() error {
					return d.Some(strictjson.Fields{"rawBytes": base64Bytes(d, &b.certificate)})
				},
				"publicKey": func() error {
					return d.Some(strictjson.Fields{"rawBytes": base64Bytes(d, &b.key)})
				},
			})
		},
	})
}

// hexDigest reads a digest as Rekor version 1 writes it.
func (b *Body) hexDigest(d *strictjson.Decoder) error {
	var algorithm, value string
	err := d.Some(strictjson.Fields{"algorithm": text(d, &algorithm), "value": text(d, &value)})
	if err != nil {
		return err
	}
	b.hash = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}[algorithm]
	b.digest, err = hex.DecodeString(value)
	return err
}

// base64Digest reads a digest as Rekor version 2 writes it.
func (b *Body) base64Digest(d *strictjson.Decoder) error {
	var algorithm string
	err := d.Some(strictjson.Fields{"algorithm": text(d, &algorithm), "digest": base64Bytes(d, &b.digest)})
	b.hash = map[string]crypto.Hash{
		"SHA2_256": crypto.SHA256, "SHA2_384": crypto.SHA384, "SHA2_512": crypto.SHA512,
	}[algorithm]
	return err
}

// verifierPEM reads a key or certificate as Rekor version 1 writes it: PEM in base64.
func (b *Body) verifierPEM(d *strictjson.Decoder) error {
	pemText, err := d.Base64()
	if err != nil {
		return err
	}
	if blocks, err := pubkey.Blocks(pemText, "CERTIFICATE", MaxBody, 1); err == nil {
		b.certificate = blocks[0]
		return nil
	}
	keys, err := pubkey.ParsePEM(pemText)
	if err != nil || len(keys) != 1 {
		return errors.New("the entry's key is neither one certificate nor one public key")
	}
	b.key = keys[0].SPKI()
	return nil
}

// text returns what reads a string into a variable.
func text(d *strictjson.Decoder, to *string) func() error {
	return func() (err error) {
		*to, err = d.String()
		return err
	}
}

// base64Bytes returns what reads base64 into a variable.
func base64Bytes(d *strictjson.Decoder, to *[]byte) func() error {
	return func() (err error) {
		*to, err = d.Base64()
		return err
	}
}
