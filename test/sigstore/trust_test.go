// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/testenv/corpus"
)

// parseRoot reads a trusted root for both verifiers.
func parseRoot(t testing.TB, document []byte) (*sigstore.Roots, root.TrustedMaterial) {
	t.Helper()
	roots, err := sigstore.ParseTrustedRoot(document)
	check(t, err)
	material, err := root.NewTrustedRootFromJSON(document)
	check(t, err)
	return roots, material
}

// newTrust configures sigstore-go.
func newTrust(t testing.TB, authorities []*sigstore.Authority, material root.TrustedMaterial, policy verify.PolicyOption, rules ...verify.VerifierOption) trust {
	t.Helper()
	verifier, err := verify.NewVerifier(material, rules...)
	check(t, err)
	return trust{authorities: authorities, verifier: verifier, policy: policy}
}

// byIdentity trusts what a trusted root vouches for, by an identity.
func byIdentity(t testing.TB, document []byte, issuer, san string) trust {
	t.Helper()
	roots, material := parseRoot(t, document)
	return newTrust(t, fulcio(roots, issuer, san), material, identity(t, issuer, san),
		verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
}

// fulcio accepts an identity of any type: sigstore-go does not tell the types apart.
func fulcio(roots *sigstore.Roots, issuer, san string) (authorities []*sigstore.Authority) {
	for _, subject := range []sigstore.Subject{{Email: san}, {URI: san}, {Username: san}} {
		authorities = append(authorities, &sigstore.Authority{
			Fulcio: &sigstore.Fulcio{Roots: roots, Issuer: issuer, Subject: subject},
		})
	}
	return authorities
}

func identity(t testing.TB, issuer, san string) verify.PolicyOption {
	t.Helper()
	id, err := verify.NewShortCertificateIdentity(issuer, "", san, "")
	check(t, err)
	return verify.WithCertificateIdentity(id)
}

// byFiles trusts the CA certificates of an instance and the key of its Rekor version 1, and asks for no entry in a
// log of certificate transparency.
func byFiles(t testing.TB, instance *st.Instance) trust {
	t.Helper()
	pem := append(st.CertificatePEM(instance.Root.Certificate.Raw), st.CertificatePEM(instance.Intermediate.Certificate.Raw)...)
	roots, err := sigstore.ParseRoots(pem, st.PublicPEM(t, instance.RekorV1.Key))
	check(t, err)
	// The trusted root with its own lists of logs and authorities but Fulcio's and that of Rekor version 1.
	document := instance.TrustedRoot(t)
	document["tlogs"] = document["tlogs"].([]st.Object)[:1]
	delete(document, "ctlogs")
	delete(document, "timestampAuthorities")
	_, material := parseRoot(t, st.JSON(t, document))
	return newTrust(t, fulcio(roots, st.Issuer, st.Email), material, identity(t, st.Issuer, st.Email),
		verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
}

// byPublicKey trusts a key, and asks for an entry in a log of the trusted root, if there is one. Ed25519 keys that have
// signed a digest have to be told from those that have signed the message.
func byPublicKey(t testing.TB, pem, document []byte, prehash bool) trust {
	t.Helper()
	keys, err := sigstore.ParseKeys(pem)
	check(t, err)
	public, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	check(t, err)
	var how []signature.LoadOption
	if prehash {
		how = append(how, options.WithED25519ph())
	}
	verifier, err := signature.LoadDefaultVerifier(public, how...)
	check(t, err)
	material := root.TrustedMaterialCollection{root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(verifier, time.Time{}, time.Time{}), nil
	})}
	authority := &sigstore.Authority{Keys: keys}
	rules := []verify.VerifierOption{verify.WithNoObserverTimestamps()}
	if document != nil {
		roots, logs := parseRoot(t, document)
		authority.Log, material = roots, append(material, logs)
		rules = append(rules, verify.WithTransparencyLog(1))
	}
	trusted := newTrust(t, []*sigstore.Authority{authority}, material, verify.WithKey(), rules...)
	trusted.unlogged = document == nil
	return trusted
}

// conformance returns the cases of sigstore-conformance that have to be verified.
func conformance(t testing.TB) (all []seed) {
	t.Helper()
	const issuer = "https://token.actions.githubusercontent.com"
	const san = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
	folder, cases := corpus.Conformance(t)
	trusts := make(map[string]trust)
	for _, dir := range cases {
		if strings.HasSuffix(dir, "_fail") {
			continue
		}
		own := func(name, otherwise string) string {
			if path := filepath.Join(dir, name); exists(path) {
				return path
			}
			return otherwise
		}
		rootFile, keyFile := own("trusted_root.json", filepath.Join(folder, "trusted_root_public_good.json")), own("key.pub", "")
		trusted, ok := trusts[rootFile+keyFile]
		switch {
		case ok:
		case keyFile != "":
			trusted = byPublicKey(t, read(t, keyFile), read(t, rootFile), false)
		default:
			trusted = byIdentity(t, read(t, rootFile), issuer, san)
		}
		trusts[rootFile+keyFile] = trusted
		digest := sha256.Sum256(read(t, own("artifact", filepath.Join(folder, "bundle-verify", "a.txt"))))
		all = append(all, seed{filepath.Base(dir), read(t, filepath.Join(dir, "bundle.sigstore.json")), digest[:], trusted})
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
	check(t, err)
	return content
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
