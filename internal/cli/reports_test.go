// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/cli"
	"github.com/assay-project/assay/internal/testenv/corpus"
)

// reported is a command line with an input of a public bug report, and what is right.
type reported struct {
	args []string
	exit int
	// want are parts of both outputs together, and never what none of them may have.
	want, never []string
}

// verified is a signature that has to be accepted, of the reports' manifest under their name.
func verified(signature, key string, want ...string) reported {
	return reported{verifying(signature, key), cli.ExitOK, append(want, "verified (Verified)"), nil}
}

// verifying is the command line for a signature of the reports.
func verifying(signature, key string, more ...string) []string {
	return append([]string{"verify", "--signature", signature, "--trusted-key", key, "--manifest", "manifest.json",
		"--image", "registry.example.com/team/app:v1"}, more...)
}

// TestReports runs the inputs of public bug reports that fell short once.
func TestReports(t *testing.T) {
	for report, runs := range reports() {
		t.Run(report, func(t *testing.T) {
			directory, ok := corpus.Report(t, report)
			if !ok {
				return
			}
			t.Chdir(directory)
			for _, r := range runs {
				r.check(t)
			}
		})
	}
}

func (r *reported) check(t *testing.T) {
	t.Helper()
	for i, arg := range r.args {
		switch {
		case arg == "LARGE":
			r.args[i] = largeManifest(t)
		case strings.HasSuffix(arg, "@DIGEST"):
			manifest, err := os.ReadFile("manifest.json")
			if err != nil {
				t.Fatal(err)
			}
			r.args[i] = strings.TrimSuffix(arg, "DIGEST") + fmt.Sprintf("sha256:%x", sha256.Sum256(manifest))
		}
	}
	got := run("", r.args...)
	all := got.stdout + got.stderr
	if got.exit != r.exit {
		t.Errorf("%q: exit status %d, want %d: %s", r.args, got.exit, r.exit, all)
	}
	for _, want := range r.want {
		if !strings.Contains(all, want) {
			t.Errorf("%q: want %q in\n%s", r.args, want, all)
		}
	}
	for _, never := range r.never {
		if strings.Contains(all, never) {
			t.Errorf("%q: %q is in\n%s", r.args, never, all)
		}
	}
}

// largeManifest writes the manifest that a report describes: one of many layers.
func largeManifest(t *testing.T) string {
	t.Helper()
	layers := make([]string, 1800)
	for i := range layers {
		layers[i] = fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%064x","size":%d}`, i+1, i+1)
	}
	name := filepath.Join(t.TempDir(), "manifest.json")
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",` +
		`"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[` + strings.Join(layers, ",") + `]}`
	if err := os.WriteFile(name, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// reports are the command lines by the report's name.
func reports() map[string][]reported {
	const (
		missing   = cli.ExitError // A key is not at hand.
		byDigest  = "registry.example.com/team/app@DIGEST"
		escaped   = `line breaks are written as \n`
		colon     = "remove the colon to revoke the key"
		converted = "kind: TrustPolicy"
	)
	create := []string{"image", "create", byDigest, "--lookaside", "st"}
	convert := func(exit int, file string, want ...string) reported {
		return reported{[]string{"policy", "convert", file}, exit, want, nil}
	}
	return map[string][]reported{
		"02-mldsa-v6": {
			{verifying("mldsa87.sig", "a.asc"), cli.ExitRefused, []string{"UntrustedKey", "add the key if you trust its owner"}, []string{"Weak", "weak"}},
			verified("mldsa87.sig", "mldsa87.asc"), verified("mldsa65.sig", "mldsa65.asc"), verified("mldsa87.sig", "both.asc"), verified("s1", "both.asc"),
			{create, cli.ExitOK, []string{"kind: Image"}, []string{"left out"}},
		},
		"03-lookaside-html": {{create, cli.ExitOK, []string{"kind: Image", "has a file signature-2 that is a web page; it is left out"}, nil}},
		"05-keys-glued":     {verified("s1", "ab.asc", "Alpha"), verified("sb", "ab.asc", "Beta")},
		"07-subkey-only": {
			verified("sub.sig", "short.asc"), verified("sub.sig", "subonly.asc"), verified("sub.sig", "full.asc"), verified("old-sub.sig", "both-extended.asc"),
			{verifying("old-sub.sig", "sub-extended-primary-expired.asc"), cli.ExitRefused, []string{"KeyExpired"}, nil},
		},
		"18-large-manifest": {{[]string{"image", "create", "registry.example.com/team/big:v1", "--manifest", "LARGE", "--signature", "big.sig"},
			cli.ExitOK, []string{"add --server-side"}, []string{"is for another image"}}},
		"20-tag-and-digest": {verified("s1", "a.asc"), {verifying("s1", "a.asc", "--image", "registry.example.com/team/app:v1@DIGEST"), cli.ExitOK, []string{"verified (Verified)"}, nil}},
		"26-policy-json-forms": {
			convert(cli.ExitError, "trailing-comma.json", "byte 198"), convert(cli.ExitError, "missing-comma.json", "byte 205", "comma"),
			convert(cli.ExitError, "comment.json", "comment"), convert(cli.ExitError, "duplicate.json", "duplicate"), convert(cli.ExitOK, "bom.json", converted),
		},
		"27-trust-set-scope": {convert(cli.ExitOK, "policy.json", converted, `"containers-storage": left out`)},
		"31-key-double-base64": {
			{verifying("s1", "double.txt"), missing, []string{"base64 of an OpenPGP public key", "base64 -d"}, nil},
			{verifying("s1", "keydata.txt"), missing, []string{"base64 of an OpenPGP public key"}, nil},
			{verifying("s1", "folded.txt"), missing, []string{"lost its line breaks"}, nil},
			{verifying("s1", "escaped.txt"), missing, []string{escaped}, nil},
			verified("s1", "crlf.asc"),
		},
		"32-problem-hidden": {
			verified("s1", "key-and-rev.asc", colon),
			{verifying("s1", "key-and-rev.asc", "-o", "json"), cli.ExitOK, []string{`"warnings"`, colon}, nil},
			{verifying("s1", "key-and-rev-nocolon.asc"), cli.ExitRefused, []string{"KeyRevoked"}, nil},
			{verifying("s1", "rev-colon.txt"), missing, []string{colon}, nil},
		},
	}
}
