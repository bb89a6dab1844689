// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstoretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	encoding_asn1 "encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// TSA is a timestamp authority.
type TSA struct {
	CA          *CA
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
}

// NewTSA makes a timestamp authority. The template of its certificate can be changed.
func NewTSA(t testing.TB, change ...func(*x509.Certificate)) *TSA {
	t.Helper()
	tsa := &TSA{CA: NewCA(t, "tsa root", nil), Key: NewKey(t, elliptic.P256())}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "tsa"},
		NotBefore: Time.AddDate(0, -1, 0), NotAfter: Time.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		SubjectKeyId: []byte("tsa key"),
		ExtraExtensions: []pkix.Extension{{
			Id: encoding_asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
			Value: []byte("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08"), // time stamping
		}},
	}
	for _, f := range change {
		f(template)
	}
	tsa.Certificate = parse(t, tsa.CA.Issue(t, tsa.Key, template))
	return tsa
}

// Stamp is a timestamp that a test can change before it is made.
type Stamp struct {
	Time         time.Time
	Version      int64
	Status       int64
	Hash         encoding_asn1.ObjectIdentifier
	Digest       []byte
	Algorithm    encoding_asn1.ObjectIdentifier
	Certificates [][]byte
	ByKey        bool // names the certificate by its key
	Signers      int
	Extension    []byte
	Raw          func([]byte) []byte // changes the TSTInfo
	Content      func([]byte) []byte // what is signed of the TSTInfo
	Attributes   func(*cryptobyte.Builder, []byte)
}

// OIDs of algorithms.
var (
	OIDSHA256      = encoding_asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	OIDECDSASHA256 = encoding_asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidTSTInfo     = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSignedData  = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidType        = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidDigest      = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
)

// Stamp returns a timestamp for a message.
func (tsa *TSA) Stamp(t testing.TB, message []byte, change ...func(*Stamp)) []byte {
	t.Helper()
	s := &Stamp{
		Time: Time, Version: 1, Hash: OIDSHA256, Digest: Digest(crypto.SHA256, message), Algorithm: OIDECDSASHA256, Signers: 1,
		Raw: func(b []byte) []byte { return b }, Content: func(b []byte) []byte { return b }, Attributes: attributes,
	}
	for _, f := range change {
		f(s)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(s.Status) })
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidSignedData)
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { tsa.signedData(t, b, s) })
			})
		})
	})
	return b.BytesOrPanic()
}

func explicit(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }

func algorithm(b *cryptobyte.Builder, oid encoding_asn1.ObjectIdentifier) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
}

// info returns the TSTInfo.
func (s *Stamp) info() []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(s.Version)
		b.AddASN1ObjectIdentifier(encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2})
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			algorithm(b, s.Hash)
			b.AddASN1OctetString(s.Digest)
		})
		b.AddASN1Int64(99)
		b.AddASN1GeneralizedTime(s.Time)
		if s.Extension != nil {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) { b.AddBytes(s.Extension) })
		}
	})
	return b.BytesOrPanic()
}

// attributes adds the signed attributes for a content.
func attributes(b *cryptobyte.Builder, content []byte) {
	Attribute(b, oidType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidTSTInfo) })
	Attribute(b, oidDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(Digest(crypto.SHA256, content)) })
}

// Attribute adds one signed attribute.
func Attribute(b *cryptobyte.Builder, oid encoding_asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(asn1.SET, value)
	})
}

func (tsa *TSA) signedData(t testing.TB, b *cryptobyte.Builder, s *Stamp) {
	t.Helper()
	content := s.Raw(s.info())
	b.AddASN1Int64(3)
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { algorithm(b, s.Hash) })
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidTSTInfo)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
	})
	if s.Certificates != nil {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			for _, der := range s.Certificates {
				b.AddBytes(der)
			}
		})
	}
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
		for range s.Signers {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { tsa.signer(t, b, s, content) })
		}
	})
}

func (tsa *TSA) signer(t testing.TB, b *cryptobyte.Builder, s *Stamp, content []byte) {
	t.Helper()
	var attributes, set cryptobyte.Builder
	s.Attributes(&attributes, s.Content(content))
	signed := attributes.BytesOrPanic()
	set.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(signed) })
	b.AddASN1Int64(1)
	if s.ByKey {
		b.AddASN1(asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(tsa.Certificate.SubjectKeyId) })
	} else {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(tsa.Certificate.RawIssuer)
			b.AddASN1BigInt(tsa.Certificate.SerialNumber)
		})
	}
	algorithm(b, OIDSHA256)
	b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddBytes(signed) })
	algorithm(b, s.Algorithm)
	b.AddASN1OctetString(SignHash(t, tsa.Key, crypto.SHA256, set.BytesOrPanic()))
}
