// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/verify"
)

// later is a while after everything was signed.
var later = st.Time.Add(24 * time.Hour)

// instance is an instance of sigstore with a signer.
type instance struct {
	*st.Instance
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	return &instance{Instance: st.New(t), t: t, key: st.NewKey(t, elliptic.P256())}
}

// byCertificate returns a bundle by a certificate for a template, in Rekor.
func (i *instance) byCertificate(template *x509.Certificate) []byte {
	i.t.Helper()
	certificate := i.Certify(i.t, i.key, template)
	statement := st.Statement(i.t, st.PredicateSign, testDigest.Encoded())
	signature := st.Sign(i.t, i.key, st.PAE(statement))
	entry := i.RekorV1.Entry(i.t, st.DSSE1(i.t, statement, signature, st.CertificatePEM(certificate)))
	return st.JSON(i.t, st.Envelope(st.Bundle03, statement, signature, st.Object{
		"certificate": st.Raw(certificate), "tlogEntries": []st.Object{entry},
	}))
}

// logged returns a blob by the instance's key with a promise of Rekor.
func (i *instance) logged() []byte {
	i.t.Helper()
	payload := st.Payload(i.t, testDigest.String(), testReference)
	signature := st.Sign(i.t, i.key, payload)
	entry := i.RekorV1.CosignBundle(i.t, st.HashedRekord1(i.t, payload, signature, st.PublicPEM(i.t, i.key)))
	return st.Blob(i.t, payload, signature, map[string]string{"dev.sigstore.cosign/bundle": string(st.JSON(i.t, entry))})
}

// byCompany returns a blob by a certificate of a CA other than Fulcio.
func (i *instance) byCompany() []byte {
	i.t.Helper()
	leaf := st.Leaf()
	leaf.ExtKeyUsage, leaf.ExtraExtensions = nil, nil
	leaf.DNSNames, leaf.NotAfter = []string{"signer.example.com"}, st.Time.AddDate(2, 0, 0)
	certificate := i.Intermediate.Issue(i.t, i.key, leaf)
	payload := st.Payload(i.t, testDigest.String(), testReference)
	return st.Blob(i.t, payload, st.Sign(i.t, i.key, payload), map[string]string{
		"dev.sigstore.cosign/certificate": string(st.CertificatePEM(certificate)),
	})
}

// root is the material of a trusted root.
func (i *instance) root() Material {
	return material(i.t, TrustedRoot, st.JSON(i.t, i.TrustedRoot(i.t)))
}

// private is the material of PEM files.
func (i *instance) private() Material {
	m := material(i.t, CACertificates, st.CertificatePEM(i.Root.Certificate.Raw), st.CertificatePEM(i.Intermediate.Certificate.Raw))
	m[RekorKeys] = material(i.t, RekorKeys, st.PublicPEM(i.t, i.RekorV1.Key))[RekorKeys]
	return m
}

// company is the material of a CA other than Fulcio.
func (i *instance) company() Material {
	m := material(i.t, CACertificates, st.CertificatePEM(i.Root.Certificate.Raw))
	m[Intermediates] = material(i.t, Intermediates, st.CertificatePEM(i.Intermediate.Certificate.Raw))[Intermediates]
	return m
}

func material(t *testing.T, kind RootsKind, contents ...[]byte) Material {
	t.Helper()
	m := Material{}
	for _, content := range contents {
		file, err := ParseRoots(kind, content)
		if err != nil {
			t.Fatal(err)
		}
		if file.Cost() <= 0 {
			t.Errorf("a file of kind %d costs %d", kind, file.Cost())
		}
		m[kind] = append(m[kind], file)
	}
	return m
}

// fulcio is an entry for Email of Issuer, after changes.
func fulcio(name string, changes ...func(*assayv1alpha1.FulcioSigner)) *assayv1alpha1.TrustedSigner {
	f := &assayv1alpha1.FulcioSigner{OIDCIssuer: st.Issuer, Subject: assayv1alpha1.FulcioSubject{Email: st.Email}}
	for _, change := range changes {
		change(f)
	}
	return &assayv1alpha1.TrustedSigner{Name: assayv1alpha1.EntryName(name), Fulcio: f}
}

func pki(name, email, hostname string) *assayv1alpha1.TrustedSigner {
	return &assayv1alpha1.TrustedSigner{Name: assayv1alpha1.EntryName(name), PKI: &assayv1alpha1.PKISigner{
		Subject: assayv1alpha1.PKISubject{Email: assayv1alpha1.EmailAddress(email), Hostname: hostname},
	}}
}

func newSigner(t *testing.T, signer *assayv1alpha1.TrustedSigner, m Material) verify.NamedKeyFile {
	t.Helper()
	file, err := NewSigner(signer, m)
	if err != nil {
		t.Fatal(err)
	}
	if file.Cost() != 0 || file.Problems() != nil {
		t.Errorf("a signer costs %d and has the problems %q", file.Cost(), file.Problems())
	}
	return verify.NamedKeyFile{Entry: string(signer.Name), File: file}
}

func loggedKeys(t *testing.T, entry string, m Material, signers ...crypto.Signer) verify.NamedKeyFile {
	t.Helper()
	file, err := RequireLog(keys(t, signers...), m)
	if err != nil {
		t.Fatal(err)
	}
	return verify.NamedKeyFile{Entry: entry, File: file}
}

func authenticateAt(t *testing.T, now time.Time, content []byte, files ...verify.NamedKeyFile) (verify.Signed, error) {
	t.Helper()
	m, err := Format{}.Parse(content, &verify.Budget{})
	if err != nil {
		t.Fatal(err)
	}
	return Format{}.NewTrust(files).Authenticate(m, verify.Circumstances{Now: now, Digest: testDigest})
}

// TestSigners checks what is reported of signatures by identities and by keys in a log.
func TestSigners(t *testing.T) {
	i := newInstance(t)
	fingerprints := []string{fingerprint(t, i.key)}
	issuer := verify.Entity{CommonName: "intermediate", Organization: "example.com"}
	email := verify.Entity{CommonName: st.Email, Organization: st.Issuer}
	const uri = "https://github.com/org/repo/.github/workflows/release.yml@refs/heads/main"
	workflow := st.WithURI(t, st.Leaf(), uri)
	workflow.ExtraExtensions = append(workflow.ExtraExtensions, st.TextExtension(20, "push"))
	isWorkflow := func(f *assayv1alpha1.FulcioSigner) {
		f.Subject = assayv1alpha1.FulcioSubject{URIPrefix: "https://github.com/org/repo/.github/workflows/release.yml@"}
		f.Claims = []assayv1alpha1.CertificateClaim{{Name: "buildTrigger", Value: "push"}}
	}
	tests := map[string]struct {
		content []byte
		file    verify.NamedKeyFile
		want    verify.Signer
		created time.Time
		until   time.Time
		claims  [2]string
	}{
		"Fulcio by trusted root": {
			i.byCertificate(st.Leaf()), newSigner(t, fulcio("dev"), i.root()),
			verify.Signer{ID: verify.SignerID{Entry: "dev"}, Fingerprints: fingerprints, Subject: email, Issuer: issuer},
			st.Time, time.Time{}, [2]string{"transparencyLog.logIndex", "1000"},
		},
		"Fulcio by PEM files": {
			i.byCertificate(st.Leaf()), newSigner(t, fulcio("dev"), i.private()),
			verify.Signer{ID: verify.SignerID{Entry: "dev"}, Fingerprints: fingerprints, Subject: email, Issuer: issuer},
			st.Time, time.Time{}, [2]string{"certificate.subject", st.Email},
		},
		"a workflow": {
			i.byCertificate(workflow), newSigner(t, fulcio("ci", isWorkflow), i.root()),
			verify.Signer{
				ID: verify.SignerID{Entry: "ci"}, Fingerprints: fingerprints,
				Subject: verify.Entity{CommonName: uri, Organization: st.Issuer}, Issuer: issuer,
			},
			st.Time, time.Time{}, [2]string{"certificate.buildTrigger", "push"},
		},
		"another CA": {
			i.byCompany(), newSigner(t, pki("company", st.Email, "Signer.example.com"), i.company()),
			verify.Signer{ID: verify.SignerID{Entry: "company"}, Fingerprints: fingerprints, Subject: verify.Entity{CommonName: st.Email}, Issuer: issuer},
			time.Time{}, st.Time.AddDate(2, 0, 0), [2]string{"certificate.subject.1", "signer.example.com"},
		},
		"another CA, by host": {
			i.byCompany(), newSigner(t, pki("company", "", "signer.example.com"), i.company()),
			verify.Signer{ID: verify.SignerID{Entry: "company"}, Fingerprints: fingerprints, Subject: verify.Entity{CommonName: "signer.example.com"}, Issuer: issuer},
			time.Time{}, st.Time.AddDate(2, 0, 0), [2]string{"certificate.subject", st.Email},
		},
		"a key in a log": {
			i.logged(), loggedKeys(t, "key", i.root(), i.key),
			verify.Signer{ID: verify.SignerID{Entry: "key", Key: fingerprints[0]}, Fingerprints: fingerprints},
			st.Time, time.Time{}, [2]string{"trustedTime", st.Time.Format(time.RFC3339)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signed, err := authenticateAt(t, later, tt.content, tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, signed.Signer()); diff != "" {
				t.Errorf("signer (-want +got):\n%s", diff)
			}
			statement, err := signed.Statement()
			if err != nil {
				t.Fatal(err)
			}
			if !signed.ValidUntil().Equal(tt.until) || !statement.Created.Equal(tt.created) || statement.Digest != testDigest {
				t.Errorf("valid until %s, created %s, digest %s", signed.ValidUntil(), statement.Created, statement.Digest)
			}
			if statement.Claims[tt.claims[0]] != tt.claims[1] {
				t.Errorf("claims %v, want %s to be %s", statement.Claims, tt.claims[0], tt.claims[1])
			}
		})
	}
}

// TestSignersAreEntries checks that the entry is the signer and not its key, that a signature counts
// for the first entry by name, and that the order of entries does not matter.
func TestSignersAreEntries(t *testing.T) {
	i := newInstance(t)
	first := i.byCertificate(st.Leaf())
	i.key = st.NewKey(t, elliptic.P256())
	second := i.byCertificate(st.Leaf())
	files := []verify.NamedKeyFile{newSigner(t, fulcio("b"), i.root()), newSigner(t, fulcio("a"), i.root())}
	for range 2 {
		for _, content := range [][]byte{first, second} {
			signed, err := authenticateAt(t, later, content, files...)
			if err != nil {
				t.Fatal(err)
			}
			if want := (verify.SignerID{Entry: "a"}); signed.Signer().ID != want {
				t.Errorf("signer %+v, want %+v", signed.Signer().ID, want)
			}
		}
		files[0], files[1] = files[1], files[0]
	}
	if got := (Format{}).NewTrust(append(files, verify.NamedKeyFile{Entry: "c", File: keys(t, i.key)})).Len(); got != 3 {
		t.Errorf("%d signers, want 3", got)
	}
}

// TestEntriesShareTheirRoots checks that the evidence beside a signature is checked once for all
// entries with the same root.
func TestEntriesShareTheirRoots(t *testing.T) {
	i := newInstance(t)
	content := i.byCertificate(st.Leaf())
	spent := func(entries int, m func() Material) (total int) {
		var files []verify.NamedKeyFile
		for n := range entries {
			files = append(files, newSigner(t, fulcio(strings.Repeat("a", n+1), func(f *assayv1alpha1.FulcioSigner) {
				f.Subject.Email = "nobody@example.com"
			}), m()))
		}
		message, err := Format{}.Parse(content, &verify.Budget{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Format{}.NewTrust(files).Authenticate(message, verify.Circumstances{Now: later, Spend: func(cost int) bool {
			total += cost
			return true
		}})
		if err == nil {
			t.Error("nobody has signed")
		}
		return total
	}
	for name, m := range map[string]func() Material{"trusted root": i.root, "PEM files": i.private} {
		if one, many := spent(1, m), spent(10, m); one == 0 || one != many {
			t.Errorf("%s: one entry costs %d, ten cost %d", name, one, many)
		}
	}
}

// TestSignerErrors checks reason and kind of what is refused.
func TestSignerErrors(t *testing.T) {
	i, other := newInstance(t), newInstance(t)
	byLeaf, byKey := i.byCertificate(st.Leaf()), blob(t, i.key, st.Payload(t, testDigest.String(), testReference))
	withoutLogs := st.JSON(t, i.TrustedRoot(t))
	withoutTSA := func(name string) Material {
		var doc map[string]any
		if err := json.Unmarshal(withoutLogs, &doc); err != nil {
			t.Fatal(err)
		}
		delete(doc, name)
		return material(t, TrustedRoot, st.JSON(t, doc))
	}
	is := func(change func(*assayv1alpha1.FulcioSigner)) verify.NamedKeyFile {
		return newSigner(t, fulcio("a", change), i.root())
	}
	refused := func(reason string) verify.Error { return verify.Error{Reason: reason, NeedsKey: true} }
	unknownKey := refused(assayv1alpha1.ReasonUntrustedKey)
	unknownKey.UnknownKey = true
	tests := map[string]struct {
		content []byte
		file    verify.NamedKeyFile
		now     time.Time
		want    verify.Error
		detail  string
	}{
		"another email":   {byLeaf, is(func(f *assayv1alpha1.FulcioSigner) { f.Subject.Email = "x@example.com" }), later, refused("SignerMismatch"), "certificate is for"},
		"another issuer":  {byLeaf, is(func(f *assayv1alpha1.FulcioSigner) { f.OIDCIssuer = "https://example.com" }), later, refused("SignerMismatch"), "OIDC issuer"},
		"another root":    {byLeaf, newSigner(t, fulcio("a"), other.root()), later, refused("UntrustedLog"), "is in log "},
		"another CA":      {byLeaf, newSigner(t, fulcio("a"), Material{CACertificates: other.private()[CACertificates], RekorKeys: i.private()[RekorKeys]}), later, refused("UntrustedCertificate"), "not issued"},
		"no certificate":  {byKey, newSigner(t, fulcio("a"), i.root()), later, refused("UntrustedKey"), "no certificate"},
		"no log entry":    {byKey, loggedKeys(t, "a", i.root(), i.key), later, refused("NoLogEntry"), "no entry of a transparency log"},
		"unknown key":     {byKey, loggedKeys(t, "a", i.root(), other.key), later, unknownKey, "not by a key"},
		"a certificate":   {byLeaf, verify.NamedKeyFile{Entry: "a", File: keys(t, other.key)}, later, refused("UntrustedKey"), "name it in signers"},
		"future":          {byLeaf, newSigner(t, fulcio("a"), i.root()), st.Time.Add(-time.Minute), verify.Error{Reason: "SignatureInFuture", NeedsKey: true, NotBefore: st.Time}, "later than the present"},
		"expired company": {i.byCompany(), newSigner(t, pki("a", st.Email, ""), i.company()), st.Time.AddDate(3, 0, 0), refused("CertificateExpired"), "at present"},
		"no CT log":       {byLeaf, newSigner(t, fulcio("a"), withoutTSA("ctlogs")), later, verify.Error{Reason: "RootsUnavailable", Unsupported: true}, "certificate transparency"},
		"no CA":           {byLeaf, newSigner(t, fulcio("a"), withoutTSA("certificateAuthorities")), later, verify.Error{Reason: "RootsUnavailable", Unsupported: true}, "certificate authority"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signed, err := authenticateAt(t, tt.now, tt.content, tt.file)
			var got *verify.Error
			if !errors.As(err, &got) || signed != nil {
				t.Fatalf("%v, %v, want an error", signed, err)
			}
			if !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("detail %q, want %q", got.Detail, tt.detail)
			}
			want := tt.want
			want.Detail = got.Detail
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNewSignerRefuses has entries and material that do not fit together.
func TestNewSignerRefuses(t *testing.T) {
	i := newInstance(t)
	twice := Material{TrustedRoot: append(i.root()[TrustedRoot], i.root()[TrustedRoot]...)}
	many := func(kind RootsKind) Material {
		ca := st.CertificatePEM(i.Root.Certificate.Raw)
		m := i.company()
		m[kind] = material(t, kind, []byte(strings.Repeat(string(ca), 40)), []byte(strings.Repeat(string(ca), 40)))[kind]
		return m
	}
	tests := map[string]struct {
		signer   *assayv1alpha1.TrustedSigner
		material Material
		want     string
	}{
		"nothing":           {&assayv1alpha1.TrustedSigner{Name: "a"}, i.root(), "exactly one of"},
		"no roots":          {fulcio("a"), Material{}, "fulcio: there is no key of a transparency log"},
		"two trusted roots": {fulcio("a"), twice, "fulcio: there are several trusted roots"},
		"an open prefix":    {fulcio("a", func(f *assayv1alpha1.FulcioSigner) { f.Subject = assayv1alpha1.FulcioSubject{URIPrefix: "https://"} }), i.root(), "uriPrefix"},
		"an unknown claim": {fulcio("a", func(f *assayv1alpha1.FulcioSigner) {
			f.Claims = []assayv1alpha1.CertificateClaim{{Name: "x", Value: "y"}}
		}), i.root(), "a claim is none of"},
		"no CA":              {pki("a", st.Email, ""), Material{}, "there is no root"},
		"no name":            {pki("a", "", ""), i.company(), "email or hostname"},
		"many CAs":           {pki("a", st.Email, ""), many(CACertificates), "more than 64"},
		"many intermediates": {pki("a", st.Email, ""), many(Intermediates), "more than 64"},
		"foreign material":   {pki("a", st.Email, ""), Material{CACertificates: {foreign{}}}, "there is no root"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file, err := NewSigner(tt.signer, tt.material)
			if err == nil || !strings.Contains(err.Error(), tt.want) || file != nil {
				t.Errorf("%v, %v, want %q", file, err, tt.want)
			}
		})
	}
	for name, m := range map[string]Material{"no log": {}, "two roots": twice} {
		if file, err := RequireLog(keys(t, i.key), m); err == nil || file != nil {
			t.Errorf("%s: %v, %v", name, file, err)
		}
	}
	if file, err := RequireLog(foreign{}, i.root()); err == nil || file != nil {
		t.Errorf("keys of another format: %v, %v", file, err)
	}
}

// TestParseRoots has files of a kind that are of another.
func TestParseRoots(t *testing.T) {
	i := newInstance(t)
	root, ca, key := st.JSON(t, i.TrustedRoot(t)), st.CertificatePEM(i.Root.Certificate.Raw), st.PublicPEM(t, i.key)
	contents := map[RootsKind][]byte{TrustedRoot: root, RekorKeys: key, CACertificates: ca, Intermediates: ca}
	for kind, good := range contents {
		for other, content := range contents {
			file, err := ParseRoots(kind, content)
			if same := string(content) == string(good); (err == nil) != same {
				t.Errorf("a file of kind %d as one of kind %d: %v", other, kind, err)
			}
			if file.Cost() < 0 || len(file.Problems()) != 0 {
				t.Errorf("cost %d, problems %q", file.Cost(), file.Problems())
			}
		}
	}
	if _, err := ParseRoots(0, root); err == nil {
		t.Error("a kind that is none is accepted")
	}
	skipping := i.TrustedRoot(t)
	skipping["tlogs"].([]st.Object)[1]["hashAlgorithm"] = "SHA3"
	problems := material(t, TrustedRoot, st.JSON(t, skipping))[TrustedRoot][0].Problems()
	if len(problems) != 1 || !strings.Contains(problems[0], "tlogs[1]") {
		t.Errorf("problems %q, want one about tlogs[1]", problems)
	}
}

// TestSignerStatus checks which entries can verify signatures at a time, and when that changes.
func TestSignerStatus(t *testing.T) {
	i := newInstance(t)
	ca := i.Root.Certificate
	without := func(name string) Material {
		doc := i.TrustedRoot(t)
		delete(doc, name)
		return material(t, TrustedRoot, st.JSON(t, doc))
	}
	tests := map[string]struct {
		file   verify.NamedKeyFile
		now    time.Time
		reason string
		next   time.Time
		// expires is that of the last CA certificate.
		expires time.Time
	}{
		"trusted root": {newSigner(t, fulcio("a"), i.root()), later, "", time.Time{}, time.Time{}},
		"PEM files":    {newSigner(t, fulcio("a"), i.private()), later, "", time.Time{}, time.Time{}},
		"no log":       {newSigner(t, fulcio("a"), without("tlogs")), later, "RootsUnavailable", time.Time{}, time.Time{}},
		"no authority": {newSigner(t, fulcio("a"), without("certificateAuthorities")), later, "RootsUnavailable", time.Time{}, time.Time{}},
		"company":      {newSigner(t, pki("a", st.Email, ""), i.company()), later, "", ca.NotAfter, ca.NotAfter},
		"not yet":      {newSigner(t, pki("a", st.Email, ""), i.company()), ca.NotBefore.Add(-time.Hour), "CertificateExpired", ca.NotBefore, ca.NotAfter},
		"no longer":    {newSigner(t, pki("a", st.Email, ""), i.company()), ca.NotAfter.Add(time.Hour), "CertificateExpired", time.Time{}, ca.NotAfter},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Format{}.NewTrust([]verify.NamedKeyFile{tt.file}).Keys(tt.file.File, tt.now)
			if len(got) != 1 || got[0].Fingerprint != "" || !got[0].NextChange.Equal(tt.next) {
				t.Fatalf("%+v, want one status that changes at %s", got, tt.next)
			}
			if !got[0].Expires.Equal(tt.expires) {
				t.Errorf("expires %s, want %s", got[0].Expires, tt.expires)
			}
			reason := ""
			if got[0].Err != nil {
				reason = got[0].Err.Reason
			}
			if reason != tt.reason {
				t.Errorf("reason %q, want %q", reason, tt.reason)
			}
		})
	}
}
