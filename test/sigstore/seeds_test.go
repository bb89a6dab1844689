// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/testenv/corpus"
)

// seeds returns bundles of an instance of sigstore in memory, and those of the corpus where that is
// beside the checkout.
func seeds(t *testing.T) []seed {
	t.Helper()
	return append(own(t), conformance(t)...)
}

// own returns bundles of all kinds.
func own(t testing.TB) []seed {
	t.Helper()
	instance := st.New(t)
	trust := newTrust(t, st.JSON(t, instance.TrustedRoot(t)))
	key := st.NewKey(t, elliptic.P256())
	certificate := instance.Certify(t, key, st.Leaf())
	content := []byte("content")
	digest := sha256.Sum256(content)
	statement := st.Statement(t, st.PredicateSign, hex.EncodeToString(digest[:]))
	envelope, message := st.Sign(t, key, st.PAE(statement)), st.Sign(t, key, content)
	pem := st.CertificatePEM(certificate)
	material := func(signature []byte, entry st.Object) st.Object {
		return st.Object{"certificate": st.Raw(certificate), "tlogEntries": []st.Object{entry}, "timestampVerificationData": st.Object{
			"rfc3161Timestamps": []st.Object{{"signedTimestamp": st.Base64(instance.TSA.Stamp(t, signature))}},
		}}
	}
	v1 := func(body []byte) st.Object { return instance.RekorV1.Entry(t, body) }
	v2 := func(body []byte) st.Object { return instance.RekorV2.Entry(t, body) }
	const member = "x509Certificate"
	bundles := map[string]st.Object{
		"own dsse":        st.Envelope(st.Bundle03, statement, envelope, material(envelope, v1(st.DSSE1(t, statement, envelope, pem)))),
		"own intoto":      st.Envelope(st.Bundle02, statement, envelope, material(envelope, v1(st.InToto2(t, statement, envelope, pem)))),
		"own envelope, 2": st.Envelope(st.Bundle03, statement, envelope, material(envelope, v2(st.HashedRekord2(t, st.PAE(statement), envelope, member, certificate)))),
		"own message":     st.Message(st.Bundle01, content, message, material(message, v1(st.HashedRekord1(t, content, message, pem)))),
		"own message, 2":  st.Message(st.Bundle03, content, message, material(message, v2(st.HashedRekord2(t, content, message, member, certificate)))),
	}
	var all []seed
	for _, name := range slices.Sorted(maps.Keys(bundles)) {
		all = append(all, seed{name, st.JSON(t, bundles[name]), digest[:], trust, st.Issuer, st.Email})
	}
	return all
}

// conformance returns the cases of sigstore-conformance that are verified with a certificate.
func conformance(t testing.TB) []seed {
	t.Helper()
	const issuer = "https://token.actions.githubusercontent.com"
	const san = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
	folder, cases := corpus.Conformance(t)
	trusts := make(map[string]*trust)
	var all []seed
	for _, dir := range cases {
		if strings.HasSuffix(dir, "_fail") || exists(filepath.Join(dir, "key.pub")) || exists(filepath.Join(dir, "identity")) {
			continue
		}
		rootFile, artifact := filepath.Join(dir, "trusted_root.json"), filepath.Join(dir, "artifact")
		if !exists(rootFile) {
			rootFile = filepath.Join(folder, "trusted_root_public_good.json")
		}
		if !exists(artifact) {
			artifact = filepath.Join(folder, "bundle-verify", "a.txt")
		}
		if trusts[rootFile] == nil {
			trusts[rootFile] = newTrust(t, read(t, rootFile))
		}
		digest := sha256.Sum256(read(t, artifact))
		bundle := read(t, filepath.Join(dir, "bundle.sigstore.json"))
		if json.Valid(bundle) {
			all = append(all, seed{filepath.Base(dir), bundle, digest[:], trusts[rootFile], issuer, san})
		}
	}
	return all
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
