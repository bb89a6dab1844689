// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/testenv/corpus"
	"github.com/assay-project/assay/internal/verify"
)

// reportsNow is when the reports were made.
var reportsNow = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// imageFile is what a verdict depends on of an Image in a file.
type imageFile struct {
	Metadata                                                                struct{ Name string }
	DockerImageReference, DockerImageManifest, DockerImageManifestMediaType string
	Signatures                                                              []struct {
		Type    string
		Content []byte
	}
}

// reportInput reads an Image and the keys that a policy for it has.
func reportInput(t *testing.T, directory, name string, keys ...string) verify.Input {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var file imageFile
	if err := json.Unmarshal(read(name), &file); err != nil {
		t.Fatal(err)
	}
	in := verify.Input{Now: reportsNow, Image: verify.Image{
		Name:      file.Metadata.Name,
		Reference: verify.ParseReference(file.DockerImageReference),
		Manifest:  verify.ParseManifest([]byte(file.DockerImageManifest), file.DockerImageManifestMediaType),
	}}
	for _, s := range file.Signatures {
		in.Image.Signatures = append(in.Image.Signatures, verify.Signature{Type: s.Type, Content: s.Content})
	}
	var files []verify.NamedKeyFile
	for _, key := range keys {
		parsed, err := signature.ParseKeyFile(signature.Formats(), read(key))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, verify.NamedKeyFile{Entry: key, File: parsed})
	}
	in.Policies = []verify.Policy{{
		Name: "team", Trust: signature.NewTrust(signature.Formats(), files), Identity: matcher(t, imageref.Rule{}),
	}}
	return in
}

// TestReports checks the verdicts on Images from public bug reports, and that their messages say
// what is right.
func TestReports(t *testing.T) {
	const alpha, beta = "../common/a.asc", "../common/b.asc"
	tests := []struct {
		report, image string
		keys          []string
		reason        string
		verified      int
		message       []string
	}{
		{"02-mldsa-v6", "image-nokey.json", []string{beta}, "UntrustedKey", 0, []string{"add the key if you trust its owner"}},
		{"10-two-names", "tagv2.json", []string{alpha}, "IdentityMismatch", 0, []string{
			`signed as "registry.example.com/team/app:latest", "registry.example.com/team/app:v1"`, `expects "registry.example.com/team/app:v2"`}},
		{"10-two-names", "taglatest.json", []string{alpha}, "Verified", 1, nil},
		{"11-index-children", "image-index.json", []string{alpha}, "DigestMismatch", 0, []string{"index of images", "sign the index itself"}},
		{"11-index-children", "image-index-unsigned.json", []string{alpha}, "NoSignatures", 0, []string{"index of images", "sign the index itself"}},
		{"13-underscore", "image.json", []string{alpha}, "InvalidImage", 0, []string{"host names have no underscore"}},
	}
	for _, tt := range tests {
		t.Run(tt.report+"/"+tt.image, func(t *testing.T) {
			directory, ok := corpus.Report(t, tt.report)
			if !ok {
				return
			}
			got := check(reportInput(t, directory, tt.image, tt.keys...))
			if got.Reason != tt.reason || got.VerifiedSignatures() != tt.verified {
				t.Errorf("%s, %d verified; want %s, %d: %s", got.Reason, got.VerifiedSignatures(), tt.reason, tt.verified, got.Message)
			}
			for _, want := range tt.message {
				if !strings.Contains(got.Message, want) {
					t.Errorf("message %q, want %q in it", got.Message, want)
				}
			}
		})
	}
}
