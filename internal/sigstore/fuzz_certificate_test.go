// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/assay-project/assay/internal/pubkey"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/tlog"
)

// certified returns a certificate as Fulcio issues it, and an instance that has recorded it.
func certified(t testing.TB, template *x509.Certificate) (*st.Instance, *x509.Certificate) {
	t.Helper()
	instance := st.New(t)
	leaf, err := x509.ParseCertificate(instance.Certify(t, st.NewKey(t, elliptic.P256()), template))
	if err != nil {
		t.Fatal(err)
	}
	return instance, leaf
}

// extension returns the value of an extension of a certificate.
func extension(t testing.TB, c *x509.Certificate, id asn1.ObjectIdentifier) []byte {
	t.Helper()
	i := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
	if i < 0 {
		t.Fatalf("there is no extension %s", id)
	}
	return c.Extensions[i].Value
}

// sctListSize returns how long the value of an extension with these timestamps is.
func sctListSize(t testing.TB, scts []sct) int {
	t.Helper()
	size := 2
	for _, s := range scts {
		size += 2 + 1 + len(s.log) + 8 + 2 + len(s.extensions) + 2 + 2 + len(s.signature)
	}
	value, err := asn1.Marshal(make([]byte, size))
	if err != nil {
		t.Fatal(err)
	}
	return len(value)
}

// FuzzSCTList expects all of a list to be read or none, and no certificate to be recorded but by what the log
// has signed.
func FuzzSCTList(f *testing.F) {
	instance, leaf := certified(f, st.Leaf())
	key, err := pubkey.New(instance.CT.Key.Public())
	if err != nil {
		f.Fatal(err)
	}
	logs := []*tlog.Log{tlog.NewLog(key)}
	issuer := instance.Intermediate.Certificate
	genuine := extension(f, leaf, oidSCTList)
	if !recorded(leaf, issuer, logs) {
		f.Fatal("the certificate is not recorded")
	}
	answer, _ := embeddedSCTs(leaf)
	short := answer[0].signature[:8]
	f.Add(genuine)
	f.Add(st.SCTList(f).Value)
	f.Add(st.SCTList(f, instance.CT.SCT(f, issuer, []byte("x")), instance.CT.SCT(f, issuer, []byte("y"))).Value)
	f.Fuzz(func(t *testing.T, value []byte) {
		c := *leaf
		c.Extensions = []pkix.Extension{{Id: oidSCTList, Value: value}}
		scts, ok := embeddedSCTs(&c)
		if !ok && scts != nil || len(scts) > maxSCTs {
			t.Fatalf("%t with %d timestamps", ok, len(scts))
		}
		if ok && sctListSize(t, scts) != len(value) {
			t.Errorf("%d timestamps are not all of %d bytes", len(scts), len(value))
		}
		isAnswer := func(s sct) bool {
			return s.log == answer[0].log && s.timestamp == answer[0].timestamp && len(s.extensions) == 0 && bytes.HasPrefix(s.signature, short)
		}
		if recorded(&c, issuer, logs) && !slices.ContainsFunc(scts, isAnswer) {
			t.Errorf("recorded by %+v", scts)
		}
		if bytes.Equal(value, genuine) && !recorded(&c, issuer, logs) {
			t.Error("the genuine list is refused")
		}
	})
}

// FuzzWithoutSCTs expects the result to have no list of timestamps any more, and to be no larger.
func FuzzWithoutSCTs(f *testing.F) {
	_, leaf := certified(f, st.Leaf())
	f.Add(leaf.RawTBSCertificate)
	f.Add([]byte{0x30, 0x04, 0xa3, 0x02, 0x30, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, ok := withoutSCTs(raw)
		if !ok {
			return
		}
		if len(out) > len(raw) {
			t.Errorf("%d bytes became %d", len(raw), len(out))
		}
		if again, ok := withoutSCTs(out); !ok || !bytes.Equal(again, out) {
			t.Errorf("%x became %x, then %x", raw, out, again)
		}
	})
}

// FuzzIdentity expects one subject and one issuer or an error, and reads both again with encoding/asn1.
func FuzzIdentity(f *testing.F) {
	for _, template := range []*x509.Certificate{st.Leaf(), st.WithURI(f, st.Leaf(), "https://example.com/x")} {
		_, leaf := certified(f, template)
		issuer := append(slices.Clone(oidFulcio), arcIssuerV1)
		issuerV2 := append(slices.Clone(oidFulcio), arcIssuerV2)
		f.Add(extension(f, leaf, oidSAN), extension(f, leaf, issuer), extension(f, leaf, issuerV2), uint8(9), []byte("\x0c\x01x"))
	}
	username := []byte("\x30\x14\xa0\x12\x06\x0a\x2b\x06\x01\x04\x01\x83\xbf\x30\x01\x07\xa0\x04\x0c\x02me")
	f.Add(username, []byte(st.Issuer), st.TextExtension(arcIssuerV2, st.Issuer).Value, uint8(2), []byte("push"))
	f.Fuzz(func(t *testing.T, san, v1, v2 []byte, arc uint8, value []byte) {
		if arc == arcIssuerV1 || arc == arcIssuerV2 {
			return // crypto/x509 refuses certificates with an extension twice
		}
		c := &certificate{Certificate: &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, Extensions: []pkix.Extension{
			{Id: oidSAN, Value: san}, st.RawExtension(arcIssuerV1, string(v1)), st.RawExtension(arcIssuerV2, string(v2)), st.RawExtension(int(arc), string(value)),
		}}}
		id, err := c.identity()
		if (id == nil) == (err == nil) {
			t.Fatalf("%v and %v", id, err)
		}
		if err != nil {
			return
		}
		if kind, subject := subjectOf(t, san); kind != id.kind || subject != id.subject || subject == "" {
			t.Errorf("%q of kind %d, want %q of kind %d", id.subject, id.kind, subject, kind)
		}
		issuer := utf8StringOf(t, v2)
		if issuer != id.issuer && string(v1) != id.issuer || len(v1) > 0 && issuer != "" && string(v1) != issuer || id.issuer == "" {
			t.Errorf("issued for %q, by %q and %q", id.issuer, v1, issuer)
		}
		checkExtensions(t, id, int(arc), value)
	})
}

// checkExtensions expects an identity to have the one extension of those that a policy can name.
func checkExtensions(t *testing.T, id *fulcioIdentity, arc int, value []byte) {
	t.Helper()
	name, known := extensionNames[arc]
	if !known {
		if len(id.extensions) != 0 {
			t.Errorf("%q", id.extensions)
		}
		return
	}
	want := string(value)
	if arc > lastRawArc {
		want = utf8StringOf(t, value)
	}
	if len(id.extensions) != 1 || id.extensions[name] != want || len(want) > maxName || !utf8.ValidString(want) {
		t.Errorf("%q, want %q", id.extensions, want)
	}
}

// subjectOf reads the only name of a subject alternative name.
func subjectOf(t *testing.T, san []byte) (nameKind, string) {
	t.Helper()
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(san, &names); err != nil || len(rest) > 0 || len(names) != 1 || names[0].Class != asn1.ClassContextSpecific {
		t.Fatalf("%d names with %d more bytes: %v", len(names), len(rest), err)
	}
	switch names[0].Tag {
	case 1:
		return nameEmail, string(names[0].Bytes)
	case 6:
		return nameURI, string(names[0].Bytes)
	}
	var other struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	if rest, err := asn1.UnmarshalWithParams(names[0].FullBytes, &other, "tag:0"); err != nil || len(rest) > 0 || !other.ID.Equal(oidOtherName) {
		t.Fatalf("another name of type %s: %v", other.ID, err)
	}
	return nameUsername, utf8StringOf(t, other.Value.Bytes)
}

// utf8StringOf reads a DER-encoded UTF8String.
func utf8StringOf(t *testing.T, der []byte) string {
	t.Helper()
	var value asn1.RawValue
	rest, err := asn1.Unmarshal(der, &value)
	if err != nil || len(rest) > 0 || value.Tag != asn1.TagUTF8String {
		t.Fatalf("%x is not a UTF8String: %v", der, err)
	}
	return string(value.Bytes)
}
