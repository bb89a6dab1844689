// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// TestVerified compares the whole result.
func TestVerified(t *testing.T) {
	alice := readKeys(t, "subkey")[0]
	payload := []byte(`{"a":1}`)
	signing := pgp.Ed25519(4, testKeyTime, "alice's signing subkey")
	signed := func(subs ...[]byte) []byte {
		return signing.Message(signing.Standard(pgp.TypeBinary, testKeyTime+60, subs...), payload)
	}
	base := Verified{
		Payload:            payload,
		Fingerprint:        alice.Fingerprint(),
		SigningFingerprint: alice.subkeys[0].fingerprintText(),
		UserID:             "Alice (test key) <alice@example.invalid>",
		Created:            time.Unix(testKeyTime+60, 0).UTC(),
	}
	until := func(v Verified, seconds int64) *Verified {
		v.ValidUntil = time.Unix(seconds, 0).UTC()
		return &v
	}
	const lifetime, year = 100_000_000, 365 * 86400
	tests := map[string]struct {
		key     string
		content []byte
		at      time.Time
		archive bool
		want    *Verified
	}{
		"for ever":              {"subkey", signed(), testNow, false, &base},
		"until signature":       {"subkey", signed(pgp.Sub32(pgp.SubExpires, lifetime)), testNow, false, until(base, testKeyTime+60+lifetime)},
		"until subkey":          {"subkey-expired", signed(), time.Unix(testKeyTime+year, 0), false, until(base, testKeyTime+year+180*86400)},
		"archive, after subkey": {"subkey-expired", signed(), testNow, true, &base},
		"archive, before":       {"subkey-expired", signed(), time.Unix(testKeyTime+year, 0), true, &base},
		"until primary":         {"expired-with-subkey", signed(), time.Unix(testKeyTime+90, 0), false, until(base, testKeyTime+year)},
	}
	for name, test := range tests {
		ring := NewKeyring(readKeys(t, test.key)...)
		got, err := verify(ring, test.content, Options{Now: test.at, AcceptBeforeExpiry: test.archive})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestRefused compares the whole error.
func TestRefused(t *testing.T) {
	const alice = "8E096CC489DC23E112759C320CEF42A22D6B610B"
	tests := map[string]struct {
		vector string
		keys   []string
		want   Error
	}{
		"no keys": {"ed25519", nil, Error{Code: UnknownKey, Issuer: "0x" + alice,
			Detail: "the signature names the key 0x" + alice + ", which is not among the trusted keys"}},
		"no issuer": {"unknown-no-issuer", []string{"alice"}, Error{Code: UnknownKey,
			Detail: "the message does not name its signing key"}},
		"key ID only": {"issuer-key-id", []string{"rsa2048"}, Error{Code: UnknownKey, Issuer: "0x0CEF42A22D6B610B",
			Detail: "the signature names the key 0x0CEF42A22D6B610B, which is not among the trusted keys"}},
		"altered": {"payload-altered", []string{"alice"}, Error{Code: BadSignature, Issuer: "0x" + alice,
			Detail: "the signature is not valid: content or signature was altered", Fingerprint: alice, SigningFingerprint: alice}},
		"in the future": {"signature-in-future", []string{"alice"}, Error{Code: SignatureInFuture, Issuer: "0x" + alice,
			Detail:      "the creation time of the signature is in the future: check the signer's clock",
			Fingerprint: alice, SigningFingerprint: alice, NotBefore: testNow.Add(24*time.Hour - clockSkew).UTC()}},
		"weak digest": {"digest-sha1", []string{"rsa2048"}, Error{Code: WeakAlgorithm, Issuer: "0x" + fingerprintOf(t, "rsa2048"),
			Detail: "the digest of the signature is not accepted: sign with SHA-256 or SHA-512"}},
		"version 5": {"version-5", []string{"alice"}, Error{Code: UnsupportedVersion, Issuer: "0x0CEF42A22D6B610B",
			Detail: "the signature packet is not of version 3, 4 or 6 (5 is of LibrePGP): sign with a version 4 key"}},
		"version 6": {"v6", []string{"alice"}, Error{Code: UnknownKey, Issuer: "0x" + fingerprintOf(t, "v6"),
			Detail: "the signature names the key 0x" + fingerprintOf(t, "v6") + ", which is not among the trusted keys"}},
		"other algorithm": {"algorithm-dsa", []string{"alice"}, Error{Code: WeakAlgorithm, Issuer: "0x" + dsaFingerprint,
			Detail: "the signature's public-key algorithm is not accepted: sign with RSA, ECDSA or EdDSA"}},
	}
	for name, test := range tests {
		v := readVectorNamed(t, test.vector)
		got, err := verify(NewKeyring(readKeys(t, test.keys...)...), v.content, v.options())
		if got != nil {
			t.Errorf("%s: accepted", name)
		}
		if diff := cmp.Diff(error(&test.want), err); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// dsaFingerprint is the fingerprint of Alice's key with another algorithm.
var dsaFingerprint = func() string {
	k := *testAlice
	k.Algorithm = 17
	return strings.ToUpper(hexOf(k.Fingerprint()))
}()

func fingerprintOf(t *testing.T, key string) string {
	t.Helper()
	return readKeys(t, key)[0].Fingerprint()
}

// asError returns err as an *Error, or fails the test.
func asError(t testing.TB, err error) *Error {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want an *Error", err)
	}
	return refusal
}

// TestZeroValues: zero values accept nothing.
func TestZeroValues(t *testing.T) {
	message, err := ParseMessage(readVectorNamed(t, "ed25519").content)
	if err != nil {
		t.Fatal(err)
	}
	var zero Keyring
	for name, verify := range map[string]func() (*Verified, error){
		"no message": func() (*Verified, error) {
			return NewKeyring(readKeys(t, "alice")...).Verify(nil, Options{Now: testNow})
		},
		"zero message": func() (*Verified, error) {
			return NewKeyring(readKeys(t, "alice")...).Verify(new(Message), Options{Now: testNow})
		},
		"zero keyring":       func() (*Verified, error) { return zero.Verify(message, Options{Now: testNow}) },
		"nil certificate":    func() (*Verified, error) { return NewKeyring(nil).Verify(message, Options{Now: testNow}) },
		"no time is in 0001": func() (*Verified, error) { return NewKeyring(readKeys(t, "alice")...).Verify(message, Options{}) },
	} {
		if got, err := verify(); got != nil || err == nil {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if new(Message).UnverifiedIssuer() != "" {
		t.Error("a zero message names an issuer")
	}
}

// TestPayloadBelongsToCaller: the message shares neither the content nor the result.
func TestPayloadBelongsToCaller(t *testing.T) {
	v := readVectorNamed(t, "ed25519")
	m, err := ParseMessage(v.content)
	if err != nil {
		t.Fatal(err)
	}
	clear(v.content)
	ring := NewKeyring(readKeys(t, "alice")...)
	first, err := ring.Verify(m, v.options())
	if err != nil {
		t.Fatal(err)
	}
	clear(first.Payload)
	clear(ring.Certificates())
	second, err := ring.Verify(m, v.options())
	if err != nil || !strings.HasPrefix(string(second.Payload), `{"critical"`) {
		t.Errorf("got %q, %v", second.Payload, err)
	}
}

// TestConcurrentUse shares a keyring and a message between goroutines, for the race detector.
func TestConcurrentUse(t *testing.T) {
	v := readVectorNamed(t, "rsa2048-zip")
	certificates := readKeys(t, "rsa2048", "alice", "subkey", "p256")
	ring := NewKeyring(certificates...)
	m, err := ParseMessage(v.content)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := ring.Verify(m, v.options()); err != nil {
				t.Error(err)
			}
			if _, err := verify(NewKeyring(certificates...), v.content, v.options()); err != nil {
				t.Error(err)
			}
			for _, c := range ring.Certificates() {
				if err := c.Check(testNow); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestManyClaimants: the number of certificates tried for one key is bounded, and the entitled one
// is found among them.
func TestManyClaimants(t *testing.T) {
	signing := pgp.Ed25519(4, testKeyTime, "alice's signing subkey")
	certificates := readKeys(t, "subkey")
	for i := range maxCandidates - 1 {
		thief := pgp.Ed25519(4, testKeyTime, "thief"+string(rune('A'+i)))
		claim := thief.Standard(pgp.TypeSubkeyBinding, testKeyTime, pgp.Flags(pgp.FlagSign))
		cert := thief.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(testFlags))
		certificates = append(certificates, readKeysFrom(t, thief.Certificate(thief.User("thief", cert), thief.Subkey(signing, claim))))
	}
	message := signing.Message(signing.Standard(pgp.TypeBinary, testKeyTime+1), nil)
	got, err := verify(NewKeyring(certificates...), message, Options{Now: testNow})
	if err != nil || got.Fingerprint != certificates[0].Fingerprint() {
		t.Errorf("got %v, %v", got, err)
	}
	m, err := ParseMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		thief := pgp.Ed25519(4, testKeyTime, "another"+string(rune('A'+i)))
		certificates = append(certificates, readKeysFrom(t, thief.Certificate(thief.Subkey(signing))))
	}
	ring := NewKeyring(certificates...)
	if n := len(ring.candidates(m)); n != maxCandidates {
		t.Errorf("%d keys are tried", n)
	}
	if got, want := ring.Cost(m), maxCandidates*costEd25519+hashCost(0); got != want {
		t.Errorf("the message costs %d, want %d", got, want)
	}
	if got := NewKeyring(readKeys(t, "rsa2048")...).Cost(m); got != 0 {
		t.Errorf("the message costs %d, and no key is tried", got)
	}
}

func TestKeyringLen(t *testing.T) {
	alice := readKeysFrom(t, testAlice.Simple("alice"))
	bob := readKeysFrom(t, testBob.Simple("bob"))
	if got := NewKeyring(alice, nil, bob, alice).Len(); got != 2 {
		t.Errorf("got %d, want 2", got)
	}
	if got := (*Keyring)(nil).Len(); got != 0 {
		t.Errorf("none: got %d", got)
	}
}
