// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"crypto"
	"crypto/elliptic"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// TestVerifySigstore checks exit code, outcome and reason of signatures of type sigstore by key.
func TestVerifySigstore(t *testing.T) {
	dir, openpgp := files(t)
	key, other := st.NewKey(t, elliptic.P256()), st.NewEd25519(t)
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const repository = "registry.example.com/team/app"
	blob := func(reference string) []byte {
		payload := st.Payload(t, appDigest, reference)
		return st.Blob(t, payload, st.Sign(t, key, payload), nil)
	}
	bundle := func(predicateType string) []byte {
		statement := st.Statement(t, predicateType, strings.TrimPrefix(appDigest, "sha256:"))
		return st.JSON(t, st.Envelope(st.Bundle03, statement, st.Sign(t, key, st.PAE(statement)),
			st.Object{"publicKey": st.Object{"hint": "hint"}}))
	}
	good := openpgp.with("type", "sigstore").
		with("signature", write("app.sigstore", blob(appReference))).
		with("trusted-key", write("cosign.pub", st.PublicPEM(t, key)))
	tagless := good.with("signature", write("tagless", blob(repository)))
	otherKey := write("other.pub", st.PublicPEM(t, other))
	alice := openpgp["trusted-key"][0]
	keyID := "0x" + strings.ToUpper(hex.EncodeToString(st.Digest(crypto.SHA256, st.SPKI(t, key))))

	tests := map[string]struct {
		flags    flags
		exit     int
		reason   string
		message  string // Part of it.
		identity string // Of a verified signature.
	}{
		"verified": {
			flags: good, reason: "Verified", message: "signed by " + keyID + ", trusted by --trusted-key", identity: appReference,
		},
		"beside OpenPGP and another key": {flags: good.with("trusted-key", alice, otherKey, good["trusted-key"][0]), reason: "Verified", identity: appReference},
		"the key that is asked for":      {flags: good.with("public-key-id", keyID), reason: "Verified", identity: appReference},
		"by digest":                      {flags: good.with("manifest").with("digest", appDigest), reason: "Verified", identity: appReference},
		"without a tag, MatchRepository": {flags: tagless.with("match-policy", "MatchRepository"), reason: "Verified", identity: repository},
		"without a tag":                  {flags: tagless, exit: 1, reason: "IdentityMismatch", message: "needs MatchRepository"},
		"without a name": {
			flags: good.with("signature", write("bundle.json", bundle(st.PredicateSign))).with("match-policy", "MatchRepository"),
			exit:  1, reason: "IdentityMismatch", message: "the signature states no name of the image",
		},
		"an attestation":           {flags: good.with("signature", write("slsa.json", bundle("https://slsa.dev/provenance/v1"))), exit: 1, reason: "NotASignature"},
		"another key":              {flags: good.with("trusted-key", otherKey), exit: 1, reason: "UntrustedKey"},
		"another key is asked for": {flags: good.with("public-key-id", "0x"+strings.Repeat("0", 64)), exit: 1, reason: "PublicKeyIDMismatch"},
		"OpenPGP keys alone":       {flags: good.with("trusted-key", alice), exit: 1, reason: "UntrustedKey"},
		"another manifest":         {flags: good.with("manifest", filepath.Join(dir, "other.json")), exit: 1, reason: "DigestMismatch"},
		"the wrong type":           {flags: good.with("type", "atomic"), exit: 1, reason: "MalformedSignature"},
		"an OpenPGP signature":     {flags: good.with("signature", openpgp["signature"][0]), exit: 1, reason: "MalformedSignature"},
		"a certificate as a key": {
			flags: good.with("trusted-key", write("ca.pem", st.CertificatePEM([]byte("x")))), exit: 2, reason: "KeysUnavailable",
		},
	}
	outcomes := map[int]string{0: "verified", 1: "refused", 2: "could not be checked"}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := run("", tt.flags.with("output", "json").args()...)
			if got.exit != tt.exit || (got.stderr != "") != (tt.exit == 2) {
				t.Errorf("exit code %d, want %d; standard error %q", got.exit, tt.exit, got.stderr)
			}
			d := got.decision(t)
			if !strings.Contains(d.Message, tt.message) {
				t.Errorf("message %q, want it to contain %q", d.Message, tt.message)
			}
			want := decision{Verified: tt.exit == 0, Outcome: outcomes[tt.exit], Reason: tt.reason, Message: d.Message, PublicKeyID: d.PublicKeyID}
			if want.Verified {
				want.ImageIdentity, want.PublicKeyID = tt.identity, keyID
			}
			if diff := cmp.Diff(want, d); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			if strings.Contains(got.stdout, `"created"`) {
				t.Errorf("a time that nothing states:\n%s", got.stdout)
			}
		})
	}

	t.Run("text", func(t *testing.T) {
		want := "verified (Verified): signed by " + keyID + ", trusted by --trusted-key\n" +
			"  image:     " + appDigest + "\n  identity:  " + appReference + "\n  key:       " + keyID + "\n"
		if got := run("", good.args()...); got.stdout != want {
			t.Errorf("got\n%s\nwant\n%s", got.stdout, want)
		}
	})
}
