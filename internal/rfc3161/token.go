// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package rfc3161

import (
	"bytes"
	"crypto"
	"crypto/x509"
	encoding_asn1 "encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assay-project/assay/internal/pubkey"
)

// Bounds of a timestamp.
const (
	// MaxSize is the largest timestamp in bytes. One with certificates of RSA keys has some 6 KiB.
	MaxSize = 32 << 10
	// maxCertificates is the largest number of certificates in a timestamp.
	maxCertificates = 8
)

// Object identifiers of RFC 5652, RFC 3161 and RFC 5754.
var (
	oidSignedData    = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo       = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType   = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
)

// hashes maps the object identifiers of hash functions.
var hashes = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

// signatureHashes maps the object identifiers of signature algorithms to the hash function that they
// imply, 0 for those that leave it to the digest algorithm.
var signatureHashes = map[string]crypto.Hash{
	"1.2.840.10045.4.3.2":   crypto.SHA256, // ecdsa-with-SHA256
	"1.2.840.10045.4.3.3":   crypto.SHA384,
	"1.2.840.10045.4.3.4":   crypto.SHA512,
	"1.2.840.113549.1.1.1":  0,             // rsaEncryption
	"1.2.840.113549.1.1.11": crypto.SHA256, // sha256WithRSAEncryption
	"1.2.840.113549.1.1.12": crypto.SHA384,
	"1.2.840.113549.1.1.13": crypto.SHA512,
	"1.3.101.112":           0, // Ed25519
}

var errMalformed = errors.New("the timestamp is not a TimeStampResp of RFC 3161")

// Token is a timestamp that was read and not yet verified.
type Token struct {
	certificates []*x509.Certificate
	content      []byte // the TSTInfo
	time         time.Time
	imprintHash  crypto.Hash
	imprint      []byte

	issuer, keyID []byte // which certificate signed: by name and serial number, or by key
	serial        *big.Int
	hash          crypto.Hash
	attributes    []byte // signed attributes as a SET
	signature     []byte
}

// Parse reads a response of a timestamp authority (RFC 3161 section 2.4.2).
func Parse(response []byte) (*Token, error) {
	if len(response) > MaxSize {
		return nil, fmt.Errorf("the timestamp is larger than %d bytes", MaxSize)
	}
	der, err := toDER(response)
	if err != nil {
		return nil, err
	}
	in := cryptobyte.String(der)
	var resp, status, contentInfo, explicit, signedData cryptobyte.String
	var granted int
	var contentType encoding_asn1.ObjectIdentifier
	if !in.ReadASN1(&resp, asn1.SEQUENCE) || !in.Empty() ||
		!resp.ReadASN1(&status, asn1.SEQUENCE) || !status.ReadASN1Integer(&granted) {
		return nil, errMalformed
	}
	// What an authority has granted with modifications is not what was asked for.
	if granted != 0 {
		return nil, errors.New("the timestamp authority has not granted the request as it was")
	}
	if !resp.ReadASN1(&contentInfo, asn1.SEQUENCE) || !resp.Empty() ||
		!contentInfo.ReadASN1ObjectIdentifier(&contentType) || !contentType.Equal(oidSignedData) ||
		!contentInfo.ReadASN1(&explicit, explicitTag(0)) || !contentInfo.Empty() ||
		!explicit.ReadASN1(&signedData, asn1.SEQUENCE) || !explicit.Empty() {
		return nil, errMalformed
	}
	t := &Token{}
	if err := t.parseSignedData(signedData); err != nil {
		return nil, err
	}
	if err := t.parseInfo(t.content); err != nil {
		return nil, err
	}
	return t, nil
}

func explicitTag(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }

// parseSignedData reads a SignedData (RFC 5652 section 5.1).
func (t *Token) parseSignedData(in cryptobyte.String) error {
	var version int64
	var algorithms, encapsulated, explicit, content, certificates, signers, signer cryptobyte.String
	var contentType encoding_asn1.ObjectIdentifier
	var present bool
	if !in.ReadASN1Integer(&version) || !in.ReadASN1(&algorithms, asn1.SET) ||
		!in.ReadASN1(&encapsulated, asn1.SEQUENCE) ||
		!encapsulated.ReadASN1ObjectIdentifier(&contentType) || !contentType.Equal(oidTSTInfo) ||
		!encapsulated.ReadASN1(&explicit, explicitTag(0)) || !encapsulated.Empty() ||
		!explicit.ReadASN1(&content, asn1.OCTET_STRING) || !explicit.Empty() ||
		!in.ReadOptionalASN1(&certificates, &present, explicitTag(0)) ||
		!in.SkipOptionalASN1(explicitTag(1)) || // revocation lists
		!in.ReadASN1(&signers, asn1.SET) || !in.Empty() ||
		!signers.ReadASN1(&signer, asn1.SEQUENCE) {
		return errMalformed
	}
	if !signers.Empty() {
		return errors.New("the timestamp has more than one signature")
	}
	t.content = content
	for !algorithms.Empty() {
		if _, ok := algorithm(&algorithms); !ok {
			return errMalformed
		}
	}
	if err := t.parseCertificates(certificates); err != nil {
		return err
	}
	return t.parseSigner(signer)
}

// parseCertificates reads the certificates that a timestamp brings.
func (t *Token) parseCertificates(in cryptobyte.String) error {
	for !in.Empty() {
		var der cryptobyte.String
		if !in.ReadASN1Element(&der, asn1.SEQUENCE) { // no attribute certificates, and no obsolete forms
			return errMalformed
		}
		if len(t.certificates) == maxCertificates {
			return fmt.Errorf("the timestamp has more than %d certificates", maxCertificates)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return errors.New("a certificate of the timestamp is malformed")
		}
		t.certificates = append(t.certificates, c)
	}
	return nil
}

// parseSigner reads a SignerInfo (RFC 5652 section 5.3).
func (t *Token) parseSigner(in cryptobyte.String) error {
	var version int64
	var attributes cryptobyte.String
	var signatureHash crypto.Hash
	var known bool
	if !in.ReadASN1Integer(&version) || !t.parseSignerID(&in) {
		return errMalformed
	}
	digestOID, ok := algorithm(&in)
	if !ok || !in.ReadASN1(&attributes, explicitTag(0)) {
		return errMalformed
	}
	signatureOID, ok := algorithm(&in)
	if !ok || !in.ReadASN1((*cryptobyte.String)(&t.signature), asn1.OCTET_STRING) ||
		!in.SkipOptionalASN1(explicitTag(1)) || !in.Empty() {
		return errMalformed
	}
	if t.hash, known = hashes[digestOID]; !known {
		return errors.New("the timestamp's digest algorithm is none of SHA-256, SHA-384 and SHA-512")
	}
	if signatureHash, known = signatureHashes[signatureOID]; !known || signatureHash != 0 && signatureHash != t.hash {
		return errors.New("the timestamp's signature algorithm is not supported, or is for another digest")
	}
	return t.parseAttributes(attributes)
}

// parseSignerID reads a SignerIdentifier.
func (t *Token) parseSignerID(in *cryptobyte.String) bool {
	if in.PeekASN1Tag(asn1.Tag(0).ContextSpecific()) {
		return in.ReadASN1((*cryptobyte.String)(&t.keyID), asn1.Tag(0).ContextSpecific())
	}
	var id cryptobyte.String
	t.serial = new(big.Int)
	return in.ReadASN1(&id, asn1.SEQUENCE) &&
		id.ReadASN1Element((*cryptobyte.String)(&t.issuer), asn1.SEQUENCE) &&
		id.ReadASN1Integer(t.serial) && id.Empty()
}

// algorithm reads an AlgorithmIdentifier, whose parameters may only be absent or NULL.
func algorithm(in *cryptobyte.String) (oid string, ok bool) {
	var seq, null cryptobyte.String
	var id encoding_asn1.ObjectIdentifier
	var present bool
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&id) ||
		!seq.ReadOptionalASN1(&null, &present, asn1.NULL) || !seq.Empty() {
		return "", false
	}
	return id.String(), true
}

// parseAttributes reads the signed attributes, of which the type and the digest of the content must
// be there, and compares them with the content (RFC 5652 section 5.6).
func (t *Token) parseAttributes(in cryptobyte.String) error {
	t.attributes = appendHeader(nil, byte(asn1.SET), len(in))
	t.attributes = append(t.attributes, in...)
	typed, digested := 0, 0
	for !in.Empty() {
		var attribute, values cryptobyte.String
		var oid encoding_asn1.ObjectIdentifier
		if !in.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) ||
			!attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() {
			return errMalformed
		}
		switch {
		case oid.Equal(oidContentType):
			var contentType encoding_asn1.ObjectIdentifier
			if !values.ReadASN1ObjectIdentifier(&contentType) || !values.Empty() || !contentType.Equal(oidTSTInfo) {
				return errMalformed
			}
			typed++
		case oid.Equal(oidMessageDigest):
			var digest cryptobyte.String
			if !values.ReadASN1(&digest, asn1.OCTET_STRING) || !values.Empty() {
				return errMalformed
			}
			if !bytes.Equal(digest, pubkey.Sum(t.hash, t.content)) {
				return errors.New("the timestamp's content is not what is signed")
			}
			digested++
		}
	}
	if typed != 1 || digested != 1 {
		return errMalformed
	}
	return nil
}

// parseInfo reads a TSTInfo (RFC 3161 section 2.4.2).
func (t *Token) parseInfo(content []byte) error {
	in := cryptobyte.String(content)
	var info, imprint, genTime, digest cryptobyte.String
	var version int64
	var policy encoding_asn1.ObjectIdentifier
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() ||
		!info.ReadASN1Integer(&version) || version != 1 || !info.ReadASN1ObjectIdentifier(&policy) ||
		!info.ReadASN1(&imprint, asn1.SEQUENCE) {
		return errMalformed
	}
	oid, ok := algorithm(&imprint)
	if !ok || !imprint.ReadASN1(&digest, asn1.OCTET_STRING) || !imprint.Empty() ||
		!info.SkipASN1(asn1.INTEGER) || !info.ReadASN1(&genTime, asn1.GeneralizedTime) {
		return errMalformed
	}
	t.imprint = digest
	if t.imprintHash, ok = hashes[oid]; !ok {
		return errors.New("the timestamp's imprint is none of SHA-256, SHA-384 and SHA-512")
	}
	var err error
	if t.time, err = parseTime(string(genTime)); err != nil {
		return err
	}
	return parseRest(info)
}

// parseRest reads the optional end of a TSTInfo, in which only a critical extension would matter.
func parseRest(info cryptobyte.String) error {
	var extensions cryptobyte.String
	var present bool
	if !info.SkipOptionalASN1(asn1.SEQUENCE) || // accuracy
		!info.SkipOptionalASN1(asn1.BOOLEAN) || // ordering
		!info.SkipOptionalASN1(asn1.INTEGER) || // nonce
		!info.SkipOptionalASN1(explicitTag(0)) || // name of the authority
		!info.ReadOptionalASN1(&extensions, &present, explicitTag(1)) || !info.Empty() {
		return errMalformed
	}
	for !extensions.Empty() {
		var extension cryptobyte.String
		if !extensions.ReadASN1(&extension, asn1.SEQUENCE) || !extension.SkipASN1(asn1.OBJECT_IDENTIFIER) {
			return errMalformed
		}
		var critical bool
		if extension.PeekASN1Tag(asn1.BOOLEAN) && !extension.ReadASN1Boolean(&critical) {
			return errMalformed
		}
		if critical {
			return errors.New("the timestamp has a critical extension")
		}
	}
	return nil
}

// parseTime reads a GeneralizedTime as RFC 3161 section 2.4.2 restricts it.
func parseTime(s string) (time.Time, error) {
	const layout = "20060102150405Z"
	t, err := time.Parse(layout, s) // accepts a fraction of a second after the seconds
	if err != nil {
		return time.Time{}, errors.New("the timestamp's time is malformed")
	}
	return t.UTC(), nil
}

// Covers reports whether the timestamp is for a message.
func (t *Token) Covers(message []byte) bool {
	return bytes.Equal(t.imprint, pubkey.Sum(t.imprintHash, message))
}

// signedWith reports whether a certificate is the one that the timestamp names as its signer.
func (t *Token) signedWith(c *x509.Certificate) bool {
	if t.keyID != nil {
		return bytes.Equal(t.keyID, c.SubjectKeyId)
	}
	return bytes.Equal(t.issuer, c.RawIssuer) && t.serial.Cmp(c.SerialNumber) == 0
}
