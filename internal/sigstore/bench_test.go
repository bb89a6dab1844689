// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// BenchmarkAuthenticate measures what one signature costs, from its content to what it says.
func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b)
	key := w.sign(w.payload)
	key.cert = nil
	roots, private := byFulcio(w.roots()), byFulcio(w.rekorRoots())
	for name, bench := range map[string]struct {
		content   any
		authority *sigstore.Authority
	}{
		"ecdsa-p256-key":  {key.blob(nil), w.byKey(nil)},
		"fulcio-rekor-v1": {w.sign(w.payload).blob(nil), private},
		"bundle-v0.3":     {w.envelope(w.statement).v1(), roots},
		"bundle-rekor-v2": {w.envelope(w.statement).v2(), roots},
	} {
		content := content(b, bench.content)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := authenticate(content, sigstore.Input{}, bench.authority); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLargest measures content of the largest size that is read, of kinds that cost most.
func BenchmarkLargest(b *testing.B) {
	w := newWorld(b)
	roots, private := byFulcio(w.roots()), byFulcio(w.rekorRoots())
	digests := strings.Repeat(`{"digest":{"sha512":"`+strings.Repeat("0", 128)+`"}},`, 1000)
	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://sigstore.dev/cosign/sign/v1","subject":[` +
		strings.TrimSuffix(digests, ",") + `]}`)
	large := content(b, w.envelope(statement).v1())
	company, chained := pkiChain(w)
	bringing, stamps := stamped(w)
	for name, row := range map[string]struct {
		content     []byte
		authorities []*sigstore.Authority
		accepted    bool
	}{
		"chain":      {circle(w), []*sigstore.Authority{roots, private}, false},
		"pki-chain":  {chained, []*sigstore.Authority{company}, true},
		"arrays":     {append([]byte("\x00sigstore-json\n"), bytes.Repeat([]byte("["), sigstore.MaxContent-20)...), []*sigstore.Authority{roots, private}, false},
		"members":    {append([]byte("\x00sigstore-json\n{"), bytes.Repeat([]byte(`"":1,`), sigstore.MaxContent/5-10)...), []*sigstore.Authority{roots, private}, false},
		"escapes":    {append([]byte(`{"mediaType":"`), bytes.Repeat([]byte(`\u0000`), sigstore.MaxContent/6-10)...), []*sigstore.Authority{roots, private}, false},
		"subjects":   {large, []*sigstore.Authority{roots, private}, true},
		"timestamps": {stamps, []*sigstore.Authority{bringing}, true},
		"hostile":    {hostile(w), []*sigstore.Authority{bringing}, false},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(row.content)))
			for b.Loop() {
				if _, err := authenticate(row.content, sigstore.Input{Spend: budget(250_000)}, row.authorities...); (err == nil) != row.accepted {
					b.Fatal(err)
				}
			}
		})
	}
}

// budget allows so much processor time for all steps, in microseconds.
func budget(left int) func(int) bool {
	return func(cost int) bool {
		left -= cost
		return left >= 0
	}
}

// stamped is a bundle with as many timestamps as are read, each with the certificate of the authority, on P-384 as those
// of the public instance; and an entry that accepts it.
func stamped(w *world) (*sigstore.Authority, []byte) {
	ca := &st.CA{Key: st.NewKey(w.t, elliptic.P384())}
	subject := w.TSA.CA.Certificate.Subject
	ca.Certificate = issueCA(w, &st.CA{Certificate: &x509.Certificate{Subject: subject}, Key: ca.Key}, ca.Key, subject)
	template := *w.TSA.Certificate
	template.ExtraExtensions = timeStamping(w.TSA.Certificate)
	template.ExtKeyUsage, template.AuthorityKeyId = nil, nil
	w.TSA.CA, w.TSA.Key = ca, st.NewKey(w.t, elliptic.P384())
	var err error
	if w.TSA.Certificate, err = x509.ParseCertificate(ca.Issue(w.t, w.TSA.Key, &template)); err != nil {
		w.t.Fatal(err)
	}
	s := w.envelope(w.statement)
	var all [][]byte
	for range 8 {
		all = append(all, w.TSA.Stamp(w.t, s.sig, func(stamp *st.Stamp) { stamp.Certificates = [][]byte{w.TSA.Certificate.Raw} }))
	}
	roots := w.roots(func(doc any) {
		set(w.t, doc, "timestampAuthorities.0.certChain.certificates", []any{map[string]any{"rawBytes": st.Base64(ca.Certificate.Raw)}})
	})
	return byFulcio(roots), content(w.t, s.bundle(s.stamped(s.material(w.RekorV1.Entry(w.t, s.body1())), all...)))
}

// timeStamping returns the extension that makes a certificate one for timestamps.
func timeStamping(c *x509.Certificate) []pkix.Extension {
	i := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 37}) })
	return c.Extensions[i : i+1]
}

// hostile is a bundle with timestamps that bring CAs with the name of the authority.
func hostile(w *world) []byte {
	cas := circleOf(w, w.TSA.CA.Certificate.Subject, elliptic.P384())
	key := st.NewKey(w.t, elliptic.P384())
	signer := cas[0].Issue(w.t, key, &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: st.Time.AddDate(-1, 0, 0), NotAfter: st.Time.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: timeStamping(w.TSA.Certificate),
	})
	certificate, err := x509.ParseCertificate(signer)
	if err != nil {
		w.t.Fatal(err)
	}
	tsa := &st.TSA{CA: cas[0], Key: key, Certificate: certificate}
	s := w.envelope(w.statement)
	var all [][]byte
	for range 8 {
		all = append(all, tsa.Stamp(w.t, s.sig, func(stamp *st.Stamp) {
			stamp.Certificates = [][]byte{signer, cas[0].Certificate.Raw, cas[1].Certificate.Raw}
		}))
	}
	return content(w.t, s.bundle(s.stamped(s.material(w.RekorV1.Entry(w.t, s.body1())), all...)))
}

// circle is a signature with a chain of CAs of one name that issue each other, on the slowest curve.
func circle(w *world) []byte {
	cas := circleOf(w, w.Root.Certificate.Subject, elliptic.P521())
	s := w.sign(w.payload)
	s.cert = cas[0].Issue(w.t, w.key, st.Leaf())
	return s.blob(map[string]string{annChain: string(st.CertificatePEM(cas[0].Certificate.Raw)) + string(st.CertificatePEM(cas[1].Certificate.Raw))})
}

// circleOf returns two CAs of one name that issue each other.
func circleOf(w *world, name pkix.Name, curve elliptic.Curve) []*st.CA {
	var cas []*st.CA
	for range 2 {
		cas = append(cas, &st.CA{Certificate: &x509.Certificate{Subject: name}, Key: st.NewKey(w.t, curve)})
	}
	first, second := issueCA(w, cas[1], cas[0].Key, name), issueCA(w, cas[0], cas[1].Key, name)
	cas[0].Certificate, cas[1].Certificate = first, second
	return cas
}

// issueCA issues the certificate of a CA.
func issueCA(w *world, issuer *st.CA, key crypto.Signer, name pkix.Name) *x509.Certificate {
	c, err := x509.ParseCertificate(issuer.Issue(w.t, key, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: name, NotBefore: st.Time.AddDate(-1, 0, 0), NotAfter: st.Time.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// pkiChain is a signature by a certificate of a company, with as many CAs as are read, on the slowest curve; and an
// entry that accepts it.
func pkiChain(w *world) (*sigstore.Authority, []byte) {
	var issuer *st.CA
	var root *x509.Certificate
	var chain []byte
	for _, name := range []string{"company", "division", "department", "team"} {
		ca := &st.CA{Key: st.NewKey(w.t, elliptic.P521())}
		subject := pkix.Name{CommonName: name}
		if issuer == nil {
			issuer = &st.CA{Certificate: &x509.Certificate{Subject: subject}, Key: ca.Key}
		}
		ca.Certificate = issueCA(w, issuer, ca.Key, subject)
		if root == nil {
			root = ca.Certificate
		} else {
			chain = append(st.CertificatePEM(ca.Certificate.Raw), chain...)
		}
		issuer = ca
	}
	key := st.NewKey(w.t, elliptic.P521())
	s := &signed{w: w, key: key, message: w.payload, sig: st.Sign(w.t, key, w.payload), cert: issuer.Issue(w.t, key, pkiLeaf())}
	a := &sigstore.Authority{Name: "pki", PKI: &sigstore.PKI{Roots: []*x509.Certificate{root}, Email: st.Email}}
	return a, s.blob(map[string]string{annBundle: "", annChain: string(chain)})
}
