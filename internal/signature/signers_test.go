// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package signature_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/signature"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/verify"
)

// ci is an instance of sigstore with an identity and a key of its own.
type ci struct {
	*st.Instance
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newCI(t *testing.T) *ci {
	t.Helper()
	return &ci{Instance: st.New(t), t: t, key: st.NewKey(t, elliptic.P256())}
}

// root is the instance's trusted root, after a change.
func (c *ci) root(change func(st.Object)) signature.Material {
	c.t.Helper()
	doc := c.TrustedRoot(c.t)
	change(doc)
	file, err := signature.ParseRoots(signature.TrustedRoot, st.JSON(c.t, doc))
	if err != nil {
		c.t.Fatal(err)
	}
	return signature.Material{signature.TrustedRoot: {file}}
}

func whole(st.Object) {}

// signer is an entry for an email address.
func (c *ci) signer(name, email string, root signature.Material) verify.NamedKeyFile {
	c.t.Helper()
	file, err := signature.NewSigner(&assayv1alpha1.TrustedSigner{
		Name: assayv1alpha1.EntryName(name),
		Fulcio: &assayv1alpha1.FulcioSigner{
			OIDCIssuer: st.Issuer, Subject: assayv1alpha1.FulcioSubject{Email: assayv1alpha1.EmailAddress(email)},
		},
	}, root)
	if err != nil {
		c.t.Fatal(err)
	}
	return verify.NamedKeyFile{Entry: name, File: file}
}

// keys is an entry with the instance's key, in its log if there is material.
func (c *ci) keys(log signature.Material) verify.NamedKeyFile {
	c.t.Helper()
	file, err := signature.ParseKeyFile(formats(), st.PublicPEM(c.t, c.key))
	if err == nil && log != nil {
		file, err = signature.RequireLog(file, log)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return verify.NamedKeyFile{Entry: "key", File: file}
}

// certified makes a signature by a new key that Fulcio has certified for Email. It names the image
// only with a name.
func (c *ci) certified(name string) verify.Signature {
	c.t.Helper()
	key := st.NewKey(c.t, elliptic.P256())
	certificate := c.Certify(c.t, key, st.Leaf())
	subject := st.Object{"digest": st.Object{"sha256": imageDigest.Encoded()}}
	if name != "" {
		subject["name"] = name
	}
	statement := st.JSON(c.t, st.Object{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": st.PredicateSign, "subject": []st.Object{subject},
	})
	signed := st.Sign(c.t, key, st.PAE(statement))
	entry := c.RekorV1.Entry(c.t, st.DSSE1(c.t, statement, signed, st.CertificatePEM(certificate)))
	return verify.Signature{Type: "sigstore", Content: st.JSON(c.t, st.Envelope(st.Bundle03, statement, signed, st.Object{
		"certificate": st.Raw(certificate), "tlogEntries": []st.Object{entry},
	}))}
}

// byKey makes a signature by the instance's key, without a log.
func (c *ci) byKey() verify.Signature {
	c.t.Helper()
	payload := st.Payload(c.t, imageDigest.String(), reference)
	return verify.Signature{Type: "sigstore", Content: st.Blob(c.t, payload, st.Sign(c.t, c.key, payload), nil)}
}

// checkWith is the verdict of a policy that trusts files.
func checkWith(t *testing.T, files []verify.NamedKeyFile, change func(*verify.Policy), signatures ...verify.Signature) verify.Verdict {
	t.Helper()
	p := policy(t)
	p.Trust = signature.NewTrust(formats(), files)
	change(&p)
	verifier := verify.New(formats()...)
	in := verify.Input{
		Now: st.Time.AddDate(0, 1, 0), Policies: []verify.Policy{p},
		Image: verify.Image{
			Name: "app", Reference: verify.ParseReference(reference),
			Manifest: verify.Manifest{Digest: imageDigest}, Signatures: signatures,
		},
	}
	return verifier.Check(in)
}

// TestIdentityVerdict checks messages and claims of a signature by an identity.
func TestIdentityVerdict(t *testing.T) {
	c := newCI(t)
	got := checkWith(t, []verify.NamedKeyFile{c.signer("dev", st.Email, c.root(whole))}, func(*verify.Policy) {}, c.certified(reference))
	want := verify.Finding{Outcome: verify.Verified, Reason: "Verified", Message: "signed by 1 trusted signer; TrustPolicy team requires 1"}
	if diff := cmp.Diff(want, got.Finding); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
	s := got.Signatures[0]
	want.Message = "signed by " + st.Email + " (" + st.Issuer + "), trusted by TrustPolicy team"
	if diff := cmp.Diff(want, s.Finding); diff != "" {
		t.Errorf("signature (-want +got):\n%s", diff)
	}
	claims := verify.Claims{
		Identity: reference, Created: st.Time, PublicKeyID: s.Claims.PublicKeyID, Signed: s.Claims.Signed,
		Subject: verify.Entity{CommonName: st.Email, Organization: st.Issuer},
		Issuer:  verify.Entity{CommonName: "intermediate", Organization: "example.com"},
	}
	if diff := cmp.Diff(&claims, s.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

// TestIdentities checks how entries of all kinds count, and what may be missing.
func TestIdentities(t *testing.T) {
	c := newCI(t)
	root := c.root(whole)
	dev, nobody := c.signer("dev", st.Email, root), c.signer("nobody", "nobody@example.com", root)
	noTSA := c.signer("dev", st.Email, c.root(func(doc st.Object) { delete(doc, "ctlogs") }))
	named, again, unnamed := c.certified(reference), c.certified(reference), c.certified("")
	other := c.certified("registry.example.com/team/other:v1")
	type policies = func(*verify.Policy)
	plain := func(*verify.Policy) {}
	two := func(p *verify.Policy) { p.RequiredSignatures = 2 }
	accepting := func(p *verify.Policy) { p.AcceptUnnamed = true }
	missing := func(p *verify.Policy) { p.UnavailableKeys = []string{"gone"} }
	list := func(files ...verify.NamedKeyFile) []verify.NamedKeyFile { return files }
	by := func(signatures ...verify.Signature) []verify.Signature { return signatures }
	tests := map[string]struct {
		files      []verify.NamedKeyFile
		policy     policies
		signatures []verify.Signature
		outcome    verify.Outcome
		reason     string
		message    string // Part of it.
	}{
		"one identity":                       {list(dev), plain, by(named), verify.Verified, "Verified", ""},
		"one of two":                         {list(nobody, dev), plain, by(named), verify.Verified, "Verified", ""},
		"two certificates of one identity":   {list(dev), two, by(named, again), verify.Refused, "InsufficientSignatures", "signed by 1 trusted signer; "},
		"an identity and a key":              {list(dev, c.keys(nil)), two, by(named, c.byKey()), verify.Verified, "Verified", "signed by 2 trusted signers"},
		"an identity that is not trusted":    {list(nobody), plain, by(named), verify.Refused, "SignerMismatch", "certificate is for"},
		"a missing root of another entry":    {list(nobody), missing, by(named), verify.CouldNotCheck, "KeysUnavailable", "unavailable: gone"},
		"a missing root, and a mere key":     {list(nobody), missing, by(c.byKey()), verify.CouldNotCheck, "KeysUnavailable", ""},
		"a root without what is needed":      {list(noTSA), plain, by(named), verify.CouldNotCheck, "RootsUnavailable", "certificate transparency"},
		"a key and no identity":              {list(dev), plain, by(c.byKey()), verify.Refused, "UntrustedKey", "no certificate"},
		"a key in no log":                    {list(c.keys(root)), plain, by(c.byKey()), verify.Refused, "NoLogEntry", ""},
		"a key in a log or without, twice":   {list(c.keys(root), verify.NamedKeyFile{Entry: "a", File: c.keys(nil).File}), plain, by(c.byKey()), verify.Verified, "Verified", ""},
		"no name":                            {list(dev), plain, by(unnamed), verify.Refused, "IdentityMismatch", "unnamedSignatures"},
		"no name, accepted":                  {list(dev), accepting, by(unnamed), verify.Verified, "Verified", ""},
		"another name, where none is needed": {list(dev), accepting, by(other), verify.Refused, "IdentityMismatch", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := checkWith(t, tt.files, tt.policy, tt.signatures...)
			if got.Outcome != tt.outcome || got.Reason != tt.reason || !strings.Contains(got.Message, tt.message) {
				t.Errorf("%+v, want %s (%s) with %q", got.Finding, tt.outcome, tt.reason, tt.message)
			}
		})
	}
}
