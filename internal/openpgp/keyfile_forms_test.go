// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// TestFilesOneAfterTheOther: files that were joined are all read, whatever stands between them, and
// so is a file that is armored in part.
func TestFilesOneAfterTheOther(t *testing.T) {
	alice, bob := testAlice.Simple("alice"), testBob.Simple("bob")
	a, b := pgp.Armor(publicLabel, alice), pgp.Armor(publicLabel, bob)
	unended := bytes.TrimRight(a, "\n") // As $(cat a.asc) has it.
	text := func(s string) []byte { return []byte(s) }
	both := []string{"alice", "bob"}
	for name, data := range map[string][]byte{
		"without a line break":         join(unended, b),
		"without a line break, thrice": join(unended, bytes.TrimRight(b, "\n"), unended),
		"a comment behind the tail":    join(unended, text("# Bob's key\n"), b),
		"a space behind the tail":      join(unended, text(" "), b),
		"CRLF, without a line break":   text(strings.ReplaceAll(string(join(unended, b)), "\n", "\r\n")),
		"text between":                 join(a, text("\nThe second key signs from 2027 on.\npub   ed25519/0123456789ABCDEF\n\n"), b),
		"indented":                     text("  " + strings.ReplaceAll(string(join(a, b)), "\n", "\n  ")),
		"binary, then armored":         join(alice, b),
		"armored, then binary":         join(a, bob),
		"without a line break, binary": join(unended, bob),
		"binary between armored":       join(a, bob, a),
		"binary, text, binary":         join(alice, text("\n\n"), bob),
	} {
		if diff := cmp.Diff(keyFileResult{UserIDs: both}, parseKeys(data)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestDistributionKeys: a file as distributions ship it, with text before each key and a
// post-quantum key behind the others, verifies what each key has signed.
func TestDistributionKeys(t *testing.T) {
	old, postQuantum := pgp.RSA(testKeyTime, 2048, "rsa2048"), pgp.MLDSA87(testKeyTime, "distribution")
	file := parse(t, []byte("These keys sign the packages.\n\nKey 1, in use since 2009:\n"), pgp.Armor(publicLabel, old.Simple("key 1")),
		[]byte("\nKey 2: post-quantum, from 2026 on\n  fingerprint: see below\n"), pgp.Armor(publicLabel, postQuantum.Simple("key 2")), []byte("-- \n"))
	if len(file.Certificates) != 2 || len(file.Problems) > 0 || file.KeysSkipped {
		t.Fatalf("%d keys, problems %q", len(file.Certificates), file.Problems)
	}
	for _, k := range []*pgp.Key{old, postQuantum} {
		if _, err := verify(NewKeyringFromFiles(file), k.Message(k.Standard(pgp.TypeBinary, testKeyTime+1), []byte("x")), Options{Now: testNow}); err != nil {
			t.Errorf("key of algorithm %d: %v", k.Algorithm, err)
		}
	}
}

// TestSkippedBlocksAreNamed: what hides a key is named, and the other keys are read.
func TestSkippedBlocksAreNamed(t *testing.T) {
	a, b := pgp.Armor(publicLabel, testAlice.Simple("alice")), pgp.Armor(publicLabel, testBob.Simple("bob"))
	revocation := pgp.Armor(publicLabel, testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime)))
	signature := pgp.Armor(labelSignature, testAlice.Direct(testAlice.Standard(pgp.TypeBinary, testKeyTime)))
	subkey := testAlice.Subkey(testBob, testAlice.Binding(testBob, testKeyTime))
	v5 := pgp.Packet(pgp.TagPublicKey, append([]byte{5}, pgp.Ed25519(6, testKeyTime, "v5").Body()[1:]...))
	text := func(s string) []byte { return []byte(s) }
	cleartext := join(text("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n- "), a, signature)
	for name, test := range map[string]struct {
		data    []byte
		problem string
	}{
		"a revocation behind a colon, without a line break": {join(b, text(":"), revocation),
			"a revocation was skipped because there is a colon before its BEGIN line: remove the colon to revoke the key"},
		"a colon behind a tail": {join(bytes.TrimRight(b, "\n"), text(":"), revocation),
			"a revocation was skipped because there is a colon before its BEGIN line: remove the colon to revoke the key"},
		"a key in a comment": {join(text("# "), a, b),
			"an armor block was skipped because there is other text before its BEGIN line"},
		"a cut block before a key": {join(a[:200], a, b),
			"an armor block was skipped because it has no END line: the file is truncated; " +
				"an armor block was skipped because there is other text before its BEGIN line"},
		"spaces for line breaks": {join(text(strings.ReplaceAll(string(a), "\n", " ")), text("\n"), b),
			"an armor block was skipped because it has lost its line breaks: write it on several lines, in YAML behind | instead of >"},
		"line breaks escaped": {join(text(strings.ReplaceAll(string(a), "\n", `\n`)), text("\n"), b),
			`an armor block was skipped because its line breaks are written as \n: write them as line breaks`},
		"a cleartext signed message": {join(cleartext, b),
			"a cleartext signed message was skipped: gpg --decrypt writes the text that it holds"},
		"a cleartext signed message without its signature": {join(cleartext[:60], text("\n"), b),
			"a cleartext signed message was skipped: gpg --decrypt writes the text that it holds"},
		"a LibrePGP key": {join(v5, pgp.Packet(pgp.TagUserID, []byte("Carol\x1b <c@example.com>")), testBob.Simple("bob")),
			`the key of "Carol\x1b <c@example.com>" was skipped: it is of version 5, which LibrePGP defines; ` +
				"only 4 and 6 are accepted: make one with gpg --quick-generate-key NAME ed25519"},
		"a subkey alone": {join(pgp.Armor(publicLabel, subkey), b),
			"a subkey without its primary key was skipped: export the whole key (gpg --export)"},
		"a binary message": {join(pgp.Armor(publicLabel, testAlice.Message(testAlice.Standard(pgp.TypeBinary, testKeyTime), []byte("x"))), b),
			"a signed or encrypted message was skipped: it is not a public key"},
		"a certification alone": {join(pgp.Armor(publicLabel, testAlice.User("", testAlice.Standard(pgp.TypePositiveCert, testKeyTime))[2:]), b),
			"a signature without the key that it is about was skipped: export the whole key (gpg --export)"},
	} {
		if diff := cmp.Diff(keyFileResult{UserIDs: []string{"bob"}, Problems: strings.Split(test.problem, "; an ")},
			normalProblems(parseKeys(test.data))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// normalProblems writes several problems as TestSkippedBlocksAreNamed does.
func normalProblems(r keyFileResult) keyFileResult {
	for i := range r.Problems[min(1, len(r.Problems)):] {
		r.Problems[i+1] = strings.TrimPrefix(r.Problems[i+1], "an ")
	}
	return r
}

// TestAllProblemsAreInTheError: a file without a usable key has an error that names every problem
// within its bound.
func TestAllProblemsAreInTheError(t *testing.T) {
	old := func(version byte) []byte {
		return pgp.Armor(publicLabel, pgp.Packet(pgp.TagPublicKey, []byte{version, 0, 0, 0, 0, 0}))
	}
	got := parseKeys(join(old(2), old(3)))
	want := "a key was skipped: it is of version 2; only 4 and 6 are accepted; a key was skipped: it is of version 3; only 4 and 6 are accepted"
	if got.Err != want {
		t.Errorf("got %q, want %q", got.Err, want)
	}
	var many []byte
	for version := range byte(20) {
		many = append(many, old(10+version)...)
	}
	if got := parseKeys(many); len(got.Err) > maxProblemSize || !strings.HasSuffix(got.Err, "…") {
		t.Errorf("the error has %d bytes: %q", len(got.Err), got.Err)
	}
}

// TestKeyWithoutUserID: the refusal of a key from a server that leaves user IDs out says so.
func TestKeyWithoutUserID(t *testing.T) {
	certificate := readKeysFrom(t, testAlice.Certificate())
	refusal := asError(t, certificate.Check(testNow))
	if refusal.Code != UnusableKey || !strings.Contains(refusal.Detail, "no user ID") {
		t.Errorf("%s: %s", refusal.Code, refusal.Detail)
	}
	revoked := readKeysFrom(t, testAlice.Certificate(testAlice.User("alice",
		testAlice.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(testFlags)),
		testAlice.Standard(pgp.TypeCertRevocation, testKeyTime+1))))
	if refusal := asError(t, revoked.Check(testNow)); strings.Contains(refusal.Detail, "no user ID") {
		t.Errorf("a key whose user ID is revoked: %s", refusal.Detail)
	}
}

// TestSubkeyExport: an export of one subkey (gpg --export SUBKEY!) verifies what the subkey signed,
// and a copy of the whole key beside it does not matter.
func TestSubkeyExport(t *testing.T) {
	first, second := pgp.Ed25519(4, testKeyTime, "first subkey"), pgp.Ed25519(4, testKeyTime, "second subkey")
	user := testAlice.User("alice", testAlice.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(pgp.FlagCertify)))
	expired := testAlice.Subkey(first, testAlice.Binding(first, testKeyTime, pgp.Sub32(pgp.SubKeyExpires, 3600)))
	extended := testAlice.Subkey(first, testAlice.Binding(first, testKeyTime+1000))
	other := testAlice.Subkey(second, testAlice.Binding(second, testKeyTime))
	export, whole := testAlice.Certificate(user, extended), testAlice.Certificate(user, expired, other)
	byFirst := first.Message(first.Standard(pgp.TypeBinary, testKeyTime+2000), []byte("x"))
	bySecond := second.Message(second.Standard(pgp.TypeBinary, testKeyTime+2000), []byte("x"))
	for name, test := range map[string]struct {
		files         [][]byte
		first, second bool
	}{
		"the export":              {[][]byte{export}, true, false},
		"the whole key":           {[][]byte{whole}, false, true},
		"both":                    {[][]byte{whole, export}, true, true},
		"both in one file":        {[][]byte{join(export, whole)}, true, true},
		"both, the other way":     {[][]byte{export, whole}, true, true},
		"both in one file, glued": {[][]byte{join(bytes.TrimRight(pgp.Armor(publicLabel, whole), "\n"), pgp.Armor(publicLabel, export))}, true, true},
	} {
		var files []*KeyFile
		for _, data := range test.files {
			files = append(files, parse(t, data))
		}
		ring := NewKeyringFromFiles(files...)
		for content, want := range map[string]bool{string(byFirst): test.first, string(bySecond): test.second} {
			if _, err := verify(ring, []byte(content), Options{Now: testNow}); (err == nil) != want {
				t.Errorf("%s: %v, want verified: %t", name, err, want)
			}
		}
	}
}

// TestDigestsOfVersion6: RFC 9580 has no salt for SHA-1, so that no version 6 signature may use it.
func TestDigestsOfVersion6(t *testing.T) {
	s := testV6.Standard(pgp.TypeDirectKey, testKeyTime)
	s.Digest, s.Salt = pgp.SHA1, nil
	if _, err := parseSignature(testV6.Sign(s, testV6.Hashed())); err == nil || err.Code != Malformed {
		t.Errorf("got %v", err)
	}
}

// TestRearmor: what Rearmor writes holds exactly the keys and revocations of the file, and nothing
// else.
func TestRearmor(t *testing.T) {
	alice, bob := testAlice.Simple("alice"), testBob.Simple("bob")
	secret := pgp.Packet(pgp.TagSecretKey, append(testBob.Body(), 0))
	revocation := testAlice.Direct(testAlice.Standard(pgp.TypeKeyRevocation, testKeyTime))
	signature := testAlice.Direct(testAlice.Standard(pgp.TypeBinary, testKeyTime))
	armor := func(data ...[]byte) []byte { return pgp.Armor(publicLabel, join(data...)) }
	for name, data := range map[string][]byte{
		"a key":                       armor(alice),
		"binary":                      join(alice, bob),
		"many blocks":                 join(armor(alice), armor(bob), armor(revocation)),
		"glued":                       join(bytes.TrimRight(armor(alice), "\n"), armor(bob)),
		"a private key":               join(pgp.Armor(labelPrivateKey, secret), armor(alice)),
		"a private key among others":  armor(bob, secret, pgp.Packet(pgp.TagUserID, []byte("bob")), alice),
		"a revocation":                join(revocation, bob),
		"a signature":                 join(armor(signature, revocation, signature), armor(alice)),
		"a revocation behind a user":  join(armor(pgp.Packet(pgp.TagUserID, nil), revocation), armor(alice)),
		"text":                        join([]byte("pub alice\n"), armor(alice), []byte("-----BEGIN X-----\n")),
		"a revocation behind a colon": join(armor(alice), []byte(":"), armor(revocation)),
	} {
		text, err := Rearmor(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, got := parse(t, data), parse(t, text)
		want.Problems = nil
		if diff := cmp.Diff(summaries(want), summaries(got)); diff != "" || len(got.Problems) > 0 {
			t.Errorf("%s: %q, (-want +got):\n%s", name, got.Problems, diff)
		}
	}
	subkey := pgp.Packet(7, append(testBob.Body(), 0))
	for name, data := range map[string][]byte{
		"nothing":                    []byte("text"),
		"cut":                        join(bob, alice[:len(alice)-1]),
		"data in a block":            armor(alice, []byte("\n")),
		"a private subkey of a key":  armor(alice, subkey),
		"a private key alone":        pgp.Armor(labelPrivateKey, secret),
		"too many revocations alone": bytes.Repeat(revocation, maxRevocations+1),
	} {
		if text, err := Rearmor(data); err == nil || text != nil {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// summaries describes what a key file holds.
func summaries(file *KeyFile) []string {
	all := problems(file.Certificates)
	for _, c := range file.Certificates {
		all = append(all, c.Fingerprint())
	}
	for _, s := range file.revocations {
		all = append(all, string(s.body))
	}
	slices.Sort(all)
	return append(all, file.Problems...)
}
