// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sigstoretest is an instance of sigstore in memory, for tests: a CA that issues certificates
// for signing, logs of certificate transparency, Rekor version 1 and 2, and a timestamp authority. It
// shares no code with what it tests.
//
// Documents are built as Objects, so that a test can change any part of them before they are encoded.
package sigstoretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// Object is a JSON object.
type Object = map[string]any

// Time is when everything is signed. Certificates for signing are valid for ten minutes around it, and
// CAs for years.
var Time = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Issuer is the OIDC issuer, and Email the subject, of certificates unless a test says otherwise.
const (
	Issuer = "https://oidc.example.com"
	Email  = "signer@example.com"
)

// Instance is an instance of sigstore.
type Instance struct {
	Root, Intermediate *CA
	CT, RekorV1        *Log
	RekorV2            *Log
	TSA                *TSA
}

// New makes an instance with new keys.
func New(t testing.TB) *Instance {
	t.Helper()
	root := NewCA(t, "root", nil)
	i := &Instance{Root: root, Intermediate: NewCA(t, "intermediate", root), TSA: NewTSA(t)}
	i.CT = newLog(t, NewKey(t, elliptic.P256()), "ct.example.com")
	i.RekorV1 = newLog(t, NewKey(t, elliptic.P256()), "rekor.example.com - 4242")
	i.RekorV2 = newLog(t, NewEd25519(t), "log2026.example.com")
	return i
}

// NewKey makes a key on a curve.
func NewKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	check(t, err)
	return key
}

// NewEd25519 makes an Ed25519 key.
func NewEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	return key
}

// NewRSA makes an RSA key.
func NewRSA(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	check(t, err)
	return key
}

// SPKI returns the encoded public key of a signer.
func SPKI(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	check(t, err)
	return der
}

// PublicPEM returns the public key of a signer in PEM.
func PublicPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: SPKI(t, key)})
}

// CertificatePEM returns a certificate in PEM.
func CertificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Sign signs a message with the hash function that goes with the key.
func Sign(t testing.TB, key crypto.Signer, message []byte) []byte {
	t.Helper()
	hash := crypto.SHA256
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(key, message)
	case *ecdsa.PrivateKey:
		hash = map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 521: crypto.SHA512}[key.Curve.Params().BitSize]
	}
	return SignHash(t, key, hash, message)
}

// SignHash signs a message with a hash function.
func SignHash(t testing.TB, key crypto.Signer, hash crypto.Hash, message []byte) []byte {
	t.Helper()
	signature, err := key.Sign(rand.Reader, Digest(hash, message), hash)
	check(t, err)
	return signature
}

// Digest returns the digest of a message.
func Digest(hash crypto.Hash, message []byte) []byte {
	switch hash {
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		return sum[:]
	case crypto.SHA512:
		sum := sha512.Sum512(message)
		return sum[:]
	default:
		sum := sha256.Sum256(message)
		return sum[:]
	}
}

// JSON encodes a document.
func JSON(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	check(t, err)
	return data
}

// Base64 encodes bytes as documents do.
func Base64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// CA issues certificates.
type CA struct {
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
}

// NewCA makes a CA below another one, or a root if parent is nil.
func NewCA(t testing.TB, name string, parent *CA, change ...func(*x509.Certificate)) *CA {
	t.Helper()
	ca := &CA{Key: NewKey(t, elliptic.P256())}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"example.com"}, CommonName: name},
		NotBefore: Time.AddDate(-1, 0, 0), NotAfter: Time.AddDate(19, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		SubjectKeyId: Digest(crypto.SHA256, SPKI(t, ca.Key))[:20],
	}
	for _, f := range change {
		f(template)
	}
	issuer := parent
	if issuer == nil {
		issuer = &CA{Certificate: template, Key: ca.Key}
	}
	ca.Certificate = parse(t, issuer.sign(t, template, ca.Key.Public()))
	return ca
}

func (ca *CA) sign(t testing.TB, template *x509.Certificate, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, key, ca.Key)
	check(t, err)
	return der
}

// Issue issues a certificate for a template.
func (ca *CA) Issue(t testing.TB, key crypto.Signer, template *x509.Certificate) []byte {
	t.Helper()
	return ca.sign(t, template, key.Public())
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	check(t, err)
	return c
}

// Leaf returns the template of a certificate for signing code, for Email of Issuer.
func Leaf() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(42), NotBefore: Time.Add(-5 * time.Minute), NotAfter: Time.Add(5 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		EmailAddresses:  []string{Email},
		ExtraExtensions: []pkix.Extension{RawExtension(1, Issuer), TextExtension(8, Issuer)},
	}
}

// WithURI makes a template for a URI.
func WithURI(t testing.TB, template *x509.Certificate, uri string) *x509.Certificate {
	t.Helper()
	names, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}})
	check(t, err)
	template.EmailAddresses = nil
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names})
	return template
}

// RawExtension is an extension of Fulcio with text as it is.
func RawExtension(arc int, value string) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, arc}, Value: []byte(value)}
}

// TextExtension is an extension of Fulcio with an encoded string.
func TextExtension(arc int, value string) pkix.Extension {
	e := RawExtension(arc, "")
	e.Value = append([]byte{0x0c, byte(len(value))}, value...)
	return e
}

// Certify issues a certificate as Fulcio does: recorded in the log of certificate transparency first,
// with the log's answer in it.
func (i *Instance) Certify(t testing.TB, key crypto.Signer, template *x509.Certificate) []byte {
	t.Helper()
	recorded := parse(t, i.Intermediate.Issue(t, key, template))
	with := *template
	with.ExtraExtensions = append(template.ExtraExtensions[:len(template.ExtraExtensions):len(template.ExtraExtensions)],
		SCTList(t, i.CT.SCT(t, i.Intermediate.Certificate, recorded.RawTBSCertificate)))
	return i.Intermediate.Issue(t, key, &with)
}

// SCT returns a log's answer for a certificate (RFC 6962 section 3.2).
func (l *Log) SCT(t testing.TB, issuer *x509.Certificate, tbs []byte) []byte {
	t.Helper()
	millis := uint64(Time.UnixMilli())
	var signed cryptobyte.Builder
	signed.AddUint16(0)
	signed.AddUint64(millis)
	signed.AddUint16(1)
	signed.AddBytes(Digest(crypto.SHA256, issuer.RawSubjectPublicKeyInfo))
	signed.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(tbs) })
	signed.AddUint16(0)
	var b cryptobyte.Builder
	b.AddUint8(0)
	b.AddBytes(l.ID)
	b.AddUint64(millis)
	b.AddUint16(0)
	b.AddUint16(0x0403) // SHA-256 with ECDSA
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddBytes(SignHash(t, l.Key, crypto.SHA256, signed.BytesOrPanic()))
	})
	return b.BytesOrPanic()
}

// SCTList is the extension that holds the answers of logs.
func SCTList(t testing.TB, scts ...[]byte) pkix.Extension {
	t.Helper()
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, sct := range scts {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(sct) })
		}
	})
	value, err := asn1.Marshal(b.BytesOrPanic())
	check(t, err)
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value}
}
