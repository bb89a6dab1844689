// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/cli"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// Times in seconds since the epoch.
const (
	keyTime = 1735689600 // 2025-01-01
	sigTime = 1748736000 // 2025-06-01
)

// The image of the tests.
const (
	appReference = "registry.example.com/team/app:v1"
	appManifest  = `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json"},"layers":[]}`
)

var (
	appDigest = digest.FromString(appManifest).String()

	alice = pgp.Ed25519(4, keyTime, "cli alice")
	bob   = pgp.Ed25519(4, keyTime, "cli bob")

	// former signed with a key that expired later, on 2025-07-01.
	former            = pgp.Ed25519(4, keyTime, "cli former")
	formerCertificate = former.Certificate(former.User("Former <former@example.com>", former.Standard(pgp.TypePositiveCert, keyTime,
		pgp.Flags(pgp.FlagCertify|pgp.FlagSign), pgp.Sub32(pgp.SubKeyExpires, 181*24*60*60))))
)

// keyID returns 0x and the fingerprint of a key.
func keyID(k *pgp.Key) string { return "0x" + strings.ToUpper(hex.EncodeToString(k.Fingerprint())) }

func payload(manifestDigest, reference string) []byte {
	return fmt.Appendf(nil, `{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},`+
		`"identity":{"docker-reference":%q}},"optional":{"creator":"assay test","timestamp":1748736001}}`, manifestDigest, reference)
}

func sign(k *pgp.Key, payload []byte) []byte {
	return k.Message(k.Standard(pgp.TypeBinary, sigTime), payload)
}

// flags is a command line of `assay verify`: values by the flag's name.
type flags map[string][]string

// with returns the flags with the given values for one name; without values, the name is removed.
func (f flags) with(name string, values ...string) flags {
	changed := maps.Clone(f)
	changed[name] = values
	return changed
}

func (f flags) args() []string {
	args := []string{"verify"}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		for _, value := range f[name] {
			args = append(args, "--"+name, value)
		}
	}
	return args
}

// files writes the files of the tests. It returns their directory and the flags for a verified
// signature.
func files(t *testing.T) (string, flags) {
	t.Helper()
	directory := t.TempDir()
	for name, content := range map[string][]byte{
		"app.sig":        sign(alice, payload(appDigest, appReference)),
		"armored.sig":    pgp.Armor("PGP MESSAGE", sign(alice, payload(appDigest, appReference))),
		"altered.sig":    bytes.Replace(sign(alice, payload(appDigest, appReference)), []byte("app:v1"), []byte("app:v2"), 1),
		"alice.asc":      pgp.Armor("PGP PUBLIC KEY BLOCK", alice.Simple("Alice <alice@example.com>")),
		"alice.gpg":      alice.Simple("Alice <alice@example.com>"),
		"former.sig":     sign(former, payload(appDigest, appReference)),
		"former.gpg":     formerCertificate,
		"revocation.asc": pgp.Armor("PGP PUBLIC KEY BLOCK", alice.Direct(alice.Standard(pgp.TypeKeyRevocation, sigTime))),
		"bob.asc":        pgp.Armor("PGP PUBLIC KEY BLOCK", bob.Simple("Bob <bob@example.com>")),
		"manifest.json":  []byte(appManifest),
		"other.json":     []byte(`{"schemaVersion":2,"manifests":[]}`),
		"empty":          {},
		"binary":         bytes.Repeat([]byte{0xff, 0x00, 0x1b, '[', 'J'}, 2000),
		"text":           []byte("root:x:0:0:root:/root:/bin/bash\n"),
		"alice-and-private.asc": slices.Concat(pgp.Armor("PGP PRIVATE KEY BLOCK", []byte{1}),
			pgp.Armor("PGP PUBLIC KEY BLOCK", alice.Simple("Alice <alice@example.com>"))),
	} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	huge := filepath.Join(directory, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Sparse: takes no disk space.
	if err := os.Truncate(huge, 64<<30); err != nil {
		t.Fatal(err)
	}
	return directory, flags{
		"signature":   {filepath.Join(directory, "app.sig")},
		"trusted-key": {filepath.Join(directory, "alice.asc")},
		"manifest":    {filepath.Join(directory, "manifest.json")},
		"image":       {appReference},
	}
}

// ran is the result of a command line.
type ran struct {
	exit           int
	stdout, stderr string
}

func run(stdin string, args ...string) ran {
	var stdout, stderr bytes.Buffer
	exit := cli.Main(args, strings.NewReader(stdin), &stdout, &stderr)
	return ran{exit, stdout.String(), stderr.String()}
}

// decision is the part of the JSON output that most tests check.
type decision struct {
	Verified      bool
	Outcome       string
	Reason        string
	Message       string
	ImageIdentity string
	PublicKeyID   string
}

func (r ran) decision(t *testing.T) decision {
	t.Helper()
	var d decision
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil {
		t.Fatalf("standard output is not JSON: %v\n%s\nstandard error:\n%s", err, r.stdout, r.stderr)
	}
	return d
}
