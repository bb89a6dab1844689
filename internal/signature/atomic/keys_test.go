// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package atomic

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/verify"
)

// Times in seconds since the epoch.
const (
	keyTime = 1735689600 // 2025-01-01
	sigTime = 1748736000 // 2025-06-01
)

var testNow = time.Unix(1767225600, 0).UTC() // 2026-01-01

const payload = `{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":` +
	`"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},` +
	`"identity":{"docker-reference":"registry.example.com/app:v1"}},"optional":{%s}}`

func mustParse(t *testing.T, data []byte) verify.KeyFile {
	t.Helper()
	if !(Format{}).IsKeyFile(data) {
		t.Error("the file is not recognized")
	}
	file, err := Format{}.ParseKeyFile(data)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func authenticate(t *testing.T, trust verify.Trust, key *pgp.Key, payload string) (verify.Signed, error) {
	t.Helper()
	message, err := Format{}.Parse(key.Message(key.Standard(pgp.TypeBinary, sigTime), []byte(payload)), &verify.Budget{})
	if err != nil {
		t.Fatal(err)
	}
	return trust.Authenticate(message, verify.Circumstances{Now: testNow})
}

// TestOneKeyInTwoEntriesIsOneSigner checks that a certificate that two entries of a policy
// hold counts once, whatever their order.
func TestOneKeyInTwoEntriesIsOneSigner(t *testing.T) {
	key := pgp.Ed25519(4, keyTime, "atomic alice")
	file := mustParse(t, key.Simple("alice"))
	files := []verify.NamedKeyFile{{Entry: "b", File: file}, {Entry: "a", File: mustParse(t, key.Simple("alice"))}}
	want := verify.SignerID{Entry: "a", Key: fmt.Sprintf("%X", key.Fingerprint())}
	for range 2 {
		signed, err := authenticate(t, Format{}.NewTrust(files), key, fmt.Sprintf(payload, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := signed.Signer().ID; got != want {
			t.Errorf("signer %+v, want %+v", got, want)
		}
		files[0], files[1] = files[1], files[0]
	}
}

// TestKeys checks that the status of a key is that of all files together.
func TestKeys(t *testing.T) {
	alice, bob := pgp.Ed25519(4, keyTime, "atomic alice"), pgp.Ed25519(4, keyTime, "atomic bob")
	first := mustParse(t, alice.Simple("alice"))
	revoked := mustParse(t, alice.Certificate(alice.Direct(alice.Standard(pgp.TypeKeyRevocation, sigTime)),
		alice.User("alice", alice.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(pgp.FlagSign)))))
	other := mustParse(t, bob.Simple("bob"))
	trust := Format{}.NewTrust([]verify.NamedKeyFile{{Entry: "a", File: first}, {Entry: "b", File: revoked}, {Entry: "c", File: other}})
	status := func(key *pgp.Key, name string) verify.KeyStatus {
		return verify.KeyStatus{
			Fingerprint: fmt.Sprintf("%X", key.Fingerprint()), UserID: name, Algorithm: "Ed25519",
			Created: time.Unix(keyTime, 0).UTC(), Unrevoked: []string{fmt.Sprintf("%X", key.Fingerprint())},
		}
	}
	for _, file := range []verify.KeyFile{first, revoked} {
		got := trust.Keys(file, testNow)
		if len(got) != 1 || got[0].Err == nil || got[0].Err.Reason != assayv1alpha1.ReasonKeyRevoked ||
			!slices.Equal(got[0].Revoked, []string{fmt.Sprintf("%X", alice.Fingerprint())}) || len(got[0].Unrevoked) > 0 {
			t.Errorf("%+v, want one revoked key", got)
		}
	}
	if diff := cmp.Diff([]verify.KeyStatus{status(bob, "bob")}, trust.Keys(other, testNow)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := authenticate(t, trust, alice, fmt.Sprintf(payload, "")); err == nil {
		t.Error("a key that another file revokes is trusted")
	}
}

// TestUnusableKey checks the reason for a key that may not sign, and for one of an algorithm that
// is not known.
func TestUnusableKey(t *testing.T) {
	key := pgp.Ed25519(4, keyTime, "atomic certify only")
	unknown := pgp.Public(6, 32, keyTime, make([]byte, 32)) // SLH-DSA.
	for want, data := range map[string][]byte{
		assayv1alpha1.ReasonUnusableKey:          key.Certificate(key.User("carol", key.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(pgp.FlagCertify)))),
		assayv1alpha1.ReasonUnsupportedAlgorithm: unknown.Certificate(),
	} {
		file := mustParse(t, data)
		got := Format{}.NewTrust([]verify.NamedKeyFile{{Entry: "a", File: file}}).Keys(file, testNow)
		if len(got) != 1 || got[0].Err == nil || got[0].Err.Reason != want {
			t.Errorf("%+v, want one key that is not usable: %s", got, want)
		}
	}
}

// TestStatement checks what becomes of the payload.
func TestStatement(t *testing.T) {
	key := pgp.Ed25519(4, keyTime, "atomic alice")
	trust := Format{}.NewTrust([]verify.NamedKeyFile{{Entry: "a", File: mustParse(t, key.Simple("alice"))}})
	tests := map[string]struct {
		payload string
		created int64
		err     bool
	}{
		"created as the packet says": {payload: fmt.Sprintf(payload, ""), created: sigTime},
		"created as it claims":       {payload: fmt.Sprintf(payload, `"timestamp":1740000000`), created: 1740000000},
		"not a statement":            {payload: `{"critical":{}}`, err: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signed, err := authenticate(t, trust, key, tt.payload)
			if err != nil {
				t.Fatal(err)
			}
			statement, err := signed.Statement()
			if (err != nil) != tt.err {
				t.Fatalf("error %v", err)
			}
			if err == nil && (statement.Created.Unix() != tt.created || statement.Name != "registry.example.com/app:v1") {
				t.Errorf("%+v", statement)
			}
		})
	}
}

// TestNotAKeyFile checks that an error says that there is no key.
func TestNotAKeyFile(t *testing.T) {
	if (Format{}).IsKeyFile([]byte("<html>")) {
		t.Error("HTML is taken for a key file")
	}
	if file, err := (Format{}).ParseKeyFile([]byte("<html>")); err == nil {
		t.Errorf("HTML holds %+v", file)
	}
}

// TestFormat checks what the decision learns from a message before it is authenticated.
func TestFormat(t *testing.T) {
	if got := (Format{}).Types(); len(got) != 2 || (Format{}).Name() == "" {
		t.Errorf("format %q with the types %v, want OpenShift's and skopeo's name", (Format{}).Name(), got)
	}
	key := pgp.Ed25519(4, keyTime, "atomic alice")
	expires := uint32(1000)
	content := key.Message(key.Standard(pgp.TypeBinary, sigTime, pgp.Sub32(pgp.SubExpires, expires+uint32(testNow.Unix()-sigTime))), fmt.Appendf(nil, payload, ""))
	message, err := Format{}.Parse(content, &verify.Budget{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := message.UnverifiedKeyID(), fmt.Sprintf("0x%X", key.Fingerprint()); got != want {
		t.Errorf("the message names %s, want %s", got, want)
	}
	file := mustParse(t, key.Simple("alice"))
	if file.Cost() <= 0 || len(file.Problems()) != 0 {
		t.Errorf("the file costs %d and has the problems %q", file.Cost(), file.Problems())
	}
	signed, err := Format{}.NewTrust([]verify.NamedKeyFile{{Entry: "a", File: file}}).Authenticate(message, verify.Circumstances{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := signed.ValidUntil(), testNow.Add(time.Duration(expires)*time.Second); !got.Equal(want) {
		t.Errorf("valid until %s, want %s", got, want)
	}
	if _, err := (Format{}).Parse([]byte("not a message"), &verify.Budget{}); err == nil {
		t.Error("text is parsed as a message")
	}
}
