// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"crypto/elliptic"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/signature"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("configmap " + name)}, Data: data}
}

func fromSecret(name, key string) *assayv1alpha1.TrustSource {
	return &assayv1alpha1.TrustSource{SecretRef: &assayv1alpha1.KeySourceRef{Name: name, Key: key}}
}

func fromConfigMap(name, key string) *assayv1alpha1.TrustSource {
	return &assayv1alpha1.TrustSource{ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: name, Key: key}}
}

func fulcioSigner(name string, change func(*assayv1alpha1.FulcioSigner)) assayv1alpha1.TrustedSigner {
	f := &assayv1alpha1.FulcioSigner{OIDCIssuer: st.Issuer, Subject: assayv1alpha1.FulcioSubject{Email: st.Email}}
	change(f)
	return assayv1alpha1.TrustedSigner{Name: assayv1alpha1.EntryName(name), Fulcio: f}
}

func pkiSigner(name string, ca, intermediates *assayv1alpha1.TrustSource) assayv1alpha1.TrustedSigner {
	return assayv1alpha1.TrustedSigner{Name: assayv1alpha1.EntryName(name), PKI: &assayv1alpha1.PKISigner{
		CACertificates: *ca, Intermediates: intermediates, Subject: assayv1alpha1.PKISubject{Email: st.Email},
	}}
}

// TestRoots reads what entries trust beside keys: which entries can be used, and why the others cannot.
func TestRoots(t *testing.T) {
	i := st.New(t)
	root := string(st.JSON(t, i.TrustedRoot(t)))
	ca, intermediate := string(st.CertificatePEM(i.Root.Certificate.Raw)), string(st.CertificatePEM(i.Intermediate.Certificate.Raw))
	rekor := string(st.PublicPEM(t, i.RekorV1.Key))
	key := string(st.PublicPEM(t, st.NewKey(t, elliptic.P256())))
	openPGP := string(pgp.Armor("PGP PUBLIC KEY BLOCK", pgp.Ed25519(4, 1735689600, "trust").Simple("a")))
	inline := func(text string) *assayv1alpha1.TrustSource { return &assayv1alpha1.TrustSource{Inline: text} }
	byRoot := func(source *assayv1alpha1.TrustSource) assayv1alpha1.TrustedSigner {
		return fulcioSigner("entry", func(f *assayv1alpha1.FulcioSigner) { f.TrustedRoot = source })
	}
	byPEM := func(ca, rekor *assayv1alpha1.TrustSource) assayv1alpha1.TrustedSigner {
		return fulcioSigner("entry", func(f *assayv1alpha1.FulcioSigner) { f.CACertificates, f.RekorKeys = ca, rekor })
	}
	inLog := func(key string, log assayv1alpha1.TransparencyLog) assayv1alpha1.TrustedKey {
		return assayv1alpha1.TrustedKey{Name: "entry", Inline: key, TransparencyLog: &log}
	}
	type entry struct {
		key    *assayv1alpha1.TrustedKey
		signer *assayv1alpha1.TrustedSigner
	}
	signer := func(s assayv1alpha1.TrustedSigner) entry { return entry{signer: &s} }
	withKey := func(k assayv1alpha1.TrustedKey) entry { return entry{key: &k} }
	tests := map[string]struct {
		entry  entry
		reason string // Empty for an entry that can be used.
		err    string
	}{
		"inline root":           {signer(byRoot(inline(root))), "", ""},
		"root in a ConfigMap":   {signer(byRoot(fromConfigMap("roots", "trusted_root.json"))), "", ""},
		"root alone in it":      {signer(byRoot(fromConfigMap("root", ""))), "", ""},
		"PEM in a Secret":       {signer(byPEM(fromSecret("pem", "ca"), fromSecret("pem", "rekor"))), "", ""},
		"several CAs":           {signer(byPEM(fromSecret("cas", ""), fromSecret("pem", "rekor"))), "", ""},
		"another CA":            {signer(pkiSigner("entry", fromSecret("pem", "ca"), fromSecret("cas", "intermediate"))), "", ""},
		"key in a log by root":  {withKey(inLog(key, assayv1alpha1.TransparencyLog{TrustedRoot: fromConfigMap("root", "")})), "", ""},
		"key in a log by key":   {withKey(inLog(key, assayv1alpha1.TransparencyLog{RekorKeys: fromSecret("pem", "rekor")})), "", ""},
		"no ConfigMap":          {signer(byRoot(fromConfigMap("gone", ""))), "SourceNotFound", "fulcio.trustedRoot: ConfigMap/gone: there is no ConfigMap gone"},
		"no entry in it":        {signer(byRoot(fromConfigMap("root", "gone"))), "SourceNotFound", "ConfigMap root has no key gone"},
		"several roots":         {signer(byRoot(fromConfigMap("roots", ""))), "MalformedRoots", "several trusted roots"},
		"keys as a root":        {signer(byRoot(fromSecret("pem", "rekor"))), "MalformedRoots", "fulcio.trustedRoot: Secret/pem[rekor]: trusted root: "},
		"keys as certificates":  {signer(byPEM(fromSecret("pem", "rekor"), fromSecret("pem", "rekor"))), "MalformedRoots", "fulcio.caCertificates"},
		"certificates as keys":  {signer(byPEM(fromSecret("pem", "ca"), fromSecret("pem", "ca"))), "MalformedRoots", "fulcio.rekorKeys"},
		"one broken of several": {signer(byPEM(fromSecret("broken", ""), fromSecret("pem", "rekor"))), "MalformedRoots", "Secret/broken[b]"},
		"no intermediates":      {signer(pkiSigner("entry", fromSecret("pem", "ca"), fromSecret("gone", ""))), "SourceNotFound", "pki.intermediates"},
		"no kind":               {signer(assayv1alpha1.TrustedSigner{Name: "entry"}), "MalformedRoots", "exactly one of"},
		"a log that is missing": {withKey(inLog(key, assayv1alpha1.TransparencyLog{TrustedRoot: fromSecret("gone", "")})), "SourceNotFound", "transparencyLog.trustedRoot"},
		"an OpenPGP key in a log": {
			withKey(inLog(openPGP, assayv1alpha1.TransparencyLog{RekorKeys: fromSecret("pem", "rekor")})), "MalformedRoots", "is for public keys in PEM",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			policy := newPolicy("team")
			if tt.entry.key != nil {
				policy.Spec.Keys = []assayv1alpha1.TrustedKey{*tt.entry.key}
			} else {
				policy.Spec.Signers = []assayv1alpha1.TrustedSigner{*tt.entry.signer}
			}
			c := newCluster(t, policy,
				configMap("root", map[string]string{"trusted_root.json": root}),
				configMap("roots", map[string]string{"trusted_root.json": root, "other.json": root}),
				newSecret("pem", map[string]string{"ca": ca + intermediate, "rekor": rekor}),
				newSecret("cas", map[string]string{"root": ca, "intermediate": intermediate}),
				newSecret("broken", map[string]string{"a": ca, "b": "no certificate"}))
			c.store.Formats = signature.Formats()
			applied := c.snapshot().PoliciesFor(imageOf(t, "team"))
			if len(applied) != 1 || applied[0].Err != nil {
				t.Fatalf("policies %+v", applied)
			}
			got := c.snapshot().Policy("team")
			usable := tt.reason == ""
			if signers := applied[0].Trust["sigstore"].Len(); (signers == 1) != usable {
				t.Errorf("%d signers are trusted", signers)
			}
			if want := map[bool][]string{false: {"entry"}}[usable]; !slices.Equal(applied[0].UnavailableKeys, want) {
				t.Errorf("unavailable %q, want %q", applied[0].UnavailableKeys, want)
			}
			err := got.RootsErr("entry")
			if usable {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			if err == nil || err.Reason != tt.reason || !strings.Contains(err.Error(), tt.err) || errors.Unwrap(err) == nil {
				t.Errorf("error %+v, want %s: %s", err, tt.reason, tt.err)
			}
			if tt.entry.signer != nil {
				if status := got.SignerStatus("entry", st.Time); status.Err == nil || status.Err.Reason != tt.reason {
					t.Errorf("status %+v, want %s", status, tt.reason)
				}
			}
		})
	}
}

// TestChangedRoots checks that only other bytes make another policy, and that the same root in several
// entries is parsed once.
func TestChangedRoots(t *testing.T) {
	first, second := string(st.JSON(t, st.New(t).TrustedRoot(t))), string(st.JSON(t, st.New(t).TrustedRoot(t)))
	policy := newPolicy("team")
	policy.Spec.Signers = []assayv1alpha1.TrustedSigner{
		fulcioSigner("a", func(f *assayv1alpha1.FulcioSigner) { f.TrustedRoot = fromConfigMap("root", "") }),
		fulcioSigner("b", func(f *assayv1alpha1.FulcioSigner) {
			f.TrustedRoot = &assayv1alpha1.TrustSource{Inline: first}
		}),
	}
	policy.Spec.UnnamedSignatures = assayv1alpha1.UnnamedSignaturesAccept
	root := configMap("root", map[string]string{"trusted_root.json": first})
	c := newCluster(t, policy, root)
	c.store.Formats = signature.Formats()
	before := c.snapshot().Policy("team")
	parsed := func(p *trust.Policy, signer int) verify.KeyFile {
		t.Helper()
		file, err := p.Signers[signer].Roots[0].Files[0].Parsed()
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	if parsed(before, 0) != parsed(before, 1) {
		t.Error("the same root in two sources is parsed twice")
	}
	if applied := c.snapshot().PoliciesFor(imageOf(t, "team")); len(applied) != 1 || !applied[0].AcceptUnnamed {
		t.Errorf("policies %+v, want that signatures without a name are accepted", applied)
	}
	root.Labels = map[string]string{"changed": "yes"}
	if after := c.changed(root).Policy("team"); after != before {
		t.Error("after a change of labels, the policy is another one")
	}
	root.Data["trusted_root.json"] = second
	after := c.changed(root).Policy("team")
	if after == before || parsed(after, 0) == parsed(before, 0) || parsed(after, 1) != parsed(before, 1) {
		t.Error("after a change of one root, the policy is the same, or more of it has changed")
	}
}

// TestSkippedPartsOfRoots checks that what is passed over in a trusted root is reported.
func TestSkippedPartsOfRoots(t *testing.T) {
	doc := st.New(t).TrustedRoot(t)
	doc["tlogs"].([]st.Object)[1]["hashAlgorithm"] = "SHA3"
	policy := newPolicy("team")
	policy.Spec.Signers = []assayv1alpha1.TrustedSigner{
		fulcioSigner("a", func(f *assayv1alpha1.FulcioSigner) {
			f.TrustedRoot = &assayv1alpha1.TrustSource{Inline: string(st.JSON(t, doc))}
		}),
		fulcioSigner("b", func(f *assayv1alpha1.FulcioSigner) { f.TrustedRoot = fromSecret("gone", "") }),
	}
	c := newCluster(t, policy)
	c.store.Formats = signature.Formats()
	got := c.snapshot().Policy("team")
	want := []string{"fulcio.trustedRoot: inline: passed over for an algorithm that is not supported: tlogs[1]"}
	if diff := cmp.Diff(want, got.Problems(&got.Signers[0])); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if problems := got.Problems(&got.Signers[1]); problems != nil {
		t.Errorf("a source that is missing has the problems %q", problems)
	}
	if status := got.SignerStatus("a", st.Time); status.Err != nil {
		t.Errorf("the signer is not usable: %v", status.Err)
	}
	if status := got.SignerStatus("none", st.Time); status.Err == nil {
		t.Error("a signer that the policy does not have is usable")
	}
}

// TestRootsCount checks that roots count for the bound of what a policy may cost to parse, once for the
// same content, and that nothing is parsed beyond it.
func TestRootsCount(t *testing.T) {
	policy := newPolicy("team", "cost 1000001")
	policy.Spec.Signers = []assayv1alpha1.TrustedSigner{
		fulcioSigner("a", func(f *assayv1alpha1.FulcioSigner) { f.TrustedRoot = fromConfigMap("root", "") }),
	}
	c := newCluster(t, policy, configMap("root", map[string]string{"a": string(st.JSON(t, st.New(t).TrustedRoot(t)))}))
	got := c.snapshot().Policy("team")
	if err := got.Err(); err == nil || !strings.Contains(err.Error(), "take too long") {
		t.Errorf("error %v, want that it takes too long", err)
	}
	policy.Spec.Keys, policy.Generation = nil, 2
	if err := c.changed(policy).Policy("team").Err(); err != nil {
		t.Errorf("without the key: %v", err)
	}
	twice := newPolicy("twice", "cost 600000", "cost 600000", "cost 1")
	if err := newCluster(t, twice).snapshot().Policy("twice").Err(); err != nil {
		t.Errorf("the same key in two entries: %v", err)
	}
}

// TestSourcesAreIndexed checks that a change of any object that a policy reads is found.
func TestSourcesAreIndexed(t *testing.T) {
	policy := newPolicy("team")
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{
		{Name: "a", SecretRef: &assayv1alpha1.KeySourceRef{Name: "keys"}, TransparencyLog: &assayv1alpha1.TransparencyLog{TrustedRoot: fromSecret("log-root", "")}},
		{Name: "b", ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: "keys"}, TransparencyLog: &assayv1alpha1.TransparencyLog{RekorKeys: fromConfigMap("log-keys", "x")}},
		{Name: "c", Inline: "x"},
	}
	policy.Spec.Signers = []assayv1alpha1.TrustedSigner{
		fulcioSigner("d", func(f *assayv1alpha1.FulcioSigner) { f.TrustedRoot = fromConfigMap("root", "") }),
		fulcioSigner("e", func(f *assayv1alpha1.FulcioSigner) {
			f.CACertificates, f.RekorKeys = fromSecret("fulcio", "ca"), fromSecret("rekor", "")
		}),
		pkiSigner("f", fromSecret("pki", ""), fromConfigMap("intermediates", "")),
	}
	scheme := runtime.NewScheme()
	if err := assayv1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(policy)
	builder = builder.WithIndex(&assayv1alpha1.TrustPolicy{}, trust.KeySourceIndex, trust.KeySourcesOfPolicy)
	reader := builder.Build()
	for source, want := range map[string]int{
		"Secret/keys": 1, "ConfigMap/keys": 1, "Secret/log-root": 1, "ConfigMap/log-keys": 1, "ConfigMap/root": 1,
		"Secret/fulcio": 1, "Secret/rekor": 1, "Secret/pki": 1, "ConfigMap/intermediates": 1, "Secret/root": 0, "ConfigMap/x": 0,
	} {
		kind, name, _ := strings.Cut(source, "/")
		policies, err := trust.PoliciesReading(t.Context(), reader, kind, name)
		if err != nil || len(policies) != want {
			t.Errorf("%s: %d policies, %v, want %d", source, len(policies), err, want)
		}
	}
}
