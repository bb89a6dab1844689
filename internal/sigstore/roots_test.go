// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// TestParseTrustedRoot has what makes a trusted root unacceptable, and what does not.
func TestParseTrustedRoot(t *testing.T) {
	w := newWorld(t)
	leaf := st.Base64(w.cert)
	many := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = map[string]any{}
		}
		return list
	}
	nineCAs := many(9)
	for i := range nineCAs {
		nineCAs[i] = map[string]any{"rawBytes": st.Base64(w.Root.Certificate.Raw)}
	}
	tests := map[string]struct {
		path  string
		value any
		want  string // part of the error, empty for none
	}{
		"version 0.2":            {"mediaType", "application/vnd.dev.sigstore.trustedroot.v0.2+json", ""},
		"version 0.3":            {"mediaType", "application/vnd.dev.sigstore.trustedroot.v0.3+json", "media type"},
		"unknown member":         {"x", 1, ""},
		"unknown in a log":       {"tlogs.0.operator", "x", ""},
		"null":                   {"timestampAuthorities", nil, ""},
		"no key":                 {"tlogs.0.publicKey", gone, "no start of validity"},
		"no period":              {"tlogs.0.publicKey.validFor", gone, "no start of validity"},
		"no start":               {"tlogs.0.publicKey.validFor.start", gone, "no start of validity"},
		"no start of CA":         {"certificateAuthorities.0.validFor.start", nil, "certificateAuthorities[0]: there is no start"},
		"no period of authority": {"timestampAuthorities.0.validFor", nil, "timestampAuthorities[0]: there is no start"},
		"start is no time":       {"tlogs.0.publicKey.validFor.start", "yesterday", "not that of RFC 3339"},
		"start is a number":      {"tlogs.0.publicKey.validFor.start", 1, "a string should be"},
		"short log ID":           {"ctlogs.0.logId.keyId", "AAAA", "ctlogs[0]: the log ID"},
		"key is garbage":         {"tlogs.0.publicKey.rawBytes", "AAAA", "not a public key"},
		"key is not PKCS #1":     {"tlogs.0.publicKey.keyDetails", "PKCS1_RSA_PKCS1V5", "not an RSA"},
		"no certificates":        {"certificateAuthorities.0.certChain.certificates", []any{}, "no certificate"},
		"long chain":             {"certificateAuthorities.0.certChain.certificates", nineCAs, "more than 8"},
		"certificate of a leaf":  {"certificateAuthorities.0.certChain.certificates.0.rawBytes", leaf, "not that of a CA"},
		"certificate is garbage": {"certificateAuthorities.0.certChain.certificates.0.rawBytes", "AAAA", "malformed"},
		"certificate is large":   {"certificateAuthorities.0.certChain.certificates.0.rawBytes", st.Base64(make([]byte, 33<<10)), "larger than"},
		"certificate no base64":  {"certificateAuthorities.0.certChain.certificates.0.rawBytes", "*", "not base64"},
		"authority without CA":   {"timestampAuthorities.0.certChain.certificates", []any{map[string]any{"rawBytes": leaf}}, "no CA certificate"},
		"authority is garbage":   {"timestampAuthorities.0.certChain.certificates", []any{map[string]any{"rawBytes": ""}}, "malformed"},
		"too many logs":          {"tlogs", many(65), "tlogs[0]"},
		"logs are no list":       {"tlogs", 1, "an array should be"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots, err := sigstore.ParseTrustedRoot(st.JSON(t, set(t, tree(t, w.TrustedRoot(t)), test.path, test.value)))
			switch {
			case test.want == "" && (err != nil || len(roots.Skipped()) != 0):
				t.Errorf("%v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || roots != nil):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestSkipped expects what is not supported to be passed over and named.
func TestSkipped(t *testing.T) {
	w := newWorld(t)
	weakRSA := st.NewRSA(t, 1024)
	weakCA := st.NewCA(t, "weak", nil)
	weak := w.Root.Issue(t, weakRSA, &x509.Certificate{SerialNumber: weakCA.Certificate.SerialNumber, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	pkcs1 := st.NewRSA(t, 2048)
	doc := tree(t, w.TrustedRoot(t))
	log := func(details string, raw []byte) any {
		return set(t, set(t, tree(t, get(t, doc, "tlogs.0")), "publicKey.keyDetails", details), "publicKey.rawBytes", st.Base64(raw))
	}
	set(t, doc, "tlogs", []any{
		log("PKIX_ML_DSA_65", []byte("x")), get(t, doc, "tlogs.0"), log("PKIX_RSA_PKCS1V15_2048_SHA256", st.SPKI(t, weakRSA)),
		log("PKCS1_RSA_PKCS1V5", x509.MarshalPKCS1PublicKey(&weakRSA.PublicKey)), log("PKCS1_RSA_PKCS1V5", x509.MarshalPKCS1PublicKey(&pkcs1.PublicKey)),
		set(t, tree(t, get(t, doc, "tlogs.0")), "hashAlgorithm", "SHA2_512"),
	})
	set(t, doc, "certificateAuthorities.0.certChain.certificates.0.rawBytes", st.Base64(weak))
	roots, err := sigstore.ParseTrustedRoot(st.JSON(t, doc))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"certificateAuthorities[0]", "tlogs[0]", "tlogs[2]", "tlogs[3]", "tlogs[5]"}
	if diff := cmp.Diff(want, roots.Skipped()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestParseRoots has what makes PEM files unacceptable.
func TestParseRoots(t *testing.T) {
	w := newWorld(t)
	ca, key := st.CertificatePEM(w.Root.Certificate.Raw), st.PublicPEM(t, w.RekorV1.Key)
	tests := map[string]struct {
		ca, rekor []byte
		want      string
	}{
		"both":              {ca, key, ""},
		"a log alone":       {nil, key, ""},
		"with comments":     {append([]byte("# a CA\n"), ca...), append([]byte("# a log\n"), key...), ""},
		"no key":            {ca, nil, "keys of Rekor: there is no PEM block"},
		"key is cut":        {ca, key[:len(key)-30], "keys of Rekor: a PEM block is malformed"},
		"certificate, key":  {ca, ca, "keys of Rekor: a PEM block is no PUBLIC KEY"},
		"key, certificate":  {key, key, "CA certificates: a PEM block is no CERTIFICATE"},
		"leaf":              {st.CertificatePEM(w.cert), key, "certificate 1: the certificate is not that of a CA"},
		"garbage":           {st.CertificatePEM([]byte("x")), key, "certificate 1: the certificate is malformed"},
		"many certificates": {bytes.Repeat(ca, 65), key, "more than 64"},
		"large":             {make([]byte, 1<<20+1), key, "larger than"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots, err := sigstore.ParseRoots(test.ca, test.rekor)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || roots != nil):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestClaimsAreBounded expects any payload to stay within the bounds of claims.
func TestClaimsAreBounded(t *testing.T) {
	w := newWorld(t)
	optional := map[string]any{
		"creator": "tool\u202e 1\\2", "timestamp": 1483228800, "object": map[string]any{"a": []any{1}}, strings.Repeat("n", 200): strings.Repeat("v", 2000),
	}
	for i := range 100 {
		optional[fmt.Sprintf("z%03d", i)] = "x"
	}
	payload := set(t, parseJSON(t, w.payload), "optional", optional)
	v, err := authenticate(w.sign(st.JSON(t, payload)).blob(nil), sigstore.Input{}, w.byKey(nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Claims) != sigstore.MaxClaims || v.Claims["…"] != "44 more" {
		t.Errorf("%d claims, %q left out", len(v.Claims), v.Claims["…"])
	}
	for name, want := range map[string]string{
		"optional.creator": `tool\u202e 1\\2`, "optional.timestamp": "1483228800", "optional.object": `{"a":[1]}`,
	} {
		if v.Claims[name] != want {
			t.Errorf("%s is %q, want %q", name, v.Claims[name], want)
		}
	}
	for name, value := range v.Claims {
		if len(name) > sigstore.MaxClaimName || len(value) > sigstore.MaxClaimValue {
			t.Errorf("a claim has a name of %d and a value of %d bytes", len(name), len(value))
		}
	}
}

// TestFirstAuthorityThatAccepts expects the order of the policy to name the signer, and of several
// refusals the one that came furthest.
func TestFirstAuthorityThatAccepts(t *testing.T) {
	w := newWorld(t)
	roots := w.roots()
	doc := content(t, w.envelope(w.statement).v1())
	other, mine := byFulcio(roots, func(f *sigstore.Fulcio) { f.Subject.Email = "other@example.com" }), byFulcio(roots)
	other.Name = "other"
	again := *mine
	again.Name = "again"
	v, err := authenticate(doc, sigstore.Input{}, w.byKey(nil, w.RekorV2.Key), other, mine, &again)
	if err != nil || v.Authority != "fulcio" {
		t.Errorf("%+v, %v", v, err)
	}
	_, err = authenticate(doc, sigstore.Input{}, other, w.byKey(nil, w.RekorV2.Key))
	if e := sigstore.AsError(err); e.Code != sigstore.SignerMismatch || e.Authority != "other" {
		t.Errorf("%+v", e)
	}
	none := byFulcio(w.roots(func(doc any) { set(t, doc, "ctlogs", nil) }))
	_, err = authenticate(doc, sigstore.Input{}, other, none, other)
	if e := sigstore.AsError(err); e.Code != sigstore.RootsUnavailable || !e.Code.Unchecked() || e.Authority != "fulcio" {
		t.Errorf("%+v", e)
	}
	twice := *other
	_, err = authenticate([]byte("\x00sigstore-json\n"+string(w.sign(w.payload).blob(map[string]string{annCert: ""})[15:])), sigstore.Input{}, byPKI(w), other, &twice)
	if e := sigstore.AsError(err); e.Code != sigstore.NoCertificate || e.Authority != "pki" {
		t.Errorf("%+v", e)
	}
}

// TestAuthenticateAttestation expects attestations to pass there and nowhere else.
func TestAuthenticateAttestation(t *testing.T) {
	w := newWorld(t)
	statement := st.JSON(t, set(t, parseJSON(t, st.Statement(t, "https://slsa.dev/provenance/v1", hexDigest())), "subject.0.name", "app"))
	s, err := sigstore.Parse(content(t, w.envelope(statement).v2()))
	if err != nil {
		t.Fatal(err)
	}
	authorities := []*sigstore.Authority{byFulcio(w.roots())}
	v, err := s.AuthenticateAttestation(authorities, sigstore.Input{Now: now})
	if err != nil || v.Statements[0].Name != "app" || v.Claims["subject.name"] != "app" {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := s.Authenticate(authorities, sigstore.Input{Now: now}); sigstore.AsError(err).Code != sigstore.NotASignature {
		t.Errorf("as a signature: %v", err)
	}
}

// TestBlobFromAttachment expects an attachment to become the content that containers/image stores.
func TestBlobFromAttachment(t *testing.T) {
	w := newWorld(t)
	s := w.sign(w.payload)
	blob, err := sigstore.BlobFromAttachment("application/vnd.dev.cosign.simplesigning.v1+json", w.payload,
		map[string]string{"dev.cosignproject.cosign/signature": st.Base64(s.sig), "other": "<x>"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(blob, sigstore.Input{}, w.byKey(nil)); err != nil {
		t.Error(err)
	}
}

func TestCode(t *testing.T) {
	seen := make(map[string]bool)
	for code := sigstore.Malformed; code <= sigstore.MalformedPayload; code++ {
		if name := code.String(); name == "" || strings.HasPrefix(name, "Code(") || seen[name] {
			t.Errorf("code %d is called %q", int(code), name)
		} else {
			seen[name] = true
		}
	}
	if got := sigstore.Code(0).String(); got != "Code(0)" {
		t.Errorf("the zero value is called %q", got)
	}
	if e := sigstore.AsError(fmt.Errorf("x")); e.Code != sigstore.Malformed {
		t.Errorf("%+v", e)
	}
}
