// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	gocmp "cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/internal/cli"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// TestVerifyDecisions checks exit code, outcome, reason and standard error.
func TestVerifyDecisions(t *testing.T) {
	dir, good := files(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	signed := func(name string, k *pgp.Key, payload []byte) string {
		if err := os.WriteFile(in(name), sign(k, payload), 0o600); err != nil {
			t.Fatal(err)
		}
		return in(name)
	}
	vendor := signed("vendor.sig", alice, payload(appDigest, "registry.vendor.example/app:v1"))
	const byDigest = "registry.example.com/team/app@"

	tests := map[string]struct {
		flags   flags
		exit    int
		reason  string
		message string   // Part of it.
		stderr  string   // Part of it; empty if there must be none.
		signer  *pgp.Key // Of a verified signature; nil for alice.
	}{
		"verified":                      {flags: good, reason: "Verified", message: "signed by Alice <alice@example.com> (" + keyID(alice) + "), trusted by --trusted-key"},
		"type AtomicImageV1":            {flags: good.with("type", "AtomicImageV1"), reason: "Verified"},
		"a binary key file":             {flags: good.with("trusted-key", in("alice.gpg")), reason: "Verified"},
		"several key files":             {flags: good.with("trusted-key", in("bob.asc"), in("alice.asc")), reason: "Verified"},
		"by digest":                     {flags: good.with("manifest").with("digest", appDigest), reason: "Verified"},
		"the key that is asked for":     {flags: good.with("public-key-id", keyID(alice)), reason: "Verified"},
		"the image by digest":           {flags: good.with("image", byDigest+appDigest), reason: "Verified"},
		"MatchExact":                    {flags: good.with("match-policy", "MatchExact"), reason: "Verified"},
		"MatchRepository":               {flags: good.with("match-policy", "MatchRepository").with("image", "registry.example.com/team/app:other"), reason: "Verified"},
		"ExactReference":                {flags: good.with("match-policy", "ExactReference").with("exact-reference", appReference).with("image", "mirror.internal/app"), reason: "Verified"},
		"ExactRepository":               {flags: good.with("match-policy", "ExactRepository").with("exact-repository", "registry.example.com/team/app").with("image", "mirror.internal/app"), reason: "Verified"},
		"RemapIdentity":                 {flags: good.with("match-policy", "RemapIdentity").with("remap-prefix", "registry.example.com/team").with("remap-signed-prefix", "registry.vendor.example").with("signature", vendor), reason: "Verified"},
		"one broken key file of two":    {flags: good.with("trusted-key", in("text"), in("alice.asc")), reason: "Verified", stderr: "assay: --trusted-key: " + in("text") + ": "},
		"a private key in the key file": {flags: good.with("trusted-key", in("alice-and-private.asc")), reason: "Verified", stderr: "private key block was skipped"},

		"a revocation in a file of its own": {
			flags: good.with("trusted-key", in("revocation.asc"), in("alice.asc")), exit: 1, reason: "KeyRevoked",
		},
		"a revocation and no key": {
			flags: good.with("trusted-key", in("revocation.asc")), exit: 2, reason: "KeysUnavailable", message: "--trusted-key has no keys",
		},
		"an expired key": {
			flags: good.with("signature", in("former.sig")).with("trusted-key", in("former.gpg")), exit: 1, reason: "KeyExpired",
		},
		"an expired key, rejecting": {
			flags: good.with("signature", in("former.sig")).with("trusted-key", in("former.gpg")).with("expired-keys", "Reject"), exit: 1, reason: "KeyExpired",
		},
		"an expired key, accepting what it signed before": {
			flags:  good.with("signature", in("former.sig")).with("trusted-key", in("former.gpg")).with("expired-keys", "AcceptSignaturesBeforeExpiry"),
			signer: former, reason: "Verified",
		},
		"altered":                  {flags: good.with("signature", in("altered.sig")), exit: 1, reason: "InvalidSignature"},
		"an empty signature":       {flags: good.with("signature", in("empty")), exit: 1, reason: "MalformedSignature", message: "the content is empty"},
		"garbage as a signature":   {flags: good.with("signature", in("binary")), exit: 1, reason: "MalformedSignature"},
		"a key as a signature":     {flags: good.with("signature", in("alice.gpg")), exit: 1, reason: "MalformedSignature", message: "an OpenPGP public key, not a signature"},
		"an armored signature":     {flags: good.with("signature", in("armored.sig")), exit: 1, reason: "MalformedSignature", message: "gpg --dearmor"},
		"an unknown key":           {flags: good.with("trusted-key", in("bob.asc")), exit: 1, reason: "UntrustedKey", message: "--trusted-key does not have key 0x"},
		"another key is asked for": {flags: good.with("public-key-id", keyID(bob)), exit: 1, reason: "PublicKeyIDMismatch", message: "--public-key-id asks for another key than " + keyID(alice)},
		"another manifest":         {flags: good.with("manifest", in("other.json")), exit: 1, reason: "DigestMismatch", message: "the signature is for " + appDigest},
		"another name":             {flags: good.with("image", "registry.example.com/team/app:v2"), exit: 1, reason: "IdentityMismatch"},
		"a name without a tag":     {flags: good.with("image", "registry.example.com/team/app"), exit: 1, reason: "IdentityMismatch", message: "neither tag nor digest"},
		"garbage as a manifest":    {flags: good.with("manifest", in("binary")), exit: 1, reason: "InvalidImage", message: "--manifest: "},
		"garbage as a manifest for a signature that is not checked": {flags: good.with("manifest", in("binary")).with("type", "cosign"), exit: 1, reason: "InvalidImage"},
		"the image by another digest": {
			flags: good.with("image", byDigest+"sha256:"+strings.Repeat("0", 64)), exit: 1, reason: "InvalidImage",
			message: "--manifest and --image state different digests",
		},
		"another digest than the image's": {
			flags: good.with("image", byDigest+appDigest).with("manifest").with("digest", "sha256:"+strings.Repeat("0", 64)), exit: 1, reason: "InvalidImage",
			message: "--digest and --image state different digests",
		},

		"an unknown type":      {flags: good.with("type", "cosign"), exit: 2, reason: "UnsupportedType"},
		"text as a key":        {flags: good.with("trusted-key", in("text")), exit: 2, reason: "KeysUnavailable", stderr: "assay: --trusted-key: " + in("text") + ": "},
		"an empty key file":    {flags: good.with("trusted-key", in("empty")), exit: 2, reason: "KeysUnavailable", stderr: in("empty")},
		"garbage as a key":     {flags: good.with("trusted-key", in("binary")), exit: 2, reason: "KeysUnavailable", stderr: in("binary")},
		"a signature as a key": {flags: good.with("trusted-key", in("app.sig")), exit: 2, reason: "KeysUnavailable", stderr: in("app.sig")},
		"an unknown key, and a file that could not be read": {
			flags: good.with("trusted-key", in("bob.asc"), in("text")), exit: 2, reason: "KeysUnavailable", message: in("text"), stderr: in("text"),
		},
	}
	outcomes := map[int]string{0: "verified", 1: "refused", 2: "could not be checked"}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := run("", tt.flags.with("output", "json").args()...)
			if got.exit != tt.exit {
				t.Errorf("exit code %d, want %d", got.exit, tt.exit)
			}
			if (got.stderr == "") != (tt.stderr == "") || !strings.Contains(got.stderr, tt.stderr) || strings.ContainsRune(got.stderr, '\x1b') {
				t.Errorf("standard error %q, want it to contain %q", got.stderr, tt.stderr)
			}
			d := got.decision(t)
			if !strings.Contains(d.Message, tt.message) || d.Message == "" {
				t.Errorf("message %q, want it to contain %q", d.Message, tt.message)
			}
			want := decision{Verified: tt.exit == 0, Outcome: outcomes[tt.exit], Reason: tt.reason, Message: d.Message, PublicKeyID: d.PublicKeyID}
			if want.Verified {
				want.ImageIdentity, want.PublicKeyID = appReference, keyID(gocmp.Or(tt.signer, alice))
				if tt.flags["signature"][0] == vendor {
					want.ImageIdentity = "registry.vendor.example/app:v1"
				}
			}
			if diff := cmp.Diff(want, d); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

// TestVerifyUsage checks invalid command lines: standard output is empty, and standard error has
// advice.
func TestVerifyUsage(t *testing.T) {
	dir, good := files(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	rule := func(name string) flags { return good.with("match-policy", name) }
	const hint = "\nRun \"assay verify --help\" for the options and examples.\n"

	tests := map[string]struct {
		args   []string
		stderr string // Complete for wrong usage, without the hint.
		file   bool   // An unreadable file: stderr is part of the error.
	}{
		"nothing":               {args: []string{"verify"}, stderr: "an image, --image-file or --signature is needed"},
		"no signature":          {args: good.with("signature").args(), stderr: "an image, --image-file or --signature is needed"},
		"an empty name":         {args: good.with("signature", "").args(), stderr: "an image, --image-file or --signature is needed"},
		"no key":                {args: good.with("trusted-key").args(), stderr: "--trusted-key, --certificate-oidc-issuer or --ca-roots is needed"},
		"no manifest":           {args: good.with("manifest").args(), stderr: "--manifest or --digest is needed"},
		"no image":              {args: good.with("image").args(), stderr: "--image is needed"},
		"manifest and digest":   {args: good.with("digest", appDigest).args(), stderr: "give --manifest or --digest, not both"},
		"an unknown flag":       {args: append(good.args(), "--force"), stderr: "unknown flag: --force"},
		"a flag without value":  {args: append(good.args(), "--output"), stderr: "flag needs an argument: --output"},
		"an argument":           {args: append(good.args(), "app.sig"), stderr: "give the image as an argument or by --image, not both"},
		"an unknown format":     {args: good.with("output", "xml").args(), stderr: `--output must be text, json or yaml, and is "xml"`},
		"a short digest":        {args: good.with("manifest").with("digest", "sha256:abc").args(), stderr: "--digest must be sha256: and 64 lower-case hexadecimal digits"},
		"a digest in capitals":  {args: good.with("manifest").with("digest", strings.ToUpper(appDigest)).args(), stderr: "--digest must be sha256: and 64 lower-case hexadecimal digits"},
		"another algorithm":     {args: good.with("manifest").with("digest", "sha512:"+strings.Repeat("0", 128)).args(), stderr: "--digest must be sha256: and 64 lower-case hexadecimal digits"},
		"an image that is none": {args: good.with("image", "HTTP://x").args(), stderr: `--image: "HTTP://x" is not an image reference: it starts with a scheme`},
		"a short key ID":        {args: good.with("public-key-id", "0x1234").args(), stderr: "--public-key-id must be 0x and a fingerprint or at least its lowest 16 hexadecimal digits"},
		"expired keys":          {args: good.with("expired-keys", "Accept").args(), stderr: `--expired-keys must be Reject or AcceptSignaturesBeforeExpiry, and is "Accept"`},

		"an unknown rule":           {args: rule("matchExact").args(), stderr: `--match-policy must be MatchRepoDigestOrExact, MatchExact, MatchRepository, ExactReference, ExactRepository or RemapIdentity, and is "matchExact"`},
		"no rule":                   {args: rule("").args(), stderr: `--match-policy must be MatchRepoDigestOrExact, MatchExact, MatchRepository, ExactReference, ExactRepository or RemapIdentity, and is ""`},
		"ExactReference alone":      {args: rule("ExactReference").args(), stderr: "--match-policy ExactReference needs --exact-reference"},
		"ExactRepository alone":     {args: rule("ExactRepository").args(), stderr: "--match-policy ExactRepository needs --exact-repository"},
		"RemapIdentity alone":       {args: rule("RemapIdentity").args(), stderr: "--match-policy RemapIdentity needs --remap-prefix"},
		"RemapIdentity, one prefix": {args: rule("RemapIdentity").with("remap-prefix", "a.example").args(), stderr: "--match-policy RemapIdentity needs --remap-signed-prefix"},
		"an option of another rule": {args: good.with("exact-reference", appReference).args(), stderr: "--exact-reference is for --match-policy ExactReference, and the rule is MatchRepoDigestOrExact"},
		"options of two rules":      {args: rule("ExactReference").with("exact-reference", appReference).with("remap-prefix", "a.example").args(), stderr: "--remap-prefix is for --match-policy RemapIdentity, and the rule is ExactReference"},
		"a reference without a tag": {args: rule("ExactReference").with("exact-reference", "a.example/b").args(), stderr: `--exact-reference: "a.example/b" has neither tag nor digest, so that no signature could match`},
		"a trailing slash": {
			args:   rule("RemapIdentity").with("remap-prefix", "a.example/").with("remap-signed-prefix", "b.example").args(),
			stderr: `--remap-prefix: "a.example/" is not a host[:port], namespace or repository, without a scheme, tag, digest or trailing slash`,
		},

		"a signature that is not there": {args: good.with("signature", in("none")).args(), file: true, stderr: "--signature: open " + in("none")},
		"a key that is not there":       {args: good.with("trusted-key", in("alice.asc"), in("none")).args(), file: true, stderr: "--trusted-key: open " + in("none")},
		"a manifest that is not there":  {args: good.with("manifest", in("none")).args(), file: true, stderr: "--manifest: open " + in("none")},
		"a folder as a signature":       {args: good.with("signature", dir).args(), file: true, stderr: "--signature: read " + dir},
		"a folder as a key":             {args: good.with("trusted-key", dir).args(), file: true, stderr: "--trusted-key: read " + dir},
		"a folder as a manifest":        {args: good.with("manifest", dir).args(), file: true, stderr: "--manifest: read " + dir},
		"an empty manifest":             {args: good.with("manifest", in("empty")).args(), file: true, stderr: "--manifest: " + in("empty") + ": the file is empty"},
		"a huge signature":              {args: good.with("signature", in("huge")).args(), file: true, stderr: in("huge") + " is larger than 8 MiB"},
		"a huge key":                    {args: good.with("trusted-key", in("huge")).args(), file: true, stderr: in("huge") + " is larger than 8 MiB"},
		"a huge manifest":               {args: good.with("manifest", in("huge")).args(), file: true, stderr: in("huge") + " is larger than 8 MiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := run("", tt.args...)
			if got.exit != cli.ExitError || got.stdout != "" {
				t.Errorf("exit code %d with %q, want 2 with nothing on standard output", got.exit, got.stdout)
			}
			if tt.file {
				if !strings.HasPrefix(got.stderr, "assay: ") || !strings.Contains(got.stderr, tt.stderr) || strings.Contains(got.stderr, hint) {
					t.Errorf("standard error %q, want it to contain %q", got.stderr, tt.stderr)
				}
				return
			}
			if diff := cmp.Diff("assay: "+tt.stderr+hint, got.stderr); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestVerifyOutput compares the whole output.
func TestVerifyOutput(t *testing.T) {
	dir, good := files(t)
	message := "signed by Alice <alice@example.com> (" + keyID(alice) + "), trusted by --trusted-key"
	altered := "the signature is not valid: content or signature was altered (key " + keyID(alice) + ")"
	tests := map[string]struct {
		flags flags
		text  string
		json  map[string]any
	}{
		"verified": {
			flags: good,
			text: "verified (Verified): " + message + `
  image:               ` + appDigest + `
  identity:            registry.example.com/team/app:v1
  signed by:           Alice <alice@example.com>
  key:                 ` + keyID(alice) + `
  created:             2025-06-01T00:00:01Z
  optional.creator:    assay test
  optional.timestamp:  1748736001
`,
			json: map[string]any{
				"verified":      true,
				"outcome":       "verified",
				"reason":        "Verified",
				"message":       message,
				"imageIdentity": appReference,
				"publicKeyID":   keyID(alice),
				"commonName":    "Alice <alice@example.com>",
				"signedClaims": map[string]any{
					"critical.type":                         "atomic container signature",
					"critical.image.docker-manifest-digest": appDigest,
					"critical.identity.docker-reference":    appReference,
					"optional.creator":                      "assay test",
					"optional.timestamp":                    "1748736001",
				},
				"created": "2025-06-01T00:00:01Z",
				"digest":  appDigest,
				"conditions": []any{
					map[string]any{"type": "Complete", "status": "True", "reason": "Verified", "message": message},
					map[string]any{"type": "Failed", "status": "False", "reason": "Verified", "message": message},
				},
			},
		},
		"refused": {
			flags: good.with("signature", filepath.Join(dir, "altered.sig")),
			text: "refused (InvalidSignature): " + altered + `
  image:        ` + appDigest + `
  claimed key:  ` + keyID(alice) + `
`,
			json: map[string]any{
				"verified":    false,
				"outcome":     "refused",
				"reason":      "InvalidSignature",
				"message":     altered,
				"publicKeyID": keyID(alice),
				"digest":      appDigest,
				"conditions": []any{
					map[string]any{"type": "Complete", "status": "False", "reason": "InvalidSignature", "message": altered},
					map[string]any{"type": "Failed", "status": "True", "reason": "InvalidSignature", "message": altered},
				},
			},
		},
		"could not be checked": {
			flags: good.with("type", "cosign"),
			text: "could not be checked (UnsupportedType): signatures of this type are not verified; supported types: AtomicImageV1, atomic, sigstore\n" +
				"  image:  " + appDigest + "\n",
			json: map[string]any{
				"verified": false,
				"outcome":  "could not be checked",
				"reason":   "UnsupportedType",
				"message":  "signatures of this type are not verified; supported types: AtomicImageV1, atomic, sigstore",
				"digest":   appDigest,
				"conditions": []any{
					map[string]any{"type": "Complete", "status": "Unknown", "reason": "UnsupportedType", "message": "signatures of this type are not verified; supported types: AtomicImageV1, atomic, sigstore"},
					map[string]any{"type": "Failed", "status": "Unknown", "reason": "UnsupportedType", "message": "signatures of this type are not verified; supported types: AtomicImageV1, atomic, sigstore"},
				},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.text, run("", tt.flags.args()...).stdout); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.text, run("", tt.flags.with("output", "text").args()...).stdout); diff != "" {
				t.Errorf("text, asked for (-want +got):\n%s", diff)
			}
			for format, unmarshal := range map[string]func([]byte, any) error{
				"json": json.Unmarshal,
				"yaml": func(data []byte, into any) error { return yaml.Unmarshal(data, into) },
			} {
				var got map[string]any
				if err := unmarshal([]byte(run("", tt.flags.with("output", format).args()...).stdout), &got); err != nil {
					t.Fatalf("%s: %v", format, err)
				}
				if diff := cmp.Diff(tt.json, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", format, diff)
				}
			}
		})
	}
}

// TestVerifyStandardInput reads the signature from a pipe.
func TestVerifyStandardInput(t *testing.T) {
	_, good := files(t)
	piped := good.with("signature", "-").with("output", "json")
	content := string(sign(alice, payload(appDigest, appReference)))
	if got := run(content, piped.args()...); got.exit != cli.ExitOK || !got.decision(t).Verified {
		t.Errorf("a good signature: %+v", got)
	}
	if got := run("", piped.args()...); got.exit != cli.ExitRefused || got.decision(t).Reason != "MalformedSignature" {
		t.Errorf("nothing: %+v", got)
	}
	if got := run(strings.Repeat("x", 9<<20), piped.args()...); got.exit != cli.ExitError || !strings.Contains(got.stderr, "standard input is larger than 8 MiB") {
		t.Errorf("too much: %+v", got)
	}
}

// brokenPipe is a standard output without a reader.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestVerifyUnwrittenResult checks that a decision that could not be printed is not a success.
func TestVerifyUnwrittenResult(t *testing.T) {
	_, good := files(t)
	for _, format := range []string{"text", "json", "yaml"} {
		var stderr strings.Builder
		exit := cli.Main(good.with("output", format).args(), strings.NewReader(""), brokenPipe{}, &stderr)
		if exit != cli.ExitError || stderr.String() != "assay: writing the result: broken pipe\n" {
			t.Errorf("%s: exit code %d with %q", format, exit, stderr.String())
		}
	}
}
