// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

const (
	testKeyTime = 1704067200
	testFlags   = pgp.FlagCertify | pgp.FlagSign
	publicLabel = "PGP PUBLIC KEY BLOCK"
)

var (
	testAlice = pgp.Ed25519(4, testKeyTime, "alice")
	testBob   = pgp.Ed25519(4, testKeyTime, "bob")
	testV6    = pgp.Ed25519(6, testKeyTime, "v6")
)

// keyFileResult is a key file for comparison: with user IDs in place of certificates.
type keyFileResult struct {
	UserIDs, Problems []string
	Err               string
}

func parseKeys(data []byte) keyFileResult {
	var got keyFileResult
	file, err := ParseKeyFile(data)
	if err != nil {
		got.Err = err.Error()
		return got
	}
	for _, c := range file.Certificates {
		got.UserIDs = append(got.UserIDs, c.UserID())
	}
	slices.Sort(got.UserIDs)
	got.Problems = file.Problems
	return got
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func TestParseKeyFile(t *testing.T) {
	alice, bob := testAlice.Simple("alice"), testBob.Simple("bob")
	armored := func(label string, data ...[]byte) []byte { return pgp.Armor(label, join(data...)) }
	a := armored(publicLabel, alice)
	carol := pgp.Ed25519(4, testKeyTime, "carol")
	secret := pgp.Packet(pgp.TagSecretKey, append(carol.Body(), 0))
	revocation := testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime))
	again := testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime+1))
	flood := bytes.Repeat(pgp.Packet(pgp.TagUserID, nil), maxCertificatePackets)
	text := func(s string) []byte { return []byte(s) }
	headers := strings.Replace(string(a), "-----\n\n", "-----\nVersion: GnuPG v1\nComment: \n\n", 1)
	noEnd := a[:bytes.Index(a, []byte("-----END"))]
	both := []string{"alice", "bob"}
	tests := map[string]struct {
		data []byte
		want keyFileResult
	}{
		"binary":          {join(alice, bob), keyFileResult{UserIDs: both}},
		"armored":         {a, keyFileResult{UserIDs: both[:1]}},
		"two in a block":  {armored(publicLabel, alice, bob), keyFileResult{UserIDs: both}},
		"two blocks":      {join(a, armored(publicLabel, bob)), keyFileResult{UserIDs: both}},
		"one twice":       {join(a, a), keyFileResult{UserIDs: both[:1]}},
		"text around":     {join(text("\xefpub  alice\n\n"), a, text("the end")), keyFileResult{UserIDs: both[:1]}},
		"byte order mark": {join(text("\ufeff"), a), keyFileResult{UserIDs: both[:1]}},
		"armor headers":   {text(headers), keyFileResult{UserIDs: both[:1]}},
		"CRLF":            {text(strings.ReplaceAll(headers, "\n", "\r\n")), keyFileResult{UserIDs: both[:1]}},
		"no empty line":   {text(strings.Replace(string(a), "-----\n\n", "-----\n", 1)), keyFileResult{UserIDs: both[:1]}},
		"armor checksum":  {text(strings.Replace(string(a), "-----END", "=AAAA\n-----END", 1)), keyFileResult{UserIDs: both[:1]}},
		"ignored packets": {join(alice, pgp.Packet(12, []byte{1}), pgp.Packet(63, nil), pgp.Packet(17, nil)), keyFileResult{UserIDs: both[:1]}},
		"empty":           {nil, keyFileResult{Err: "the file is empty"}},
		"text":            {text("no key here"), keyFileResult{Err: "the file holds no OpenPGP public key"}},
		"too large":       {make([]byte, maxKeyFileSize+1), keyFileResult{Err: "the key file is larger than 1 MiB"}},
		"keybox": {text("\x00\x00\x00\x20\x01\x01\x00\x02KBXf...."), keyFileResult{
			Err: "the file is a GnuPG keybox, not a public key: export its keys with gpg --export"}},
		"private key block": {armored("PGP PRIVATE KEY BLOCK", alice), keyFileResult{
			Err: "the file is an OpenPGP private key, not a public key: export the public key (gpg --export --armor)"}},
		"private key packet": {join(secret, bob), keyFileResult{UserIDs: both[1:],
			Problems: []string{"a private key was skipped: remove it and provide the public key (gpg --export)"}}},
		"a message": {armored("PGP MESSAGE", alice), keyFileResult{
			Err: "the file is an armored OpenPGP message, not a public key: signatures go into an Image; get the public key of its signer"}},
		"PEM beside a key": {join(a, armored("PUBLIC KEY", alice)), keyFileResult{UserIDs: both[:1],
			Problems: []string{"a PEM block was skipped because OpenPGP keys are beside it: put it into a file of its own"}}},
		"private PEM beside a key": {join(armored("ENCRYPTED SIGSTORE PRIVATE KEY", alice), a), keyFileResult{UserIDs: both[:1],
			Problems: []string{"a private key in PEM was skipped: remove it"}}},
		"message beside a key": {join(a, armored("PGP MESSAGE", alice)), keyFileResult{UserIDs: both[:1],
			Problems: []string{"an armored message was skipped: it is encrypted or signed, and not a public key"}}},
		"unknown block": {join(a, armored("SOMETHING\x1b", bob)), keyFileResult{UserIDs: both[:1],
			Problems: []string{`an armor block "SOMETHING\x1b" was skipped: it is not an OpenPGP public key`}}},
		"no END line": {join(noEnd, armored(publicLabel, bob)), keyFileResult{UserIDs: both[1:],
			Problems: []string{"an armor block was skipped because it has no END line: the file is truncated"}}},
		"other END line": {text(strings.Replace(string(a), "-----END PGP PUBLIC", "-----END PGP SECRET", 1)), keyFileResult{
			Err: "an armor block was skipped because it has no END line: the file is truncated"}},
		"bad base64": {join(text(strings.Replace(string(a), "-----END", "!\n-----END", 1)), armored(publicLabel, bob)),
			keyFileResult{UserIDs: both[1:], Problems: []string{"an armor block was skipped because it is not valid base64"}}},
		"cut": {join(bob, alice[:len(alice)-1]), keyFileResult{UserIDs: []string{"", "bob"},
			Problems: []string{"the key file is truncated: its last key was skipped"}}},
		"private key, cut behind it": {join(bob, secret, pgp.Packet(pgp.TagUserID, text("x"))[:2]), keyFileResult{UserIDs: both[1:],
			Problems: []string{"the key file is truncated: its last key was skipped"}}},
		"certification behind a subkey": {join(bob, testBob.Subkey(carol, testBob.Standard(pgp.TypePositiveCert, testKeyTime))),
			keyFileResult{UserIDs: both[1:]}},
		"newline at the end": {join(bob, text("\n")), keyFileResult{UserIDs: both[1:]}},
		"text at the end": {join(bob, text("\nthe end\n")), keyFileResult{UserIDs: both[1:],
			Problems: []string{"the key file contains data that is not an OpenPGP packet"}}},
		"garbage in armor": {armored(publicLabel, bob, text("\n")), keyFileResult{UserIDs: both[1:],
			Problems: []string{"the key file contains data that is not an OpenPGP packet"}}},
		"binary garbage": {text("\xff\xff\xff\xff\xff\xff"), keyFileResult{
			Err: "the key file is truncated: its last key was skipped"}},
		"no key first": {join(pgp.Packet(pgp.TagUserID, text("nobody")), alice), keyFileResult{UserIDs: both[:1],
			Problems: []string{"data before the first key was skipped"}}},
		"flood of packets": {join(alice, flood, bob), keyFileResult{UserIDs: []string{"", "bob"}, Problems: []string{
			`the key of "alice" was skipped: it has more than 2048 packets: export it with gpg --export-options export-clean`}}},
		"version 3 key": {join(pgp.Packet(pgp.TagPublicKey, pgp.Public(3, 1, 0, nil).Body()), bob), keyFileResult{UserIDs: both[1:],
			Problems: []string{"a key was skipped: it is of version 3; only 4 and 6 are accepted"}}},
		"unknown algorithm": {join(pgp.Packet(pgp.TagPublicKey, pgp.Public(4, 99, 0, nil).Body()), bob), keyFileResult{
			UserIDs: both[1:], Problems: []string{"a key was skipped: its algorithm or form is not supported"}}},
		"key of a few octets": {join(pgp.Packet(pgp.TagPublicKey, []byte{4}), bob), keyFileResult{
			UserIDs: both[1:], Problems: []string{"a key was skipped: its packet is damaged"}}},
		"key with more octets": {join(pgp.Packet(pgp.TagPublicKey, append(carol.Body(), 0)), bob), keyFileResult{
			UserIDs: both[1:], Problems: []string{"a key was skipped: its packet is damaged"}}},
		"revocation alone":  {armored(publicLabel, revocation), keyFileResult{}},
		"binary revocation": {revocation, keyFileResult{}},
		"revocation as a signature": {join(armored("PGP SIGNATURE", revocation), a, armored(publicLabel, bob)),
			keyFileResult{UserIDs: both}},
		"document signature": {armored("PGP SIGNATURE", testAlice.Direct(testAlice.Standard(pgp.TypeBinary, testKeyTime))),
			keyFileResult{Err: "the file is an armored detached OpenPGP signature, not a public key: get the public key of its signer"}},
		"document signature beside a key": {join(a, armored("PGP SIGNATURE", testAlice.Direct(testAlice.Standard(pgp.TypeBinary, testKeyTime)))),
			keyFileResult{UserIDs: both[:1], Problems: []string{"a detached signature was skipped: it is not a public key"}}},
		"revocation made in advance": {text("This is a revocation.\n\n:" + string(armored(publicLabel, revocation))),
			keyFileResult{Err: "a revocation was skipped because there is a colon before its BEGIN line: remove the colon to revoke the key"}},
		"two revocations":   {join(armored(publicLabel, revocation), armored(publicLabel, again), a), keyFileResult{UserIDs: both[:1]}},
		"revocation before": {join(armored(publicLabel, revocation), a), keyFileResult{UserIDs: both[:1]}},
		"signature before": {join(armored(publicLabel, pgp.Packet(pgp.TagSignature, []byte{4})), a), keyFileResult{
			UserIDs: both[:1], Problems: []string{"data before the first key was skipped"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, parseKeys(test.data)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStandaloneRevocation: a revocation in a block of its own counts for the key that made it, at
// any place in the file, and for no other.
func TestStandaloneRevocation(t *testing.T) {
	revocation := pgp.Armor(publicLabel, testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime)))
	keys := pgp.Armor(publicLabel, join(testAlice.Simple("alice"), testBob.Simple("bob")))
	for _, data := range [][]byte{join(revocation, keys), join(keys, revocation)} {
		file, err := ParseKeyFile(data)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, c := range file.Certificates {
			got[c.UserID()] = c.Revoked()
		}
		if diff := cmp.Diff(map[string]bool{"alice": true, "bob": false}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// TestKeyFileBounds: numbers of keys, problems and operations are bounded.
func TestKeyFileBounds(t *testing.T) {
	var many, blocks, broken []byte
	for i := range maxCertificates + 1 {
		k := pgp.Ed25519(4, testKeyTime, fmt.Sprint(i)).Certificate()
		many = append(many, k...)
		blocks = append(blocks, pgp.Armor(publicLabel, k)...)
	}
	for i := range 40 {
		broken = append(broken, pgp.Packet(pgp.TagPublicKey, []byte{byte(10 + i), 0, 0, 0, 0, 0})...)
	}
	// The excess could be a revocation, so the whole file is refused.
	if _, err := ParseKeyFile(many); err == nil || err.Error() != "the file has more than 512 keys: spread them over several files" {
		t.Errorf("got %v", err)
	}
	if _, err := ParseKeyFile(blocks); err == nil || err.Error() != "the file has too many armor blocks: spread its keys over several files" {
		t.Errorf("got %v", err)
	}
	file, err := ParseKeyFile(append(broken, testAlice.Simple("alice")...))
	if err != nil || len(file.Problems) != maxProblems || file.Problems[maxProblems-1] != "further problems are not shown" {
		t.Errorf("%q, %v", file.Problems, err)
	}
}

// TestFloodedCertificate: a certificate with too many self-signatures is refused, since an
// unchecked one could be a revocation.
func TestFloodedCertificate(t *testing.T) {
	flooded := func(name string) []byte {
		k := pgp.Ed25519(4, testKeyTime, name)
		cert := k.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(testFlags))
		forged := bytes.Clone(k.User(name, cert))
		forged[len(forged)-1] ^= 1
		forged = forged[len(pgp.Packet(pgp.TagUserID, []byte(name))):]
		return append(k.Simple(name), bytes.Repeat(forged, maxCertificateChecks)...)
	}
	file, err := ParseKeyFile(flooded("mallory"))
	if err != nil {
		t.Fatal(err)
	}
	err = file.Certificates[0].Check(testNow)
	if refusal := asError(t, err); refusal.Code != UnusableKey || !strings.Contains(refusal.Detail, "export-clean") {
		t.Errorf("got %v", err)
	}
	clean := readKeysFrom(t, pgp.Ed25519(4, testKeyTime, "mallory").Simple("mallory"))
	if NewKeyring(clean, file.Certificates[0]).Certificates()[0].Check(testNow) == nil {
		t.Error("a clean copy hides the unchecked signatures")
	}
}

// TestUnreadableVersion: a version of a certificate that is truncated, flooded or over budget could
// be the revoked one. A clean version before or after it does not count either.
func TestUnreadableVersion(t *testing.T) {
	clean := testAlice.Simple("alice")
	revoked := testAlice.Certificate(testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime)),
		bytes.Repeat(pgp.Packet(pgp.TagUserID, nil), maxCertificatePackets))
	cut := testAlice.Certificate(testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime)))
	for name, data := range map[string][]byte{
		"flooded, behind": join(clean, revoked),
		"flooded, before": join(revoked, clean),
		"cut, behind":     join(clean, cut[:len(cut)-3]),
	} {
		if err := readKeysFrom(t, data).Check(testNow); err == nil {
			t.Errorf("%s: the key may sign", name)
		}
	}
}

// TestStandaloneRevocationBounds: the number of standalone revocations is bounded, and they must
// name their key, so that each costs one operation.
func TestStandaloneRevocationBounds(t *testing.T) {
	one := testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime))
	file, err := ParseKeyFile(append(bytes.Repeat(one, maxRevocations+1), testAlice.Simple("alice")...))
	if err == nil || err.Error() != "the file has more than 256 revocations without their keys: spread them over several files" {
		t.Errorf("%v, %v", file, err)
	}
	nameless := testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime)
	nameless.Hashed, nameless.Unhashed = pgp.Sub32(pgp.SubCreated, testKeyTime), nil
	file, err = ParseKeyFile(join(testAlice.Direct(nameless), testAlice.Simple("alice")))
	if err != nil || file.Certificates[0].Revoked() ||
		!slices.Equal(file.Problems, []string{"a revocation that does not name its key was skipped"}) {
		t.Errorf("%v, %v", file, err)
	}
}

// TestRevocationInAnotherFile: a file with only a revocation revokes its key in every other file of
// the keyring, in any order, and no other key.
func TestRevocationInAnotherFile(t *testing.T) {
	parse := func(data []byte) *KeyFile {
		file, err := ParseKeyFile(data)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	keys := parse(join(testAlice.Simple("alice"), testBob.Simple("bob")))
	revocation := parse(pgp.Armor(publicLabel, testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime))))
	forged := parse(testBob.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime)))
	for name, c := range map[string]struct {
		files []*KeyFile
		alice bool
	}{
		"none":           {[]*KeyFile{keys, nil}, false},
		"behind the key": {[]*KeyFile{keys, revocation}, true},
		"before the key": {[]*KeyFile{revocation, nil, keys}, true},
		"forged":         {[]*KeyFile{keys, forged}, false},
	} {
		got := map[string]bool{}
		for _, certificate := range NewKeyringFromFiles(c.files...).Certificates() {
			got[certificate.UserID()] = certificate.Revoked()
		}
		if diff := cmp.Diff(map[string]bool{"alice": c.alice, "bob": false}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if keys.Certificates[0].Revoked() || keys.Certificates[1].Revoked() {
		t.Error("the file itself was modified")
	}
}

// TestRevokedUserIDsLeaveNoCapability: when every user ID is revoked, a direct-key signature
// without key flags does not allow the key to sign.
func TestRevokedUserIDsLeaveNoCapability(t *testing.T) {
	user := testAlice.User("alice",
		testAlice.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(testFlags)),
		testAlice.Standard(pgp.TypeCertRevocation, testKeyTime+1))
	for name, c := range map[string]struct {
		direct pgp.Signature
		usable bool
	}{
		"without key flags": {testAlice.Standard(pgp.TypeDirectKey, testKeyTime), false},
		"with key flags":    {testAlice.Standard(pgp.TypeDirectKey, testKeyTime, pgp.Flags(testFlags)), true},
	} {
		certificate := readKeysFrom(t, testAlice.Certificate(testAlice.Direct(c.direct), user))
		if err := certificate.Check(testNow); (err == nil) != c.usable {
			t.Errorf("%s: %v, want usable: %v", name, err, c.usable)
		}
	}
}

// readKeysFrom reads one certificate.
func readKeysFrom(t testing.TB, data []byte) *Certificate {
	t.Helper()
	file, err := ParseKeyFile(data)
	if err != nil || len(file.Certificates) != 1 {
		t.Fatalf("got %v, %v", file, err)
	}
	return file.Certificates[0]
}
