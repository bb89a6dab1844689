// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

func TestRefuseSigner(t *testing.T) {
	w := newWorld(t)
	roots := w.roots()
	s := w.envelope(w.statement)
	is := func(change func(*sigstore.Fulcio)) *sigstore.Authority { return byFulcio(roots, change) }
	at := func(uri string) any {
		s := w.envelope(w.statement)
		s.cert = w.Certify(t, w.key, st.WithURI(t, st.Leaf(), uri))
		return s.v1()
	}
	user := w.envelope(w.statement)
	user.cert = w.Certify(t, w.key, usernameLeaf(t, "user!example.com"))
	notByLeaf := w.envelope(w.statement)
	notByLeaf.sig = st.Sign(t, st.NewKey(t, elliptic.P256()), st.PAE(w.statement))
	pki := w.sign(w.payload)
	pki.cert = w.Intermediate.Issue(t, w.key, pkiLeaf())
	notByPKI := w.sign([]byte("x"))
	notByPKI.cert, notByPKI.message = pki.cert, w.payload
	isPKI := func(change func(*sigstore.PKI)) *sigstore.Authority {
		a := byPKI(w)
		change(a.PKI)
		return a
	}
	another := []*x509.Certificate{st.NewCA(t, "other", nil).Certificate}
	checkRefusals(t, map[string]refusal{
		"another issuer":       {s.v1(), is(func(f *sigstore.Fulcio) { f.Issuer = st.Issuer + "/" }), sigstore.Input{}, sigstore.SignerMismatch, "OIDC issuer"},
		"another email":        {s.v1(), is(func(f *sigstore.Fulcio) { f.Subject.Email = "Signer@example.com" }), sigstore.Input{}, sigstore.SignerMismatch, "certificate is for"},
		"email as URI":         {s.v1(), is(func(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{URI: st.Email} }), sigstore.Input{}, sigstore.SignerMismatch, "certificate is for"},
		"email as username":    {s.v1(), is(func(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{Username: st.Email} }), sigstore.Input{}, sigstore.SignerMismatch, "certificate is for"},
		"username as email":    {user.v1(), is(func(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{Email: "user!example.com"} }), sigstore.Input{}, sigstore.SignerMismatch, "certificate is for"},
		"another URI":          {at("https://github.com/org/repo"), is(func(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{URI: "https://github.com/org/rep"} }), sigstore.Input{}, sigstore.SignerMismatch, "certificate is for"},
		"another organization": {at("https://github.com/organization/repo"), is(isOfOrg), sigstore.Input{}, sigstore.SignerMismatch, "certificate is for"},
		"only the prefix":      {at("https://github.com/org/"), is(isOfOrg), sigstore.Input{}, sigstore.SignerMismatch, "certificate is for"},
		"out of the prefix":    {at("https://github.com/org/../other/repo"), is(isOfOrg), sigstore.Input{}, sigstore.SignerMismatch, "certificate is for"},
		"no claim":             {s.v1(), is(func(f *sigstore.Fulcio) { f.Claims = map[string]string{"buildTrigger": "push"} }), sigstore.Input{}, sigstore.SignerMismatch, "claim buildTrigger"},
		"not by the leaf":      {notByLeaf.v1(), byFulcio(roots), sigstore.Input{}, sigstore.InvalidSignature, "key of its certificate"},
		"PKI, another email":   {pki.blob(nil), isPKI(func(p *sigstore.PKI) { p.Email = "x@example.com" }), sigstore.Input{}, sigstore.SignerMismatch, "email address"},
		"PKI, another host":    {pki.blob(nil), isPKI(func(p *sigstore.PKI) { p.Hostname = "example.com" }), sigstore.Input{}, sigstore.SignerMismatch, "for the host"},
		"PKI, another root":    {pki.blob(nil), isPKI(func(p *sigstore.PKI) { p.Roots = another }), sigstore.Input{}, sigstore.UntrustedCertificate, "not issued"},
		"PKI, expired":         {pki.blob(nil), byPKI(w), sigstore.Input{Now: st.Time.AddDate(3, 0, 0)}, sigstore.CertificateExpired, "at present"},
		"PKI, not by the leaf": {notByPKI.blob(nil), byPKI(w), sigstore.Input{}, sigstore.InvalidSignature, "key of its certificate"},
		"PKI, no certificate":  {pki.blob(map[string]string{annCert: ""}), byPKI(w), sigstore.Input{}, sigstore.NoCertificate, "no certificate"},
	})
	_, err := authenticate(pki.blob(nil), sigstore.Input{Now: st.Time.AddDate(0, 0, -1)}, byPKI(w))
	if e := sigstore.AsError(err); e.Code != sigstore.CertificateExpired || !e.RecheckAt.Equal(st.Time.Add(-5*time.Minute)) {
		t.Errorf("PKI, not yet valid: %+v", e)
	}
}

func TestRefusePayload(t *testing.T) {
	w := newWorld(t)
	key := w.byKey(nil)
	blob := func(change func(doc any)) any {
		payload := parseJSON(t, w.payload)
		change(payload)
		return w.sign(st.JSON(t, payload)).blob(nil)
	}
	payload := func(path string, value any) any { return blob(func(doc any) { set(t, doc, path, value) }) }
	statement := func(path string, value any) any {
		return w.envelope(st.JSON(t, set(t, parseJSON(t, w.statement), path, value))).byKeyAlone().v1()
	}
	digest := func(value any) any { return payload("critical.image.docker-manifest-digest", value) }
	many := make([]any, 1025)
	for i := range many {
		many[i] = map[string]any{}
	}
	checkRefusals(t, map[string]refusal{
		"not JSON":               {w.sign([]byte("x")).blob(nil), key, sigstore.Input{}, sigstore.MalformedPayload, "signed payload: byte 0"},
		"atomic type":            {payload("critical.type", "atomic container signature"), key, sigstore.Input{}, sigstore.MalformedPayload, "critical.type"},
		"no type":                {payload("critical.type", gone), key, sigstore.Input{}, sigstore.MalformedPayload, "critical lacks"},
		"type is no string":      {payload("critical.type", 1), key, sigstore.Input{}, sigstore.MalformedPayload, "a string should be"},
		"unknown in critical":    {payload("critical.x", 1), key, sigstore.Input{}, sigstore.MalformedPayload, "critical has an unknown"},
		"unknown at the top":     {payload("x", 1), key, sigstore.Input{}, sigstore.MalformedPayload, "payload has an unknown"},
		"unknown in image":       {payload("critical.image.x", 1), key, sigstore.Input{}, sigstore.MalformedPayload, "critical.image has"},
		"unknown in identity":    {payload("critical.identity.x", 1), key, sigstore.Input{}, sigstore.MalformedPayload, "critical.identity has"},
		"no optional":            {payload("optional", gone), key, sigstore.Input{}, sigstore.MalformedPayload, "lacks a member"},
		"optional is a number":   {payload("optional", 1), key, sigstore.Input{}, sigstore.MalformedPayload, "an object should be"},
		"critical is null":       {payload("critical", nil), key, sigstore.Input{}, sigstore.MalformedPayload, "an object should be"},
		"digest is a number":     {digest(1), key, sigstore.Input{}, sigstore.MalformedPayload, "a string should be"},
		"digest in upper case":   {digest("sha256:" + strings.ToUpper(hexDigest())), key, sigstore.Input{}, sigstore.MalformedPayload, "no digest"},
		"digest by md5":          {digest("md5:" + hexDigest()[:32]), key, sigstore.Input{}, sigstore.MalformedPayload, "no digest"},
		"digest is short":        {digest("sha256:00"), key, sigstore.Input{}, sigstore.MalformedPayload, "no digest"},
		"reference is empty":     {payload("critical.identity.docker-reference", ""), key, sigstore.Input{}, sigstore.MalformedPayload, "1 to 1024"},
		"reference is long":      {payload("critical.identity.docker-reference", strings.Repeat("x", 1025)), key, sigstore.Input{}, sigstore.MalformedPayload, "1 to 1024"},
		"reference is a number":  {payload("critical.identity.docker-reference", 1), key, sigstore.Input{}, sigstore.MalformedPayload, "a string should be"},
		"attestation":            {statement("predicateType", "https://slsa.dev/provenance/v1"), key, sigstore.Input{}, sigstore.NotASignature, "attestation"},
		"cosign's attestation":   {statement("predicateType", "https://cosign.sigstore.dev/attestation/v1"), key, sigstore.Input{}, sigstore.NotASignature, "attestation"},
		"nearly":                 {statement("predicateType", st.PredicateSign+"/"), key, sigstore.Input{}, sigstore.NotASignature, "attestation"},
		"no predicate type":      {statement("predicateType", gone), key, sigstore.Input{}, sigstore.NotASignature, "attestation"},
		"another statement":      {statement("_type", "https://in-toto.io/Statement/v2"), key, sigstore.Input{}, sigstore.MalformedPayload, "not an in-toto"},
		"statement not JSON":     {w.envelope([]byte("x")).byKeyAlone().v1(), key, sigstore.Input{}, sigstore.MalformedPayload, "signed statement: byte 0"},
		"no subject":             {statement("subject", []any{}), key, sigstore.Input{}, sigstore.MalformedPayload, "no subject"},
		"subject without digest": {statement("subject.0.digest", map[string]any{"gitCommit": "00"}), key, sigstore.Input{}, sigstore.MalformedPayload, "no subject"},
		"subject digest is bad":  {statement("subject.0.digest.sha512", "00"), key, sigstore.Input{}, sigstore.MalformedPayload, "sha512 digest"},
		"subject digest, number": {statement("subject.0.digest.sha512", 1), key, sigstore.Input{}, sigstore.MalformedPayload, "a string should be"},
		"subject name is long":   {statement("subject.0.name", strings.Repeat("x", 1025)), key, sigstore.Input{}, sigstore.MalformedPayload, "name is longer"},
		"too many subjects":      {statement("subject", many), key, sigstore.Input{}, sigstore.MalformedPayload, "more than 1024"},
	})
}

func TestValidate(t *testing.T) {
	w := newWorld(t)
	roots := w.roots()
	key := w.byKey(nil).Keys
	tests := map[string]struct {
		authority *sigstore.Authority
		want      string
	}{
		"nothing":         {&sigstore.Authority{}, "exactly one of keys"},
		"two":             {&sigstore.Authority{Keys: key, PKI: &sigstore.PKI{}}, "exactly one of keys"},
		"log without key": {&sigstore.Authority{Fulcio: byFulcio(roots).Fulcio, Log: roots}, "is for keys"},
		"no roots":        {byFulcio(nil), "no root for fulcio"},
		"no issuer":       {byFulcio(roots, func(f *sigstore.Fulcio) { f.Issuer = "" }), "issuer is empty"},
		"no subject":      {byFulcio(roots, func(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{} }), "exactly one of email"},
		"two subjects":    {byFulcio(roots, func(f *sigstore.Fulcio) { f.Subject.URI = "x" }), "exactly one of email"},
		"open prefix":     {byFulcio(roots, func(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{URIPrefix: "https://github.com/org"} }), "end with / or @"},
		"unknown claim":   {byFulcio(roots, func(f *sigstore.Fulcio) { f.Claims = map[string]string{"x": ""} }), "a claim is none of"},
		"no CA":           {&sigstore.Authority{PKI: &sigstore.PKI{Email: "x"}}, "no root for pki"},
		"no name":         {&sigstore.Authority{PKI: &sigstore.PKI{Roots: []*x509.Certificate{w.Root.Certificate}}}, "email or hostname"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := test.authority.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	for _, a := range []*sigstore.Authority{w.byKey(roots), byFulcio(roots), byPKI(w), byFulcio(roots, func(f *sigstore.Fulcio) {
		f.Subject = sigstore.Subject{URIPrefix: "https://github.com/org/repo/.github/workflows/build.yml@"}
	})} {
		if err := a.Validate(); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
	}
	if _, err := pubkey.New("x"); err == nil {
		t.Error("a string is a key")
	}
}
