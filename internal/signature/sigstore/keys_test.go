// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto"
	"crypto/elliptic"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/verify"
)

// TestOneKeyInTwoEntriesIsOneSigner checks that a key that two entries of a policy hold
// counts once, whatever their order.
func TestOneKeyInTwoEntriesIsOneSigner(t *testing.T) {
	key, other := st.NewKey(t, elliptic.P256()), st.NewEd25519(t)
	files := []verify.NamedKeyFile{{Entry: "b", File: keys(t, key, other)}, {Entry: "a", File: keys(t, key)}}
	want := verify.SignerID{Entry: "a", Key: fingerprint(t, key)}
	content := blob(t, key, st.Payload(t, testDigest.String(), testReference))
	for range 2 {
		trust := Format{}.NewTrust(files)
		if trust.Len() != 2 {
			t.Errorf("%d keys, want 2", trust.Len())
		}
		signed, err := authenticate(t, trust, content)
		if err != nil {
			t.Fatal(err)
		}
		if got := signed.Signer().ID; got != want {
			t.Errorf("signer %+v, want %+v", got, want)
		}
		files[0], files[1] = files[1], files[0]
	}
}

// TestKeysOfOneEntryAreSeveralSigners checks that the signer is the key and not the entry.
func TestKeysOfOneEntryAreSeveralSigners(t *testing.T) {
	key, other := st.NewKey(t, elliptic.P384()), st.NewRSA(t, 2048)
	trust := trusting(t, key, other)
	payload := st.Payload(t, testDigest.String(), testReference)
	first, err := authenticate(t, trust, blob(t, key, payload))
	if err != nil {
		t.Fatal(err)
	}
	second, err := authenticate(t, trust, blob(t, other, payload))
	if err != nil {
		t.Fatal(err)
	}
	if first.Signer().ID == second.Signer().ID {
		t.Errorf("both are by %+v", first.Signer().ID)
	}
}

// TestKeys checks the status of keys, in the order of the file.
func TestKeys(t *testing.T) {
	rsa, ed, p521 := st.NewRSA(t, 2048), st.NewEd25519(t), st.NewKey(t, elliptic.P521())
	file := keys(t, rsa, ed, p521)
	trust := Format{}.NewTrust([]verify.NamedKeyFile{{Entry: "b", File: file}})
	want := []verify.KeyStatus{
		{Fingerprint: fingerprint(t, rsa), Algorithm: "RSA-2048", Unrevoked: []string{fingerprint(t, rsa)}},
		{Fingerprint: fingerprint(t, ed), Algorithm: "Ed25519", Unrevoked: []string{fingerprint(t, ed)}},
		{Fingerprint: fingerprint(t, p521), Algorithm: "ECDSA-P-521", Unrevoked: []string{fingerprint(t, p521)}},
	}
	if diff := cmp.Diff(want, trust.Keys(file, testNow)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if file.Cost() != 3*keyCost || file.Problems() != nil {
		t.Errorf("cost %d, problems %v", file.Cost(), file.Problems())
	}
}

// TestKeyFiles checks which files are taken for key files, and which of them can be used.
func TestKeyFiles(t *testing.T) {
	good := string(st.PublicPEM(t, st.NewEd25519(t)))
	tests := map[string]struct {
		data  string
		isKey bool
		err   string // Part of it; empty for a usable file.
	}{
		"a key with text around it": {"cosign\n" + good + "end\n", true, ""},
		"a certificate":             {string(st.CertificatePEM([]byte("x"))), true, "the file is a certificate in PEM"},
		"a key that is too small":   {string(st.PublicPEM(t, st.NewRSA(t, 1024))), true, "RSA of 2048 to 8192 bits"},
		"a good key and a bad one":  {good + strings.Replace(good, "MC", "XX", 1), true, "public key 2"},
		"OpenPGP":                   {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", false, "malformed"},
		"text":                      {"<html>", false, "the file is an HTML page"},
		"nothing":                   {"", false, "the file is empty"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (Format{}).IsKeyFile([]byte(tt.data)); got != tt.isKey {
				t.Errorf("IsKeyFile is %t", got)
			}
			file, err := Format{}.ParseKeyFile([]byte(tt.data))
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if (file.Cost() > 0) != (tt.err == "") {
				t.Errorf("cost %d", file.Cost())
			}
		})
	}
}

// TestSpend checks that slow keys cost more, that every key that is tried counts, and that nothing is
// tried that the decision does not allow.
func TestSpend(t *testing.T) {
	p256, p384, p521 := st.NewKey(t, elliptic.P256()), st.NewKey(t, elliptic.P384()), st.NewKey(t, elliptic.P521())
	stranger := st.NewKey(t, elliptic.P256())
	payload := st.Payload(t, testDigest.String(), testReference)
	m, err := Format{}.Parse(blob(t, stranger, payload), &verify.Budget{})
	if err != nil {
		t.Fatal(err)
	}
	spent := func(keys ...crypto.Signer) (total int) {
		_, err := trusting(t, keys...).Authenticate(m, verify.Circumstances{Now: testNow, Spend: func(cost int) bool {
			total += cost
			return true
		}})
		if err == nil {
			t.Error("a stranger's signature is accepted")
		}
		return total
	}
	if spent(p256) <= 0 || spent(p384) <= spent(p256) || spent(p521) <= spent(p384) {
		t.Errorf("P-256 costs %d, P-384 %d, P-521 %d", spent(p256), spent(p384), spent(p521))
	}
	if got, want := spent(p256, p521), spent(p256)+spent(p521); got != want {
		t.Errorf("two keys cost %d, want %d", got, want)
	}
	_, err = trusting(t, stranger).Authenticate(m, verify.Circumstances{Now: testNow, Spend: func(int) bool { return false }})
	var got *verify.Error
	if !errors.As(err, &got) || got.Reason != assayv1alpha1.ReasonOverBudget || !got.Unsupported || got.NeedsKey {
		t.Errorf("%+v, want that it could not be checked", err)
	}
}
