// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/testenv/corpus"
	"github.com/assay-project/assay/internal/verify"
)

// TestCorpus checks every case of the corpus that a policy can express against the verdict that a strict verifier
// gives.
func TestCorpus(t *testing.T) {
	now := time.Now()
	for _, c := range append(corpus.OpenPGP(t), corpus.Sigstore(t)...) {
		t.Run(c.Name, func(t *testing.T) {
			in, ok := corpusInput(t, &c)
			if !ok {
				// That no policy can be made of the case is one way to say no.
				c.CheckVerdict(t, false)
				return
			}
			in.Now = now
			verdict := check(in)
			t.Logf("%s: %s (%s)", verdict.Outcome, verdict.Reason, verdict.Message)
			c.CheckVerdict(t, verdict.Outcome == verify.Verified)
			if diff := cmp.Diff(verdict, check(in)); diff != "" {
				t.Errorf("the second verdict differs from the first (-first +second):\n%s", diff)
			}
			claims := verdict.Signatures[0].Claims
			if (claims != nil) != (verdict.Outcome == verify.Verified) {
				t.Fatalf("outcome %s with claims %+v", verdict.Outcome, claims)
			}
			if claims != nil {
				c.CheckClaims(t, strings.TrimPrefix(claims.PublicKeyID, "0x"), claims.Identity)
			}
		})
	}
}

// corpusSigners adds the identity of a case of sigstore to its keys, and the log that these have to be in.
func corpusSigners(t *testing.T, c *corpus.Case, files []verify.NamedKeyFile) []verify.NamedKeyFile {
	t.Helper()
	p := &c.SigstorePolicy
	material := signature.Material{}
	read := func(kind signature.RootsKind, names ...string) {
		for _, name := range names {
			if name == "" {
				continue
			}
			file, err := signature.ParseRoots(kind, c.Read(t, name))
			if err != nil {
				t.Fatal(err)
			}
			material[kind] = append(material[kind], file)
		}
	}
	read(signature.RekorKeys, p.RekorKeyFiles...)
	if len(p.RekorKeyFiles) > 0 {
		for i := range files {
			file, err := signature.RequireLog(files[i].File, material)
			if err != nil {
				t.Fatal(err)
			}
			files[i].File = file
		}
	}
	signer := &assayv1alpha1.TrustedSigner{Name: "signer"}
	switch {
	case p.Fulcio != nil:
		read(signature.CACertificates, p.Fulcio.CAFile)
		signer.Fulcio = &assayv1alpha1.FulcioSigner{
			OIDCIssuer: p.Fulcio.OIDCIssuer, Subject: assayv1alpha1.FulcioSubject{Email: assayv1alpha1.EmailAddress(p.Fulcio.SubjectEmail)},
		}
	case p.PKI != nil:
		read(signature.CACertificates, p.PKI.CARootsFile)
		read(signature.Intermediates, p.PKI.CAIntermediatesFile)
		signer.PKI = &assayv1alpha1.PKISigner{Subject: assayv1alpha1.PKISubject{
			Email: assayv1alpha1.EmailAddress(p.PKI.SubjectEmail), Hostname: p.PKI.SubjectHostname,
		}}
	default:
		return files
	}
	file, err := signature.NewSigner(signer, material)
	if err != nil {
		t.Fatal(err)
	}
	return append(files, verify.NamedKeyFile{Entry: "signer", File: file})
}

// corpusInput reads the files of a case. It reports false when the identity rule is
// invalid.
func corpusInput(t *testing.T, c *corpus.Case) (verify.Input, bool) {
	t.Helper()
	matcher, err := imageref.NewMatcher(imageref.Rule{
		Match:            imageref.Match(c.Identity.Match()),
		DockerReference:  c.Identity.DockerReference,
		DockerRepository: c.Identity.DockerRepository,
		Prefix:           c.Identity.Prefix,
		SignedPrefix:     c.Identity.SignedPrefix,
	})
	if err != nil {
		t.Logf("the identity rule is invalid: %v", err)
		return verify.Input{}, false
	}
	policy := verify.Policy{Name: "corpus", Identity: matcher}
	var files []verify.NamedKeyFile
	for _, name := range c.TrustedKeyFiles() {
		file, err := signature.ParseKeyFile(signature.Formats(), c.Read(t, name))
		if err != nil {
			t.Logf("%s: %v", name, err)
			policy.UnavailableKeys = append(policy.UnavailableKeys, name)
			continue
		}
		files = append(files, verify.NamedKeyFile{Entry: name, File: file})
	}
	if c.SignatureType() == "sigstore" {
		files = corpusSigners(t, c, files)
	}
	policy.Trust = signature.NewTrust(signature.Formats(), files)
	manifest := verify.Manifest{Digest: digest.Digest(c.ManifestDigest)}
	if c.ManifestFile != "" {
		manifest = verify.ParseManifest(c.Read(t, c.ManifestFile), "")
	}
	return verify.Input{
		Policies: []verify.Policy{policy},
		Image: verify.Image{
			Reference:  verify.ParseReference(c.ImageReference),
			Manifest:   manifest,
			Signatures: []verify.Signature{{Type: c.SignatureType(), Content: c.Read(t, c.ContentFile)}},
		},
	}, true
}
