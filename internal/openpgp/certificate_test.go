// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// summary holds the results of a certificate's accessors.
type summary struct {
	UserID, Algorithm string
	Created, Expires  int64 // 0: never.
	Revoked           bool
	Check             string // Code and detail; empty if it may sign.
}

func summarize(t testing.TB, c *Certificate) summary {
	t.Helper()
	s := summary{UserID: c.UserID(), Algorithm: c.Algorithm(), Created: c.Created().Unix(), Revoked: c.Revoked()}
	if e := c.Expires(); !e.IsZero() {
		s.Expires = e.Unix()
	}
	if err := c.Check(testNow); err != nil {
		refusal := asError(t, err)
		s.Check = refusal.Code.String() + ": " + refusal.Detail
	}
	return s
}

func TestCertificate(t *testing.T) {
	const (
		uid  = "Alice (test key) <alice@example.invalid>"
		day  = 86400
		year = 365 * day
	)
	alice := func(change func(*summary)) summary {
		s := summary{UserID: uid, Algorithm: "Ed25519", Created: testKeyTime}
		change(&s)
		return s
	}
	other := func(uid, algorithm, check string) summary {
		return summary{UserID: uid, Algorithm: algorithm, Created: testKeyTime, Check: check}
	}
	check := func(text string) summary { return alice(func(s *summary) { s.Check = text }) }
	noSelfSig := alice(func(s *summary) { s.UserID, s.Check = "", "UnusableKey: the key has no valid self-signature" })
	tests := map[string]summary{
		"alice":     check(""),
		"rsa1024":   other("", "RSA-1024", "WeakAlgorithm: RSA keys of less than 2048 bits are not accepted"),
		"rsa4096":   other("RSA-4096", "RSA-4096", ""),
		"eddsa":     other("EdDSA", "Ed25519", ""),
		"ed448":     other("Ed448", "Ed448", ""),
		"p256":      other("P-256", "ECDSA-P-256", ""),
		"p384":      other("P-384", "ECDSA-P-384", ""),
		"p521":      other("P-521", "ECDSA-P-521", ""),
		"v6":        other("version 6", "Ed25519", ""),
		"v6-subkey": other("", "Ed25519", ""),
		"no-user-id": alice(func(s *summary) {
			s.UserID = ""
			s.Check = "UnusableKey: the key has no user ID and no direct-key signature with key flags: some key servers leave user IDs out; get a copy with one"
		}),
		"user-id-bad-cert": noSelfSig,
		"user-id-revoked":  noSelfSig,
		"cert-certify-only": check(
			"UnusableKey: the key may not sign data: its key flags do not include signing"),
		"extended":          alice(func(s *summary) { s.Expires = testKeyTime + 10*year }),
		"extended-for-ever": check(""),
		"expired": alice(func(s *summary) {
			s.Expires, s.Check = testKeyTime+year+180*day, "KeyExpired: the key is expired"
		}),
		"revoked":             alice(func(s *summary) { s.Revoked, s.Check = true, "KeyRevoked: the key is revoked" }),
		"revocation-forged":   check(""),
		"subkey":              check(""),
		"subkey-no-cross":     check("UnusableKey: the key may not sign data: its key flags do not include signing"),
		"subkey-revoked":      check("KeyRevoked: the subkey is revoked"),
		"subkey-expired":      check("KeyExpired: the key is expired"),
		"subkey-encrypts":     check("UnusableKey: the key may not sign data: its key flags do not include signing"),
		"subkey-weak":         check("WeakAlgorithm: RSA keys of less than 2048 bits are not accepted"),
		"expired-with-subkey": alice(func(s *summary) { s.Expires, s.Check = testKeyTime+year, "KeyExpired: the key is expired" }),
		"unborn": {UserID: "from the future", Algorithm: "Ed25519", Created: testNow.Unix() + day,
			Check: "UnusableKey: the creation time of the key is in the future"},
	}
	for name, want := range tests {
		if diff := cmp.Diff(want, summarize(t, readKeys(t, name)[0])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestCheckNamesTheKey: a refusal names the certificate and the key.
func TestCheckNamesTheKey(t *testing.T) {
	c := readKeys(t, "subkey-revoked")[0]
	want := &Error{Code: KeyRevoked, Detail: "the subkey is revoked",
		Fingerprint: c.Fingerprint(), SigningFingerprint: c.subkeys[0].fingerprintText()}
	if diff := cmp.Diff(error(want), c.Check(testNow)); diff != "" {
		t.Error(diff)
	}
}

func TestUserID(t *testing.T) {
	cert := func(created uint32, subs ...[]byte) pgp.Signature {
		return testAlice.Standard(pgp.TypePositiveCert, created, append(subs, pgp.Flags(testFlags))...)
	}
	primary := pgp.Sub(pgp.SubPrimaryUserID, 1)
	long := strings.Repeat("ä", 200)
	tests := map[string]struct {
		users [][]byte
		want  string
	}{
		"newest": {[][]byte{testAlice.User("old", cert(testKeyTime)), testAlice.User("new", cert(testKeyTime+1))}, "new"},
		"primary": {[][]byte{testAlice.User("primary", cert(testKeyTime, primary)), testAlice.User("new", cert(testKeyTime+1))},
			"primary"},
		"equal times":     {[][]byte{testAlice.User("b", cert(testKeyTime)), testAlice.User("a", cert(testKeyTime))}, "a"},
		"not valid":       {[][]byte{testAlice.User("unsigned"), testAlice.User("signed", cert(testKeyTime))}, "signed"},
		"in two parts":    {[][]byte{testAlice.User("a"), testAlice.User("a", cert(testKeyTime))}, "a"},
		"control":         {[][]byte{testAlice.User("a\nb\x1b[0m\x7f", cert(testKeyTime))}, `a\nb\x1b[0m\x7f`},
		"direction":       {[][]byte{testAlice.User("a\u202eb\u2028", cert(testKeyTime))}, `a\u202eb\u2028`},
		"invalid UTF-8":   {[][]byte{testAlice.User("a\xff\x05", cert(testKeyTime))}, `a\xff\x05`},
		"long":            {[][]byte{testAlice.User(long, cert(testKeyTime))}, long[:252] + "…"},
		"exactly as long": {[][]byte{testAlice.User(long[:256], cert(testKeyTime))}, long[:256]},
	}
	for name, test := range tests {
		got := readKeysFrom(t, testAlice.Certificate(test.users...)).UserID()
		if got != test.want || len(got) > maxUserIDSize {
			t.Errorf("%s: got %q of %d bytes, want %q", name, got, len(got), test.want)
		}
	}
}

// TestMerge: the versions of a certificate give the same certificate in any order, with the parts
// of all versions.
func TestMerge(t *testing.T) {
	cert := func(created uint32, subs ...[]byte) pgp.Signature {
		return testAlice.Standard(pgp.TypePositiveCert, created, append(subs, pgp.Flags(testFlags))...)
	}
	sub := pgp.Ed25519(4, testKeyTime, "subkey")
	versions := [][]byte{
		testAlice.Certificate(testAlice.User("a", cert(testKeyTime))),
		testAlice.Certificate(testAlice.User("a", cert(testKeyTime+2, pgp.Sub32(pgp.SubKeyExpires, 1<<30)))),
		testAlice.Certificate(testAlice.User("b", cert(testKeyTime)), testAlice.Subkey(sub, testAlice.Binding(sub, testKeyTime))),
		testAlice.Certificate(testAlice.User("b", testAlice.Standard(pgp.TypeCertRevocation, testKeyTime+1)),
			testAlice.Subkey(sub, testAlice.Standard(pgp.TypeSubkeyRevocation, testKeyTime))),
	}
	message := sub.Message(sub.Standard(pgp.TypeBinary, testKeyTime+100), []byte("data"))
	for _, order := range permutations(len(versions)) {
		var certificates []*Certificate
		var file []byte
		for _, i := range order {
			certificates = append(certificates, readKeysFrom(t, versions[i]))
			file = append(file, versions[i]...)
		}
		merged := NewKeyring(certificates...)
		c := merged.Certificates()[0]
		got := fmt.Sprint(len(merged.Certificates()), c.UserID(), c.Expires().Unix(), len(c.userIDs), len(c.userIDs[1].selfSigs))
		if want := fmt.Sprint(1, "a", testKeyTime+1<<30, 2, 0); got != want {
			t.Errorf("%v: got %s, want %s", order, got, want)
		}
		inFile := readKeysFrom(t, file)
		if diff := cmp.Diff(summarize(t, inFile), summarize(t, c)); diff != "" {
			t.Errorf("%v: one file with all versions gives another certificate: %s", order, diff)
		}
		_, err := verify(merged, message, Options{Now: testNow})
		if asError(t, err).Code != KeyRevoked {
			t.Errorf("%v: got %v, want KeyRevoked", order, err)
		}
	}
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

// TestStrippedCopy: a copy of a binding without its unsigned parts does not hide the complete one,
// in any order.
func TestStrippedCopy(t *testing.T) {
	sub := pgp.Ed25519(4, testKeyTime, "subkey")
	binding := testAlice.Standard(pgp.TypeSubkeyBinding, testKeyTime, pgp.Flags(pgp.FlagSign))
	stripped := binding
	stripped.Unhashed = nil
	cross := sub.Sign(sub.Standard(pgp.TypePrimaryBinding, testKeyTime), testAlice.Hashed(), sub.Hashed())
	binding.Unhashed = pgp.Sub(pgp.SubEmbedded, cross...)
	user := testAlice.User("a", testAlice.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(pgp.FlagCertify)))
	for _, order := range [][]pgp.Signature{{binding, stripped}, {stripped, binding}} {
		c := readKeysFrom(t, testAlice.Certificate(user, testAlice.Subkey(sub, order...)))
		if err := c.Check(testNow); err != nil {
			t.Error(err)
		}
	}
}

// TestSubkeyOfAnotherVersion: a subkey with another version than its primary key is dropped,
// although both keys certify each other.
func TestSubkeyOfAnotherVersion(t *testing.T) {
	for _, version := range []byte{4, 6} {
		primary := pgp.Ed25519(version, testKeyTime, "primary")
		sub := pgp.Ed25519(10-version, testKeyTime, "sub")
		certificate := readKeysFrom(t, join(primary.Simple("a"), primary.Subkey(sub, primary.Binding(sub, testKeyTime))))
		message := sub.Message(sub.Standard(pgp.TypeBinary, testKeyTime), []byte("payload"))
		if got, err := verify(NewKeyring(certificate), message, Options{Now: testNow}); err == nil || asError(t, err).Code != UnknownKey {
			t.Errorf("version %d: %v, %v", version, got, err)
		}
	}
}

// TestEpoch: a key and self-signatures from the first second of the epoch are valid. Programs that
// derive keys from passphrases write them.
func TestEpoch(t *testing.T) {
	k := pgp.Ed25519(4, 0, "epoch")
	c := readKeysFrom(t, k.Simple("epoch"))
	if diff := cmp.Diff(summary{UserID: "epoch", Algorithm: "Ed25519"}, summarize(t, c)); diff != "" {
		t.Error(diff)
	}
	revoked := readKeysFrom(t, k.Certificate(k.User("epoch",
		k.Standard(pgp.TypePositiveCert, 0), k.Standard(pgp.TypeCertRevocation, 0))))
	if err := revoked.Check(testNow); err == nil {
		t.Error("a revoked user ID counts")
	}
}

func TestNextChange(t *testing.T) {
	cert := func(created uint32, subs ...[]byte) pgp.Signature {
		return testAlice.Standard(pgp.TypePositiveCert, created, append(subs, pgp.Flags(testFlags))...)
	}
	now := uint32(testNow.Unix())
	c := readKeysFrom(t, testAlice.Certificate(
		testAlice.User("a", cert(testKeyTime, pgp.Sub32(pgp.SubExpires, now+1000-testKeyTime)), cert(now+600, pgp.Sub32(pgp.SubKeyExpires, 1)))))
	for at, want := range map[int64]int64{0: 300, 300: 1000, 1000: 0} {
		got := c.nextChange(testNow.Unix() + at)
		if want != 0 {
			want += testNow.Unix()
		}
		if got != want {
			t.Errorf("after %d seconds: got %d, want %d", at, got, want)
		}
	}
	if err := c.Check(testNow.Add(299 * time.Second)); err != nil {
		t.Errorf("before the change: %v", err)
	}
	if err := c.Check(testNow.Add(300 * time.Second)); err == nil {
		t.Error("after the change the key is expired, but may sign")
	}
}

// TestNewerOfDirectKeyAndUserID: the newer signature takes precedence.
func TestNewerOfDirectKeyAndUserID(t *testing.T) {
	for name, test := range map[string]struct {
		direct, user uint32
		signs        bool
	}{"the direct-key signature": {2, 1, false}, "the certification": {1, 2, true}} {
		c := readKeysFrom(t, testAlice.Certificate(
			testAlice.Direct(testAlice.Standard(pgp.TypeDirectKey, testKeyTime+test.direct, pgp.Flags(pgp.FlagCertify))),
			testAlice.User("a", testAlice.Standard(pgp.TypePositiveCert, testKeyTime+test.user, pgp.Flags(testFlags)))))
		if err := c.Check(testNow); (err == nil) != test.signs {
			t.Errorf("%s is newer: %v", name, err)
		}
	}
}

// TestSigningUntil: the key that expires last counts, and each expiration is a change.
func TestSigningUntil(t *testing.T) {
	sub := pgp.Ed25519(4, testKeyTime, "until subkey")
	lifetime := uint32(testNow.Unix()) - testKeyTime
	lasting := func(seconds uint32) []byte { return pgp.Sub32(pgp.SubKeyExpires, lifetime+seconds) }
	certificate := func(flags byte, primary, subkey []byte) []byte {
		return testAlice.Certificate(
			testAlice.User("a", testAlice.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(flags), primary)),
			testAlice.Subkey(sub, testAlice.Binding(sub, testKeyTime, subkey)))
	}
	const certifies, signs = pgp.FlagCertify, pgp.FlagCertify | pgp.FlagSign
	tests := map[string]struct {
		data        []byte
		until, next int64 // Seconds after now; 0: never.
	}{
		"for ever":                   {certificate(signs, nil, nil), 0, 0},
		"the primary key for ever":   {certificate(signs, nil, lasting(10)), 0, 10},
		"both, the subkey shorter":   {certificate(signs, lasting(20), lasting(10)), 20, 10},
		"both, the subkey longer":    {certificate(signs, lasting(10), lasting(20)), 10, 10},
		"the subkey alone":           {certificate(certifies, nil, lasting(10)), 10, 10},
		"as long as its primary key": {certificate(certifies, lasting(10), nil), 10, 10},
		"both are expired":           {certificate(signs, lasting(0), lasting(0)), 0, 0},
		"none signs":                 {testAlice.Certificate(), 0, 0},
	}
	for name, test := range tests {
		c := readKeysFrom(t, test.data)
		for what, each := range map[string]struct {
			got  time.Time
			want int64
		}{"until": {c.SigningUntil(testNow), test.until}, "next change": {c.NextChange(testNow), test.next}} {
			want := time.Time{}
			if each.want != 0 {
				want = testNow.Add(time.Duration(each.want) * time.Second)
			}
			if !each.got.Equal(want) {
				t.Errorf("%s: %s: %s, want %s", name, what, each.got, want)
			}
		}
	}
}
