// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package rfc3161_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/assay-project/assay/internal/rfc3161"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

var message = []byte("message")

var (
	oidSHA1   = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA512 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidUsage  = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
)

// authority returns what trusts a TSA: with its certificate, or only with its root.
func authority(t testing.TB, tsa *st.TSA, leaf bool) *rfc3161.Authority {
	t.Helper()
	chain := []*x509.Certificate{tsa.Certificate, tsa.CA.Certificate}
	if !leaf {
		chain = chain[1:]
	}
	a, err := rfc3161.NewAuthority(chain)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func embedded(certificates ...*x509.Certificate) func(*st.Stamp) {
	return func(s *st.Stamp) {
		s.Certificates = [][]byte{}
		for _, c := range certificates {
			s.Certificates = append(s.Certificates, c.Raw)
		}
	}
}

func at(when time.Time) func(*st.Stamp) { return func(s *st.Stamp) { s.Time = when } }

// usages changes the extended key usage of a TSA's certificate.
func usages(critical bool, value string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: oidUsage, Critical: critical, Value: []byte(value)}}
	}
}

const (
	timeStamping = "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08"
	codeSigning  = "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03"
)

func TestVerify(t *testing.T) {
	tsa, other := st.NewTSA(t), st.NewTSA(t, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(8) })
	intermediate := st.NewCA(t, "tsa intermediate", tsa.CA)
	deep := &st.TSA{CA: intermediate, Key: st.NewKey(t, elliptic.P256())}
	deep.Certificate = parse(t, intermediate.Issue(t, deep.Key, &x509.Certificate{
		SerialNumber: big.NewInt(9), NotBefore: st.Time.AddDate(0, -1, 0), NotAfter: st.Time.AddDate(0, 1, 0),
		ExtraExtensions: []pkix.Extension{{Id: oidUsage, Critical: true, Value: []byte("\x30\x0a" + timeStamping)}},
	}))
	deepChain, err := rfc3161.NewAuthority([]*x509.Certificate{deep.Certificate, intermediate.Certificate, tsa.CA.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	weak := st.NewTSA(t)
	weak.Certificate = parse(t, weak.CA.Issue(t, st.NewRSA(t, 1024), &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: st.Time.AddDate(0, -1, 0), NotAfter: st.Time.AddDate(0, 1, 0),
		ExtraExtensions: []pkix.Extension{{Id: oidUsage, Critical: true, Value: []byte("\x30\x0a" + timeStamping)}},
	}))
	short := st.NewTSA(t, func(c *x509.Certificate) { c.NotAfter = st.Time })
	below := func(change func(*x509.Certificate)) *st.TSA {
		root := st.NewCA(t, "tsa root", nil, change)
		below := &st.TSA{CA: root, Key: st.NewKey(t, elliptic.P256())}
		below.Certificate = parse(t, root.Issue(t, below.Key, &x509.Certificate{
			SerialNumber: big.NewInt(7), NotBefore: st.Time.AddDate(0, -1, 0), NotAfter: st.Time.AddDate(0, 1, 0),
			ExtraExtensions: []pkix.Extension{{Id: oidUsage, Critical: true, Value: []byte("\x30\x0a" + timeStamping)}},
		}))
		return below
	}
	oldRoot := below(func(c *x509.Certificate) { c.NotAfter = st.Time.AddDate(0, 0, -1) })
	disjoint := below(func(c *x509.Certificate) { c.NotBefore = st.Time.AddDate(5, 0, 0) })
	notCritical, both := st.NewTSA(t, usages(false, "\x30\x0a"+timeStamping)), st.NewTSA(t, usages(true, "\x30\x14"+timeStamping+codeSigning))
	noUsage, signing := st.NewTSA(t, func(c *x509.Certificate) { c.ExtraExtensions = nil }), st.NewTSA(t, usages(true, "\x30\x0a"+codeSigning))
	byAnother := *tsa
	byAnother.Key = other.Key

	tests := map[string]struct {
		stamp     []byte
		authority *rfc3161.Authority
		want      error
	}{
		"known certificate":          {tsa.Stamp(t, message), authority(t, tsa, true), nil},
		"certificate brought along":  {tsa.Stamp(t, message, embedded(tsa.Certificate)), authority(t, tsa, false), nil},
		"and others":                 {tsa.Stamp(t, message, embedded(other.Certificate, tsa.Certificate, tsa.CA.Certificate)), authority(t, tsa, false), nil},
		"known and brought along":    {tsa.Stamp(t, message, embedded(tsa.CA.Certificate, tsa.Certificate)), authority(t, tsa, true), nil},
		"by key":                     {tsa.Stamp(t, message, func(s *st.Stamp) { s.ByKey = true }), authority(t, tsa, true), nil},
		"intermediate":               {deep.Stamp(t, message), deepChain, nil},
		"intermediate brought along": {deep.Stamp(t, message, embedded(deep.Certificate, intermediate.Certificate)), authority(t, tsa, false), nil},
		"last moment":                {short.Stamp(t, message), authority(t, short, true), nil},
		"in BER":                     {toBER(t, tsa.Stamp(t, message, embedded(tsa.Certificate))), authority(t, tsa, false), nil},

		"another authority":           {other.Stamp(t, message), authority(t, deep, false), rfc3161.ErrUntrusted},
		"another certificate":         {deep.Stamp(t, message), authority(t, tsa, true), rfc3161.ErrUntrusted},
		"another root":                {other.Stamp(t, message, embedded(other.Certificate)), authority(t, tsa, false), rfc3161.ErrUntrusted},
		"certificate not brought":     {tsa.Stamp(t, message), authority(t, tsa, false), rfc3161.ErrUntrusted},
		"another brought along":       {tsa.Stamp(t, message, embedded(other.Certificate)), authority(t, tsa, true), rfc3161.ErrCertificate},
		"by another key":              {byAnother.Stamp(t, message), authority(t, tsa, true), rfc3161.ErrSignature},
		"before the certificate":      {tsa.Stamp(t, message, at(st.Time.AddDate(0, -2, 0))), authority(t, tsa, true), rfc3161.ErrExpired},
		"after the certificate":       {short.Stamp(t, message, at(st.Time.Add(time.Second))), authority(t, short, true), rfc3161.ErrExpired},
		"after, brought along":        {short.Stamp(t, message, at(st.Time.Add(time.Second)), embedded(short.Certificate)), authority(t, short, false), rfc3161.ErrExpired},
		"root is expired":             {oldRoot.Stamp(t, message), authority(t, oldRoot, true), rfc3161.ErrExpired},
		"never valid":                 {disjoint.Stamp(t, message), authority(t, disjoint, true), rfc3161.ErrExpired},
		"usage not critical":          {notCritical.Stamp(t, message), authority(t, notCritical, true), rfc3161.ErrUsage},
		"two usages":                  {both.Stamp(t, message), authority(t, both, true), rfc3161.ErrUsage},
		"no usage":                    {noUsage.Stamp(t, message), authority(t, noUsage, true), rfc3161.ErrUsage},
		"other usage":                 {signing.Stamp(t, message), authority(t, signing, true), rfc3161.ErrUsage},
		"usage of one brought beside": {signing.Stamp(t, message, embedded(signing.Certificate, tsa.Certificate)), authority(t, signing, false), rfc3161.ErrUsage},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			token, err := rfc3161.Parse(test.stamp)
			if err != nil {
				t.Fatal(err)
			}
			when, err := test.authority.Verify(token)
			if !errors.Is(err, test.want) || (err == nil) == when.IsZero() || err == nil && !when.Equal(st.Time) {
				t.Errorf("%v, %v, want %v", when, err, test.want)
			}
			if !token.Covers(message) || token.Covers([]byte("other")) {
				t.Error("the timestamp is for another message")
			}
		})
	}
	if token, err := rfc3161.Parse(weak.Stamp(t, message)); err != nil {
		t.Error(err)
	} else if _, err := authority(t, weak, true).Verify(token); err == nil {
		t.Error("a weak key is accepted")
	}
	if a, err := rfc3161.NewAuthority([]*x509.Certificate{tsa.Certificate}); a != nil || err == nil {
		t.Error("an authority without a CA is accepted")
	}
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCost expects an estimate for what Verify does, and nothing for what it does not.
func TestCost(t *testing.T) {
	tsa, other := st.NewTSA(t), st.NewTSA(t)
	weak, signing := st.NewTSA(t), st.NewTSA(t, usages(true, "\x30\x0a"+codeSigning))
	tiny := st.NewRSA(t, 1024)
	tinyCA := parse(t, tsa.CA.Issue(t, tiny, tsa.CA.Certificate))
	weak.Certificate = parse(t, weak.CA.Issue(t, tiny, weak.Certificate))
	const one = 150
	tests := map[string]struct {
		stamp     []byte
		authority *rfc3161.Authority
		want      int
	}{
		"known certificate":         {tsa.Stamp(t, message), authority(t, tsa, true), one},
		"certificate brought along": {tsa.Stamp(t, message, embedded(tsa.Certificate)), authority(t, tsa, false), 2 * one},
		"the root brought along":    {tsa.Stamp(t, message, embedded(tsa.Certificate, tsa.CA.Certificate)), authority(t, tsa, false), 4 * one},
		"a CA below the floor":      {tsa.Stamp(t, message, embedded(tsa.Certificate, tinyCA)), authority(t, tsa, false), 2 * one},
		"another authority":         {other.Stamp(t, message), authority(t, tsa, false), 0},
		"another certificate":       {st.NewTSA(t, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(8) }).Stamp(t, message), authority(t, tsa, true), 0},
		"unusable":                  {signing.Stamp(t, message), authority(t, signing, true), 0},
		"below the floor":           {weak.Stamp(t, message, embedded(weak.Certificate)), authority(t, weak, false), 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			token, err := rfc3161.Parse(test.stamp)
			if err != nil {
				t.Fatal(err)
			}
			if got := test.authority.Cost(token); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tsa := st.NewTSA(t)
	good := tsa.Stamp(t, message)
	with := func(change func(*st.Stamp)) []byte { return tsa.Stamp(t, message, change) }
	edited := func(old, replacement string) []byte {
		return with(func(s *st.Stamp) {
			s.Raw = func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(replacement), 1) }
		})
	}
	attributes := func(add func(b *cryptobyte.Builder, content []byte)) []byte {
		return with(func(s *st.Stamp) { s.Attributes = add })
	}
	contentType := func(b *cryptobyte.Builder, oid asn1.ObjectIdentifier) {
		st.Attribute(b, oidType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
	}
	tests := map[string]struct {
		stamp []byte
		want  string
	}{
		"empty":                  {nil, "well-formed"},
		"large":                  {make([]byte, rfc3161.MaxSize+1), "larger than"},
		"not a sequence":         {[]byte{4, 0}, "TimeStampResp"},
		"empty sequence":         {[]byte{0x30, 0}, "TimeStampResp"},
		"trailing":               {append(bytes.Clone(good), 0), "well-formed"},
		"cut":                    {good[:len(good)-1], "well-formed"},
		"refused":                {with(func(s *st.Stamp) { s.Status = 2 }), "has not granted"},
		"with modifications":     {with(func(s *st.Stamp) { s.Status = 1 }), "has not granted"},
		"no token":               {[]byte{0x30, 5, 0x30, 3, 2, 1, 0}, "TimeStampResp"},
		"two signatures":         {with(func(s *st.Stamp) { s.Signers = 2 }), "more than one signature"},
		"no signature":           {with(func(s *st.Stamp) { s.Signers = 0 }), "TimeStampResp"},
		"many certificates":      {with(embedded(tsa.Certificate, tsa.Certificate, tsa.Certificate, tsa.Certificate, tsa.Certificate, tsa.Certificate, tsa.Certificate, tsa.Certificate, tsa.Certificate)), "more than 8"},
		"certificate is garbage": {with(func(s *st.Stamp) { s.Certificates = [][]byte{{0x30, 0}} }), "certificate of the timestamp"},
		"other certificate":      {with(func(s *st.Stamp) { s.Certificates = [][]byte{{0xa0, 0}} }), "TimeStampResp"},
		"other signature hash":   {with(func(s *st.Stamp) { s.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3} }), "signature algorithm"},
		"other signature":        {with(func(s *st.Stamp) { s.Algorithm = asn1.ObjectIdentifier{1, 2, 3} }), "signature algorithm"},
		"imprint by SHA-1":       {with(func(s *st.Stamp) { s.Hash = oidSHA1 }), "imprint"},
		"version 2":              {with(func(s *st.Stamp) { s.Version = 2 }), "TimeStampResp"},
		"content not signed":     {with(func(s *st.Stamp) { s.Content = func(b []byte) []byte { return append(bytes.Clone(b), 0) } }), "not what is signed"},
		"critical extension":     {with(func(s *st.Stamp) { s.Extension = []byte("\x30\x09\x06\x02\x2a\x03\x01\x01\xff\x04\x00") }), "critical extension"},
		"extension is garbage":   {with(func(s *st.Stamp) { s.Extension = []byte("\x04\x00") }), "TimeStampResp"},
		"critical is garbage":    {with(func(s *st.Stamp) { s.Extension = []byte("\x30\x07\x06\x02\x2a\x03\x01\x01\x07") }), "TimeStampResp"},
		"no attributes":          {attributes(func(*cryptobyte.Builder, []byte) {}), "TimeStampResp"},
		"attribute is garbage":   {attributes(func(b *cryptobyte.Builder, _ []byte) { b.AddASN1Int64(1) }), "TimeStampResp"},
		"only the type": {attributes(func(b *cryptobyte.Builder, _ []byte) {
			contentType(b, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4})
		}), "TimeStampResp"},
		"other type": {attributes(func(b *cryptobyte.Builder, _ []byte) { contentType(b, oidSHA1) }), "TimeStampResp"},
		"digest is garbage": {attributes(func(b *cryptobyte.Builder, _ []byte) {
			st.Attribute(b, oidDigest, func(b *cryptobyte.Builder) { b.AddASN1Int64(1) })
		}), "TimeStampResp"},
		"time is garbage":  {edited("20260301120000Z", "20260301120000X"), "time is malformed"},
		"month 13":         {edited("20260301120000Z", "20261301120000Z"), "time is malformed"},
		"deep":             {bytes.Repeat([]byte{0x30, 0x80}, 40), "well-formed"},
		"high tag number":  {[]byte{0x1f, 0x20, 0}, "well-formed"},
		"length too long":  {[]byte{0x30, 0x85, 0, 0, 0, 0, 0}, "well-formed"},
		"length is cut":    {[]byte{0x30, 0x82, 1}, "well-formed"},
		"no length":        {[]byte{0x30}, "well-formed"},
		"open primitive":   {[]byte{0x04, 0x80, 0, 0}, "well-formed"},
		"no end":           {[]byte{0x30, 0x80, 0x02, 1, 0}, "well-formed"},
		"other piece":      {[]byte{0x24, 0x80, 0x02, 1, 0, 0, 0}, "well-formed"},
		"piece is cut":     {[]byte{0x24, 0x80, 0x04, 9, 0, 0, 0}, "well-formed"},
		"inner is cut":     {[]byte{0x30, 0x80, 0x04, 9, 0, 0, 0}, "well-formed"},
		"length too large": {[]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0}, "well-formed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if token, err := rfc3161.Parse(test.stamp); token != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%t, %v, want %q", token != nil, err, test.want)
			}
		})
	}
	if _, err := rfc3161.Parse(with(func(s *st.Stamp) { s.Extension = []byte("\x30\x06\x06\x02\x2a\x03\x04\x00") })); err != nil {
		t.Errorf("an extension that is not critical: %v", err)
	}
	if token, err := rfc3161.Parse(with(func(s *st.Stamp) { s.Hash = oidSHA512 })); err != nil || token.Covers(message) {
		t.Errorf("an imprint by SHA-512 of another length: %v", err)
	}
}

// toBER writes DER with lengths that are indefinite, and octet strings in pieces.
func toBER(t testing.TB, der []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		var element asn1.RawValue
		rest, err := asn1.Unmarshal(der, &element)
		if err != nil {
			t.Fatal(err)
		}
		der = rest
		switch {
		case element.IsCompound && !isCertificate(element.FullBytes) && !isAttributes(element):
			out = append(out, element.FullBytes[0], 0x80)
			out = append(out, toBER(t, element.Bytes)...)
			out = append(out, 0, 0)
		case element.Class == asn1.ClassUniversal && element.Tag == asn1.TagOctetString && len(element.Bytes) > 40 && len(element.Bytes) < 128:
			out = append(out, 0x24, 0x80, 0x04, 0x81, 10)
			out = append(out, element.Bytes[:10]...)
			out = append(out, 0x04, byte(len(element.Bytes)-10))
			out = append(out, element.Bytes[10:]...)
			out = append(out, 0, 0)
		default:
			out = append(out, element.FullBytes...)
		}
	}
	return out
}

// isCertificate reports whether an element is signed in the form that it has.
func isCertificate(der []byte) bool {
	_, err := x509.ParseCertificate(der)
	return err == nil
}

// isAttributes reports whether an element is signed in DER.
func isAttributes(element asn1.RawValue) bool {
	return element.Class == asn1.ClassContextSpecific && bytes.Contains(element.Bytes[:min(40, len(element.Bytes))], []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"))
}
