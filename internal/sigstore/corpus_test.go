// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/sigstore"
	"github.com/assay-project/assay/internal/testenv/corpus"
)

// TestCorpus checks every case of the corpus: who signed, which digest, which name.
func TestCorpus(t *testing.T) {
	now := time.Now()
	for _, c := range corpus.Sigstore(t) {
		t.Run(c.Name, func(t *testing.T) {
			name, ok := verifyCase(t, &c, now)
			c.CheckVerdict(t, ok)
			if ok {
				c.CheckClaims(t, "", name)
			}
		})
	}
}

// verifyCase reports whether the signature of a case is for its image, and returns the signed name.
func verifyCase(t *testing.T, c *corpus.Case, now time.Time) (name string, ok bool) {
	t.Helper()
	digest := c.ManifestDigest
	if c.ManifestFile != "" {
		info, err := manifest.Inspect(c.Read(t, c.ManifestFile))
		if err != nil {
			t.Logf("manifest: %v", err)
			return "", false
		}
		digest = info.Digest.String()
	}
	s, err := sigstore.Parse(c.Read(t, c.ContentFile))
	if err != nil {
		t.Logf("%s: %v", sigstore.AsError(err).Code, err)
		return "", false
	}
	v, err := s.Authenticate([]*sigstore.Authority{caseAuthority(t, c)}, sigstore.Input{Now: now})
	if err != nil {
		t.Logf("%s: %v", sigstore.AsError(err).Code, err)
		return "", false
	}
	matcher, err := imageref.NewMatcher(imageref.Rule{
		Match: imageref.Match(c.Identity.Match()), DockerReference: c.Identity.DockerReference,
		DockerRepository: c.Identity.DockerRepository, Prefix: c.Identity.Prefix, SignedPrefix: c.Identity.SignedPrefix,
	})
	if err != nil {
		t.Fatal(err)
	}
	image, err := imageref.ParseImage(c.ImageReference)
	if err != nil {
		t.Fatal(err)
	}
	signed := v.Statements[0]
	if !slices.Contains(signed.Digests, digest) {
		t.Logf("signed is %v, and the image is %s", signed.Digests, digest)
		return "", false
	}
	if err := matcher.Match(image, signed.Name); err != nil {
		t.Log(err)
		return "", false
	}
	return signed.Name, true
}

// caseAuthority returns what a case trusts.
func caseAuthority(t *testing.T, c *corpus.Case) *sigstore.Authority {
	t.Helper()
	p := &c.SigstorePolicy
	a := &sigstore.Authority{Name: "case"}
	for _, name := range p.KeyFiles {
		keys, err := sigstore.ParseKeys(c.Read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		a.Keys = append(a.Keys, keys...)
	}
	var rekor, ca []byte
	for _, name := range p.RekorKeyFiles {
		rekor = append(rekor, c.Read(t, name)...)
	}
	if p.Fulcio != nil {
		ca = c.Read(t, p.Fulcio.CAFile)
	}
	var roots *sigstore.Roots
	if len(rekor) > 0 {
		var err error
		if roots, err = sigstore.ParseRoots(ca, rekor); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case p.Fulcio != nil:
		a.Fulcio = &sigstore.Fulcio{Roots: roots, Issuer: p.Fulcio.OIDCIssuer, Subject: sigstore.Subject{Email: p.Fulcio.SubjectEmail}}
	case p.PKI != nil:
		a.PKI = &sigstore.PKI{Email: p.PKI.SubjectEmail, Hostname: p.PKI.SubjectHostname}
		var err error
		if a.PKI.Roots, err = sigstore.ParseCertificates(c.Read(t, p.PKI.CARootsFile)); err != nil {
			t.Fatal(err)
		}
		if p.PKI.CAIntermediatesFile != "" {
			if a.PKI.Intermediates, err = sigstore.ParseCertificates(c.Read(t, p.PKI.CAIntermediatesFile)); err != nil {
				t.Fatal(err)
			}
		}
	default:
		a.Log = roots
	}
	return a
}
