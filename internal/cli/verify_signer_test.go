// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/cli"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

const workflow = "https://github.com/org/app/.github/workflows/release.yml@refs/tags/v1"

// signerFiles writes files of an instance of sigstore and of signatures with it. It returns a function
// for their paths, and the flags without a signer.
func signerFiles(t *testing.T) (path func(string) string, base flags) {
	t.Helper()
	dir, openpgp := files(t)
	i, other := st.New(t), st.New(t)
	key := st.NewKey(t, elliptic.P256())
	statement := st.Statement(t, st.PredicateSign, strings.TrimPrefix(appDigest, "sha256:"))
	bundle := func(template *x509.Certificate) []byte {
		certificate := i.Certify(t, key, template)
		signature := st.Sign(t, key, st.PAE(statement))
		entry := i.RekorV1.Entry(t, st.DSSE1(t, statement, signature, st.CertificatePEM(certificate)))
		return st.JSON(t, st.Envelope(st.Bundle03, statement, signature, st.Object{
			"certificate": st.Raw(certificate), "tlogEntries": []st.Object{entry},
		}))
	}
	ci := st.WithURI(t, st.Leaf(), workflow)
	ci.ExtraExtensions = append(ci.ExtraExtensions, st.TextExtension(20, "push"))
	payload := st.Payload(t, appDigest, appReference)
	signature := st.Sign(t, key, payload)
	entry := i.RekorV1.CosignBundle(t, st.HashedRekord1(t, payload, signature, st.PublicPEM(t, key)))
	company := st.Leaf()
	company.ExtKeyUsage, company.ExtraExtensions = nil, nil
	company.DNSNames, company.NotAfter = []string{"signer.example.com"}, i.Root.Certificate.NotAfter
	for name, content := range map[string][]byte{
		"email.json":    bundle(st.Leaf()),
		"workflow.json": bundle(ci),
		"key.sig":       st.Blob(t, payload, signature, nil),
		"logged.sig":    st.Blob(t, payload, signature, map[string]string{"dev.sigstore.cosign/bundle": string(st.JSON(t, entry))}),
		"company.sig": st.Blob(t, payload, signature, map[string]string{
			"dev.sigstore.cosign/certificate": string(st.CertificatePEM(i.Intermediate.Issue(t, key, company))),
		}),
		"cosign.pub":        st.PublicPEM(t, key),
		"root.json":         st.JSON(t, i.TrustedRoot(t)),
		"other.json":        st.JSON(t, other.TrustedRoot(t)),
		"rekor.pub":         st.PublicPEM(t, i.RekorV1.Key),
		"other-rekor.pub":   st.PublicPEM(t, other.RekorV1.Key),
		"ca.pem":            append(st.CertificatePEM(i.Root.Certificate.Raw), st.CertificatePEM(i.Intermediate.Certificate.Raw)...),
		"root.pem":          st.CertificatePEM(i.Root.Certificate.Raw),
		"intermediates.pem": st.CertificatePEM(i.Intermediate.Certificate.Raw),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return filepath.Join(dir, name) },
		openpgp.with("trusted-key").with("type", "sigstore").with("unnamed-signatures", "Accept")
}

// and returns the flags with more values.
func (f flags) and(more flags) flags {
	changed := maps.Clone(f)
	maps.Copy(changed, more)
	return changed
}

// TestVerifySigners checks exit code and reason of signatures by identities and by keys in a log.
func TestVerifySigners(t *testing.T) {
	in, base := signerFiles(t)
	fulcio := base.and(flags{
		"signature": {in("email.json")}, "trusted-root": {in("root.json")},
		"certificate-oidc-issuer": {st.Issuer}, "certificate-email": {st.Email},
	})
	private := fulcio.with("trusted-root").and(flags{"fulcio-ca": {in("ca.pem")}, "rekor-key": {in("other-rekor.pub"), in("rekor.pub")}})
	byWorkflow := fulcio.with("certificate-email").with("signature", in("workflow.json"))
	prefix := byWorkflow.with("certificate-uri-prefix", "https://github.com/org/app/.github/workflows/release.yml@")
	pki := base.and(flags{
		"signature": {in("company.sig")}, "ca-roots": {in("root.pem")}, "ca-intermediates": {in("intermediates.pem")}, "certificate-email": {st.Email},
	})
	logged := base.and(flags{"signature": {in("logged.sig")}, "trusted-key": {in("cosign.pub")}, "rekor-key": {in("rekor.pub")}})
	tests := map[string]struct {
		flags   flags
		exit    int
		reason  string
		message string // Part of it.
	}{
		"Fulcio, trusted root":       {fulcio, 0, "Verified", "signed by " + st.Email + " (" + st.Issuer + "), trusted by --certificate-oidc-issuer"},
		"Fulcio, PEM files":          {private, 0, "Verified", ""},
		"a workflow":                 {byWorkflow.with("certificate-uri", workflow), 0, "Verified", "signed by " + workflow},
		"a prefix":                   {prefix, 0, "Verified", ""},
		"a claim":                    {prefix.with("certificate-claim", "buildTrigger=push"), 0, "Verified", ""},
		"another CA":                 {pki, 0, "Verified", "signed by " + st.Email + " (0x"},
		"another CA, both names":     {pki.with("certificate-hostname", "signer.example.com"), 0, "Verified", ""},
		"a key in a log":             {logged, 0, "Verified", "trusted by --trusted-key"},
		"a key in a log, by root":    {logged.with("rekor-key").with("trusted-root", in("root.json")), 0, "Verified", ""},
		"an identity and a key":      {fulcio.with("trusted-key", in("cosign.pub")), 0, "Verified", "trusted by --trusted-key and --certificate-oidc-issuer"},
		"no name":                    {fulcio.with("unnamed-signatures"), 1, "IdentityMismatch", "set --unnamed-signatures to Accept"},
		"no name, rejected":          {fulcio.with("unnamed-signatures", "Reject"), 1, "IdentityMismatch", ""},
		"another email":              {fulcio.with("certificate-email", "x@example.com"), 1, "SignerMismatch", ""},
		"another issuer":             {fulcio.with("certificate-oidc-issuer", "https://example.com"), 1, "SignerMismatch", ""},
		"another URI":                {byWorkflow.with("certificate-uri", workflow+"0"), 1, "SignerMismatch", ""},
		"another prefix":             {byWorkflow.with("certificate-uri-prefix", "https://github.com/organization/"), 1, "SignerMismatch", ""},
		"a username":                 {byWorkflow.with("certificate-username", "user!example.com"), 1, "SignerMismatch", ""},
		"another claim":              {prefix.with("certificate-claim", "buildTrigger=push", "sourceRepositoryRef=x"), 1, "SignerMismatch", ""},
		"another root":               {fulcio.with("trusted-root", in("other.json")), 1, "UntrustedLog", ""},
		"another log":                {private.with("rekor-key", in("other-rekor.pub")), 1, "UntrustedLog", ""},
		"another CA's root":          {private.with("fulcio-ca", in("root.pem")), 1, "UntrustedCertificate", ""},
		"another CA, another host":   {pki.with("certificate-hostname", "example.com"), 1, "SignerMismatch", ""},
		"another CA, a part missing": {pki.with("ca-intermediates"), 1, "UntrustedCertificate", ""},
		"a certificate by key":       {logged.with("signature", in("email.json")).with("trusted-key", in("rekor.pub")), 1, "UntrustedKey", "name it with --certificate-oidc-issuer or --ca-roots"},
		"a key in no log":            {logged.with("signature", in("key.sig")), 1, "NoLogEntry", ""},
		"a key in another log":       {logged.with("rekor-key", in("other-rekor.pub")), 1, "UntrustedLog", ""},
		"an OpenPGP key in a log":    {logged.with("trusted-key", in("alice.asc")), 2, "KeysUnavailable", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := run("", tt.flags.with("output", "json").args()...)
			d := got.decision(t)
			outcome := map[int]string{0: "verified", 1: "refused", 2: "could not be checked"}[tt.exit]
			if got.exit != tt.exit || d.Outcome != outcome || d.Reason != tt.reason || !strings.Contains(d.Message, tt.message) {
				t.Errorf("exit code %d, %+v, %s, want %d, %s: %q", got.exit, d, got.stderr, tt.exit, tt.reason, tt.message)
			}
		})
	}
}

// TestVerifySignerOutput compares who is said to have signed.
func TestVerifySignerOutput(t *testing.T) {
	in, base := signerFiles(t)
	args := base.and(flags{
		"signature": {in("email.json")}, "trusted-root": {in("root.json")},
		"certificate-oidc-issuer": {st.Issuer}, "certificate-email": {st.Email},
	})
	got := run("", args.with("output", "json").args()...)
	var result struct {
		CommonName, Organization, PublicKeyID string
		IssuedBy                              map[string]string
		Created                               string
	}
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil {
		t.Fatal(err)
	}
	issuer := map[string]string{"commonName": "intermediate", "organization": "example.com"}
	if diff := cmp.Diff(issuer, result.IssuedBy); diff != "" || result.CommonName != st.Email || result.Organization != st.Issuer ||
		result.Created != "2026-03-01T12:00:00Z" {
		t.Errorf("%+v, issuer (-want +got):\n%s", result, diff)
	}
	want := "verified (Verified): signed by " + st.Email + " (" + st.Issuer + "), trusted by --certificate-oidc-issuer\n" +
		"  image:          " + appDigest + "\n  signed by:      " + st.Email + "\n  identified by:  " + st.Issuer + "\n" +
		"  key:            " + result.PublicKeyID + "\n  created:        2026-03-01T12:00:00Z\n"
	if text := run("", args.args()...); text.stdout != want {
		t.Errorf("got\n%s\nwant\n%s", text.stdout, want)
	}
}

// TestVerifySignerUsage checks options that lack others, contradict each other or have no effect.
func TestVerifySignerUsage(t *testing.T) {
	in, base := signerFiles(t)
	base = base.with("signature", in("email.json"))
	issuer := flags{"certificate-oidc-issuer": {st.Issuer}}
	email := flags{"certificate-email": {st.Email}}
	root := flags{"trusted-root": {in("root.json")}}
	roots := flags{"ca-roots": {in("root.pem")}}
	key := flags{"trusted-key": {in("cosign.pub")}}
	with := func(all ...flags) flags {
		f := base
		for _, more := range all {
			f = f.and(more)
		}
		return f
	}
	tests := map[string]struct {
		flags flags
		want  string // Part of standard error.
	}{
		"no signer":               {base, "--trusted-key, --certificate-oidc-issuer or --ca-roots is needed"},
		"root alone":              {with(root), "--trusted-key, --certificate-oidc-issuer or --ca-roots is needed"},
		"issuer alone":            {with(issuer), "--certificate-oidc-issuer needs one of --certificate-email"},
		"two subjects":            {with(issuer, root, email, flags{"certificate-uri": {workflow}}), "needs one of --certificate-email"},
		"no root":                 {with(issuer, email), "needs --trusted-root, or --fulcio-ca and --rekor-key"},
		"CA without log":          {with(issuer, email, flags{"fulcio-ca": {in("ca.pem")}}), "needs --trusted-root, or --fulcio-ca and --rekor-key"},
		"log without CA":          {with(issuer, email, flags{"rekor-key": {in("rekor.pub")}}), "needs --trusted-root, or --fulcio-ca and --rekor-key"},
		"both roots":              {with(issuer, email, root, flags{"rekor-key": {in("rekor.pub")}}), "give --trusted-root, or --rekor-key and --fulcio-ca, not both"},
		"both kinds":              {with(issuer, email, root, roots), "give --certificate-oidc-issuer or --ca-roots, not both"},
		"email alone":             {with(key, email), "--certificate-email needs --certificate-oidc-issuer or --ca-roots"},
		"URI without issuer":      {with(key, flags{"certificate-uri": {workflow}}), "--certificate-uri needs --certificate-oidc-issuer"},
		"prefix without issuer":   {with(roots, flags{"certificate-uri-prefix": {"https://a/"}}), "--certificate-uri-prefix needs --certificate-oidc-issuer"},
		"username without issuer": {with(key, flags{"certificate-username": {"a"}}), "--certificate-username needs --certificate-oidc-issuer"},
		"claim without issuer":    {with(key, flags{"certificate-claim": {"a=b"}}), "--certificate-claim needs --certificate-oidc-issuer"},
		"CA without issuer":       {with(key, flags{"fulcio-ca": {in("ca.pem")}}), "--fulcio-ca needs --certificate-oidc-issuer"},
		"host without CA":         {with(key, flags{"certificate-hostname": {"a"}}), "--certificate-hostname needs --ca-roots"},
		"intermediates alone":     {with(key, flags{"ca-intermediates": {in("ca.pem")}}), "--ca-intermediates needs --ca-roots"},
		"CA without name":         {with(roots), "--ca-roots needs --certificate-email or --certificate-hostname"},
		"log for another CA":      {with(roots, email, root), "--trusted-root and --rekor-key need --trusted-key or --certificate-oidc-issuer"},
		"another type":            {with(issuer, email, root).with("type", "atomic"), "transparency logs and certificates are for --type sigstore"},
		"a log of another type":   {with(key, root).with("type", "atomic"), "transparency logs and certificates are for --type sigstore"},
		"unnamed":                 {with(key).with("unnamed-signatures", "Allow"), `--unnamed-signatures must be Reject or Accept, and is "Allow"`},
		"an open prefix":          {with(issuer, root, flags{"certificate-uri-prefix": {"https://github.com/org"}}), "a uriPrefix must be scheme://host/path and end with / or @"},
		"an unknown claim":        {with(issuer, root, email, flags{"certificate-claim": {"a=b"}}), "a claim is none of buildConfigDigest"},
		"a claim without value":   {with(issuer, root, email, flags{"certificate-claim": {"buildTrigger"}}), "--certificate-claim must be NAME=VALUE"},
		"a root that is not":      {with(issuer, email, flags{"trusted-root": {in("none")}}), "--trusted-root: open "},
		"a root that is none":     {with(issuer, email, flags{"trusted-root": {in("ca.pem")}}), "--trusted-root: " + in("ca.pem") + ": trusted root: "},
		"a key that is none":      {with(key, flags{"rekor-key": {in("ca.pem")}}), "--rekor-key: " + in("ca.pem") + ": the file is not one of PEM blocks PUBLIC KEY"},
		"a CA that is none":       {with(email, flags{"ca-roots": {in("rekor.pub")}}), "--ca-roots: " + in("rekor.pub") + ": the file is not one of PEM blocks CERTIFICATE"},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		tt := tests[name]
		t.Run(name, func(t *testing.T) {
			got := run("", tt.flags.args()...)
			if got.exit != cli.ExitError || got.stdout != "" || !strings.Contains(got.stderr, tt.want) {
				t.Errorf("exit code %d with %q and %q, want %q", got.exit, got.stdout, got.stderr, tt.want)
			}
		})
	}
}
