// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assay-project/assay/internal/tlog"
)

// maxSCTs is the largest number of signed certificate timestamps in a certificate.
const maxSCTs = 16

// oidSCTList is the extension that holds signed certificate timestamps (RFC 6962 section 3.3).
var oidSCTList = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

// sct is a signed certificate timestamp (RFC 6962 section 3.2).
type sct struct {
	log        [sha256.Size]byte
	timestamp  uint64 // milliseconds since the epoch
	extensions []byte
	hash       uint8 // HashAlgorithm of RFC 5246 section 7.4.1.4.1
	signature  []byte
}

// recorded reports whether one of the logs has recorded the certificate before the issuer signed it.
// Timestamps by logs that are not trusted do not count and do no harm.
func recorded(leaf, issuer *x509.Certificate, logs []*tlog.Log) bool {
	scts, ok := embeddedSCTs(leaf)
	if !ok {
		return false
	}
	tbs, ok := withoutSCTs(leaf.RawTBSCertificate)
	if !ok {
		return false
	}
	issuerKey := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	for i := range scts {
		log := tlog.Find(logs, scts[i].log, "")
		if log == nil || scts[i].timestamp > math.MaxInt64 ||
			!log.Valid.Contains(time.UnixMilli(int64(scts[i].timestamp))) {
			continue
		}
		if signed, ok := scts[i].signed(issuerKey, tbs); ok && log.Key.VerifyHash(scts[i].hashFunc(), signed, scts[i].signature) {
			return true
		}
	}
	return false
}

// hashFunc returns the hash function of the signature, 0 for those that are not accepted. That of RFC
// 6962 is SHA-256.
func (s *sct) hashFunc() crypto.Hash {
	const sha256Algorithm = 4
	if s.hash == sha256Algorithm {
		return crypto.SHA256
	}
	return 0
}

// signed returns what a log signs for a certificate: a CertificateTimestamp with a precertificate.
func (s *sct) signed(issuerKey [sha256.Size]byte, tbs []byte) ([]byte, bool) {
	const version1, certificateTimestamp, precertEntry = 0, 0, 1
	var b cryptobyte.Builder
	b.AddUint8(version1)
	b.AddUint8(certificateTimestamp)
	b.AddUint64(s.timestamp)
	b.AddUint16(precertEntry)
	b.AddBytes(issuerKey[:])
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(tbs) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s.extensions) })
	signed, err := b.Bytes()
	return signed, err == nil
}

// embeddedSCTs reads the signed certificate timestamps of a certificate.
func embeddedSCTs(c *x509.Certificate) ([]sct, bool) {
	for i := range c.Extensions {
		if !c.Extensions[i].Id.Equal(oidSCTList) {
			continue
		}
		in := cryptobyte.String(c.Extensions[i].Value)
		var octets, list cryptobyte.String
		if !in.ReadASN1(&octets, cryptobyte_asn1.OCTET_STRING) || !in.Empty() ||
			!octets.ReadUint16LengthPrefixed(&list) || !octets.Empty() {
			return nil, false
		}
		var scts []sct
		for !list.Empty() {
			var serialized cryptobyte.String
			if len(scts) == maxSCTs || !list.ReadUint16LengthPrefixed(&serialized) {
				return nil, false
			}
			s, ok := parseSCT(serialized)
			if !ok {
				return nil, false
			}
			scts = append(scts, s)
		}
		return scts, true
	}
	return nil, false
}

func parseSCT(in cryptobyte.String) (s sct, ok bool) {
	var version, signatureAlgorithm uint8
	var extensions, signature cryptobyte.String
	ok = in.ReadUint8(&version) && version == 0 && in.CopyBytes(s.log[:]) && in.ReadUint64(&s.timestamp) &&
		in.ReadUint16LengthPrefixed(&extensions) && in.ReadUint8(&s.hash) && in.ReadUint8(&signatureAlgorithm) &&
		in.ReadUint16LengthPrefixed(&signature) && in.Empty()
	s.extensions, s.signature = extensions, signature
	return s, ok
}

// withoutSCTs returns the TBSCertificate that a log has seen: without the extension that holds what
// the log answered (RFC 6962 section 3.2).
func withoutSCTs(raw []byte) ([]byte, bool) {
	in := cryptobyte.String(raw)
	var tbs cryptobyte.String
	if !in.ReadASN1(&tbs, cryptobyte_asn1.SEQUENCE) {
		return nil, false
	}
	extensionsTag := cryptobyte_asn1.Tag(3).ContextSpecific().Constructed()
	var b cryptobyte.Builder
	ok := true
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for ok && !tbs.Empty() {
			var element cryptobyte.String
			var tag cryptobyte_asn1.Tag
			ok = tbs.ReadAnyASN1Element(&element, &tag)
			if tag != extensionsTag {
				b.AddBytes(element)
				continue
			}
			b.AddASN1(extensionsTag, func(b *cryptobyte.Builder) { ok = ok && filterExtensions(b, element) })
		}
	})
	out, err := b.Bytes()
	return out, ok && err == nil
}

// filterExtensions adds the extensions but that of the signed certificate timestamps.
func filterExtensions(b *cryptobyte.Builder, element cryptobyte.String) bool {
	var explicit, list cryptobyte.String
	var tag cryptobyte_asn1.Tag
	if !element.ReadAnyASN1(&explicit, &tag) || !explicit.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) {
		return false
	}
	ok := true
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for ok && !list.Empty() {
			var extension, content cryptobyte.String
			var oid asn1.ObjectIdentifier
			ok = list.ReadASN1Element(&extension, cryptobyte_asn1.SEQUENCE)
			content = extension
			ok = ok && content.ReadASN1(&content, cryptobyte_asn1.SEQUENCE) && content.ReadASN1ObjectIdentifier(&oid)
			if ok && !oid.Equal(oidSCTList) {
				b.AddBytes(extension)
			}
		}
	})
	return ok
}
