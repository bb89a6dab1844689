// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// rows are bundles of an instance in memory, whose keys are all on P-256. Certificate, SCT, signature and two of the
// timestamp make five verifications beside those of the log: the promise and the checkpoint of version 1, the
// checkpoint of version 2.
var rows = []struct {
	name, seed    string
	verifications int
}{
	{"fulcio-rekor-v1", "own message", 7},
	{"bundle-v0.3", "own dsse", 7},
	{"bundle-v0.3-rekor-v2", "own envelope, 2", 6},
}

// BenchmarkVerify compares the time for one bundle, from its content to a verdict, with that of the bare verifications
// on P-256 that it needs.
func BenchmarkVerify(b *testing.B) {
	now := time.Now()
	seeds := make(map[string]seed)
	for _, s := range own(b) {
		seeds[s.name] = s
	}
	benchmarkKey(b)
	for _, row := range rows {
		s := seeds[row.seed]
		repeat(b, row.name+"/crypto", bare(b, row.verifications))
		repeat(b, row.name+"/assay", func() error { return orNil(s.assay(s.bundle, now)) })
		repeat(b, row.name+"/sigstore-go", func() error { return s.sigstoreGo(s.bundle) })
	}
}

// orNil keeps a nil pointer from becoming an error.
func orNil(err *sigstore.Error) error {
	if err == nil {
		return nil
	}
	return err
}

func repeat(b *testing.B, name string, verify func() error) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := verify(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// bare verifies a signature on P-256 a number of times.
func bare(b *testing.B, verifications int) func() error {
	b.Helper()
	key := st.NewKey(b, elliptic.P256())
	digest := sha256.Sum256([]byte("content"))
	signature := st.Sign(b, key, []byte("content"))
	return func() error {
		for range verifications {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
				return errors.New("the signature is not valid")
			}
		}
		return nil
	}
}

// benchmarkKey compares a bundle by a public key without a log, as cosign 3 makes it.
func benchmarkKey(b *testing.B) {
	b.Helper()
	key := st.NewKey(b, elliptic.P256())
	digest := sha256.Sum256([]byte("content"))
	statement := st.Statement(b, st.PredicateSign, hex.EncodeToString(digest[:]))
	content := st.JSON(b, st.Envelope(st.Bundle03, statement, st.Sign(b, key, st.PAE(statement)), st.Object{"publicKey": st.Object{"hint": ""}}))
	trusted, err := pubkey.Parse(st.SPKI(b, key))
	if err != nil {
		b.Fatal(err)
	}
	authorities := []*sigstore.Authority{{Keys: []*pubkey.Key{trusted}}}
	verifier, err := signature.LoadECDSAVerifier(&key.PublicKey, crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(verifier, time.Time{}, time.Time{}), nil
	})
	theirs, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
	if err != nil {
		b.Fatal(err)
	}
	repeat(b, "ecdsa-p256-key/crypto", bare(b, 1))
	repeat(b, "ecdsa-p256-key/assay", func() error {
		parsed, err := sigstore.Parse(content)
		if err != nil {
			return err
		}
		_, err = parsed.Authenticate(authorities, sigstore.Input{Now: time.Now()})
		return err
	})
	repeat(b, "ecdsa-p256-key/sigstore-go", func() error {
		var read bundle.Bundle
		if err := read.UnmarshalJSON(content); err != nil {
			return err
		}
		_, err := theirs.Verify(&read, verify.NewPolicy(verify.WithArtifactDigest("sha256", digest[:]), verify.WithKey()))
		return err
	})
}

// BenchmarkPublicGood compares the same for real bundles of the public instance, whose CA is on P-384.
func BenchmarkPublicGood(b *testing.B) {
	now := time.Now()
	for _, s := range conformance(b) {
		switch s.name {
		case "happy-path-v0.1", "happy-path-v0.3", "happy-path-intoto-in-dsse-v3", "rekor2-happy-path":
		default:
			continue
		}
		repeat(b, s.name+"/assay", func() error { return orNil(s.assay(s.bundle, now)) })
		repeat(b, s.name+"/sigstore-go", func() error { return s.sigstoreGo(s.bundle) })
	}
}
