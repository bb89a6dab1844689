// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/testenv/corpus"
	"github.com/assay-project/assay/internal/verify"
)

// TestCorpus checks every case of the corpus that a policy can express against the verdict that a strict verifier
// gives.
func TestCorpus(t *testing.T) {
	now := time.Now()
	for _, c := range append(corpus.OpenPGP(t), corpus.SigstoreByKey(t)...) {
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
