// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/refusals"
	"github.com/assay-project/assay/internal/verify"
)

// FuzzCheck gives Check any content, names and key ID. Without policies nothing is
// verified; with one, only what a trusted key has signed for this very image, and nothing
// makes the verifier fail, or say something else the second time.
func FuzzCheck(f *testing.F) {
	app := payload(appDigest, appReference)
	for _, content := range [][]byte{
		nil, alice.sign(app), bob.sign(app), expiring.sign(app), revoked.sign(app), version6.sign(app),
		firstSubkey.sign(app), alice.sign(payload(otherDigest, appReference)), alice.sign(`{"critical":{}}`),
	} {
		f.Add(content, "app", appReference, "")
		f.Add(content, "sha256-"+appDigest.Encoded(), "registry.example.com/team/app@"+appDigest.String(), alice.claimed())
	}
	for _, content := range messageVectors(f) {
		f.Add(content, "app", "example.com/app:1", "0x0123456789abcdef")
	}
	keys := trust(f, alice, expiring, revoked, version6, firstSubkey)
	rule := matcher(f, imageref.Rule{})

	f.Fuzz(func(t *testing.T, content []byte, name, reference, publicKeyID string) {
		in := verify.Input{Now: now, Image: verify.Image{
			Name: name, Reference: verify.ParseReference(reference), Manifest: verify.Manifest{Digest: appDigest},
			Signatures: []verify.Signature{{Type: "atomic", Content: content, PublicKeyID: publicKeyID}},
		}}
		without := check(in)
		if without.Outcome == verify.Verified || without.Signatures[0].Outcome == verify.Verified {
			t.Fatalf("verified without a policy: %+v", without)
		}
		in.Policies = []verify.Policy{{Name: "fuzz", Trust: keys, Identity: rule, ID: 1}}
		v := check(in)
		var cache refusals.Cache
		for range 2 {
			memory := cache.Of(name)
			in.Refusals, in.RevokedKeysID = memory, 1
			if diff := cmp.Diff(v, check(in)); diff != "" {
				t.Fatalf("the verdict differs from one with a memory:\n%s", diff)
			}
			memory.Keep()
		}
		for _, each := range []*verify.Verdict{&without, &v} {
			checkMessages(t, each)
			if each.RecoveredPanics != 0 {
				t.Fatalf("the content makes the verifier panic: %q", content)
			}
		}
		if diff := cmp.Diff(v, check(in)); diff != "" {
			t.Fatalf("the second verdict differs from the first:\n%s", diff)
		}
		s := &v.Signatures[0]
		verified := v.Outcome == verify.Verified
		if (s.Claims != nil) != verified || (s.Outcome == verify.Verified) != verified || (v.Reason == "Verified") != verified {
			t.Fatalf("parts of the verdict disagree: %+v", v)
		}
		if verified && (s.Claims.Signed["critical.image.docker-manifest-digest"] != appDigest.String() || v.Digest != appDigest) {
			t.Fatalf("verified for another digest: %+v", v)
		}
	})
}

// messageVectors returns the contents of the vectors of package openpgp: a header, an
// empty line, base64.
func messageVectors(f *testing.F) [][]byte {
	paths, err := filepath.Glob("../openpgp/testdata/messages/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	if len(paths) == 0 {
		f.Fatal("there are no vectors to begin with")
	}
	var contents [][]byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := strings.Cut(string(data), "\n\n")
		content, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			f.Fatalf("%s: %v", path, err)
		}
		contents = append(contents, content)
	}
	return contents
}
