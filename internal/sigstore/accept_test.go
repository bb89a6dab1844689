// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// TestAccept has one case for each form, log and authority, and for the oddities of genuine signatures.
func TestAccept(t *testing.T) {
	w := newWorld(t)
	p384, p521 := st.NewKey(t, elliptic.P384()), st.NewKey(t, elliptic.P521())
	ed, rsa := st.NewEd25519(t), st.NewRSA(t, 2048)
	by := func(key crypto.Signer, hash crypto.Hash) *signed {
		s := &signed{w: w, key: key, message: w.payload}
		if s.sig = st.Sign(t, key, s.message); hash != 0 {
			s.sig = st.SignHash(t, key, hash, s.message)
		}
		return s
	}
	envelopeBy := func(key crypto.Signer, hash crypto.Hash) *signed {
		s := &signed{w: w, key: key, message: w.statement, dsse: true, sig: st.Sign(t, key, st.PAE(w.statement))}
		if hash != 0 {
			s.sig = st.SignHash(t, key, hash, st.PAE(w.statement))
		}
		return s
	}
	certified384 := envelopeBy(p384, 0)
	certified384.cert = w.Certify(t, p384, st.Leaf())
	named := envelopeBy(w.key, 0).v1()
	set(t, named, "dsseEnvelope.signatures.0.keyid", w.byKey(nil).Keys[0].SSHFingerprint())
	uri := st.WithURI(t, st.Leaf(), "https://github.com/org/repo/.github/workflows/build.yml@refs/heads/main")
	uri.ExtraExtensions = append(uri.ExtraExtensions, st.RawExtension(6, "refs/heads/main"), st.TextExtension(20, "push"), st.TextExtension(99, "later"))
	workflow := w.envelope(w.statement)
	workflow.cert = w.Certify(t, w.key, uri)
	username := w.envelope(w.statement)
	username.cert = w.Certify(t, w.key, usernameLeaf(t, "user!example.com"))
	inToto := w.envelope(w.statement)
	chained := w.envelope(w.statement)
	pki := w.sign(w.payload)
	pki.cert = w.Intermediate.Issue(t, w.key, pkiLeaf())
	other := st.NewTSA(t, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(8) })
	otherLog := st.NewLog(t, st.NewEd25519(t), "other.example.com")

	chain := st.Object{"certificates": []st.Object{st.Raw(chained.cert), st.Raw(w.Intermediate.Certificate.Raw), st.Raw(w.Root.Certificate.Raw)}}
	material := st.Object{"x509CertificateChain": chain, "tlogEntries": []st.Object{w.RekorV1.Entry(t, chained.body1())}, "timestampVerificationData": nil}
	withChain := st.Envelope(st.Bundle02, chained.message, chained.sig, material)

	tests := map[string]struct {
		content   any
		authority *sigstore.Authority
		in        sigstore.Input
	}{
		"blob by P-256 key":       {by(w.key, 0).blob(nil), w.byKey(nil), sigstore.Input{}},
		"blob by P-384 key":       {by(p384, 0).blob(nil), w.byKey(nil, p384), sigstore.Input{}},
		"blob by P-384, SHA-256":  {by(p384, crypto.SHA256).blob(nil), w.byKey(nil, p384), sigstore.Input{}},
		"blob by P-521 key":       {by(p521, 0).blob(nil), w.byKey(nil, p521), sigstore.Input{}},
		"blob by RSA key":         {by(rsa, 0).blob(nil), w.byKey(nil, rsa), sigstore.Input{}},
		"blob by Ed25519 key":     {by(ed, 0).blob(nil), w.byKey(nil, ed), sigstore.Input{}},
		"blob by second key":      {by(ed, 0).blob(nil), w.byKey(nil, rsa, ed), sigstore.Input{}},
		"blob by key with log":    {by(w.key, 0).blob(map[string]string{annBundle: promise(w, by(w.key, 0))}), w.byKey(nil), sigstore.Input{}},
		"blob in lines":           {folded(t, by(rsa, 0).blob(nil)), w.byKey(nil, rsa), sigstore.Input{}},
		"garbage that none needs": {by(w.key, 0).blob(map[string]string{annBundle: "x", annCert: "x", annChain: "x", "other": "x"}), w.byKey(nil), sigstore.Input{}},
		"blob by Fulcio":          {w.sign(w.payload).blob(nil), byFulcio(w.rekorRoots()), sigstore.Input{}},
		"blob by Fulcio, root":    {w.sign(w.payload).blob(map[string]string{annChain: ""}), byFulcio(w.roots()), sigstore.Input{}},
		"blob with a timestamp":   {stampedBlob(w), byFulcio(w.roots()), sigstore.Input{}},
		"blob by PKI":             {pki.blob(nil), byPKI(w), sigstore.Input{}},
		"PKI of a bundle":         {pki.v1(), byPKI(w), sigstore.Input{Manifest: w.payload}},

		"envelope in Rekor 1":            {w.envelope(w.statement).v1(), byFulcio(w.roots()), sigstore.Input{}},
		"envelope in Rekor 2":            {w.envelope(w.statement).v2(), byFulcio(w.roots()), sigstore.Input{}},
		"envelope by key":                {envelopeBy(w.key, 0).v1(), w.byKey(nil), sigstore.Input{}},
		"envelope by key, Rekor 1":       {envelopeBy(w.key, 0).v1(), w.byKey(w.roots()), sigstore.Input{}},
		"envelope by key, Rekor 2":       {envelopeBy(w.key, 0).v2(), w.byKey(w.roots()), sigstore.Input{}},
		"envelope by key, log's key":     {envelopeBy(w.key, 0).v2(), w.byKey(w.rekorRoots()), sigstore.Input{}},
		"envelope by P-384 key":          {envelopeBy(p384, 0).bundle(envelopeBy(p384, 0).material()), w.byKey(nil, p384), sigstore.Input{}},
		"envelope by P-384, SHA-256":     {envelopeBy(p384, crypto.SHA256).bundle(envelopeBy(p384, crypto.SHA256).material()), w.byKey(nil, p384), sigstore.Input{}},
		"envelope by P-384, Rekor 1":     {envelopeBy(p384, 0).v1(), w.byKey(w.roots(), p384), sigstore.Input{}},
		"envelope by P-384, Rekor 2":     {envelopeBy(p384, 0).v2(), w.byKey(w.roots(), p384), sigstore.Input{}},
		"envelope by P-521, Rekor 2":     {envelopeBy(p521, 0).v2(), w.byKey(w.roots(), p521), sigstore.Input{}},
		"envelope by P-384, Fulcio":      {certified384.v1(), byFulcio(w.roots()), sigstore.Input{}},
		"envelope by P-384, Fulcio 2":    {certified384.v2(), byFulcio(w.roots()), sigstore.Input{}},
		"envelope that names its key":    {named, w.byKey(nil), sigstore.Input{}},
		"time of no authority":           {set(t, envelopeBy(w.key, 0).v2(), "verificationMaterial.timestampVerificationData", nil), w.byKey(w.roots()), sigstore.Input{}},
		"workflow":                       {workflow.v1(), byFulcio(w.roots(), isWorkflow), sigstore.Input{}},
		"workflow by prefix":             {workflow.v1(), byFulcio(w.roots(), isOfOrg), sigstore.Input{}},
		"username":                       {username.v2(), byFulcio(w.roots(), isUser), sigstore.Input{}},
		"intoto entry":                   {inToto.bundle(inToto.material(w.RekorV1.Entry(t, st.InToto2(t, inToto.message, inToto.sig, inToto.verifierPEM())))), byFulcio(w.roots()), sigstore.Input{}},
		"dsse entry of Rekor 2":          {inToto.bundle(inToto.stamped(inToto.material(w.RekorV2.Entry(t, st.DSSE2(t, inToto.message, inToto.sig, "x509Certificate", inToto.cert))))), byFulcio(w.roots()), sigstore.Input{}},
		"chain with root, nulls":         {withChain, byFulcio(w.rekorRoots()), sigstore.Input{}},
		"entry of an unknown log beside": {inToto.bundle(inToto.material(otherLog.Entry(t, inToto.body2()), w.RekorV1.Entry(t, inToto.body1()))), byFulcio(w.roots()), sigstore.Input{}},
		"unknown authority beside":       {inToto.bundle(inToto.stamped(inToto.material(w.RekorV1.Entry(t, inToto.body1())), other.Stamp(t, inToto.sig))), byFulcio(w.roots()), sigstore.Input{}},
		"time unsigned in 0.3":           {set(t, w.envelope(w.statement).v2(), "verificationMaterial.tlogEntries.0.integratedTime", "1772366400"), byFulcio(w.roots()), sigstore.Input{}},

		"message by digest":       {w.sign(theManifest).v1(), byFulcio(w.roots()), sigstore.Input{}},
		"digest by second key":    {keyed(w, w.key, 0).bundle(keyed(w, w.key, 0).material()), w.byKey(nil, ed, w.key), sigstore.Input{}},
		"message":                 {w.sign(theManifest).v2(), byFulcio(w.roots()), sigstore.Input{Manifest: theManifest}},
		"message by Ed25519":      {keyed(w, ed, 0).bundle(keyed(w, ed, 0).material()), w.byKey(nil, ed), sigstore.Input{Manifest: theManifest}},
		"message by Ed25519ph":    {ed25519ph(t, w, ed), w.byKey(nil, ed), sigstore.Input{Manifest: theManifest}},
		"digest by Ed25519ph":     {ed25519ph(t, w, ed), w.byKey(nil, ed), sigstore.Input{}},
		"message by P-384":        {keyed(w, p384, 0).bundle(keyed(w, p384, 0).material()), w.byKey(nil, p384), sigstore.Input{Manifest: theManifest}},
		"digest by P-384 SHA-256": {keyed(w, p384, crypto.SHA256).bundle(keyed(w, p384, crypto.SHA256).material()), w.byKey(nil, p384), sigstore.Input{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := authenticate(content(t, test.content), test.in, test.authority)
			if err != nil {
				t.Fatalf("%s: %v", sigstore.AsError(err).Code, err)
			}
			if len(v.Statements) == 0 || len(v.Statements[0].Digests) == 0 || v.Authority != test.authority.Name {
				t.Errorf("accepted as %+v", v)
			}
			again, err := authenticate(content(t, test.content), test.in, test.authority)
			if diff := cmp.Diff(v, again); err != nil || diff != "" {
				t.Errorf("the second result differs (-first +second): %v\n%s", err, diff)
			}
		})
	}
}

// TestVerified compares everything that is returned for three kinds of signatures.
func TestVerified(t *testing.T) {
	w := newWorld(t)
	template := st.Leaf()
	template.ExtraExtensions = append(template.ExtraExtensions, st.TextExtension(20, "push"))
	w.cert = w.Certify(t, w.key, template)
	id, err := pubkey.New(w.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	digest := "sha256:" + hexDigest()
	critical := map[string]string{
		"critical.type": "cosign container image signature", "critical.image.docker-manifest-digest": digest,
		"critical.identity.docker-reference": reference,
	}
	log := func(l *st.Log, index string) map[string]string {
		return map[string]string{
			"transparencyLog.logID": hex.EncodeToString(l.ID), "transparencyLog.logIndex": index,
			"trustedTime": "2026-03-01T12:00:00Z",
		}
	}
	certified := map[string]string{"certificate.issuer": st.Issuer, "certificate.subject": st.Email, "certificate.buildTrigger": "push"}
	issuedTo := sigstore.Entity{Organization: st.Issuer, CommonName: st.Email, PublicKeyID: id.Fingerprint()}
	issuedBy := sigstore.Entity{Organization: "example.com", CommonName: "intermediate"}
	byKey := w.sign(w.payload)
	pki := w.sign(w.payload)
	pki.cert = w.Intermediate.Issue(t, w.key, pkiLeaf())

	tests := map[string]struct {
		content   any
		authority *sigstore.Authority
		want      *sigstore.Verified
	}{
		"blob by key": {byKey.blob(nil), w.byKey(nil), &sigstore.Verified{
			Authority: "key", Statements: []sigstore.Statement{{Name: reference, Digests: []string{digest}}}, Payload: w.payload,
			IssuedTo: sigstore.Entity{PublicKeyID: id.Fingerprint()}, Claims: critical,
		}},
		"blob by Fulcio": {w.sign(w.payload).blob(nil), byFulcio(w.rekorRoots()), &sigstore.Verified{
			Authority: "fulcio", Statements: []sigstore.Statement{{Name: reference, Digests: []string{digest}}}, Payload: w.payload,
			SignedAt: st.Time, IssuedTo: issuedTo, IssuedBy: issuedBy, Claims: join(critical, certified, log(w.RekorV1, "1000")),
		}},
		"envelope in Rekor 2": {w.envelope(w.statement).v2(), byFulcio(w.roots()), &sigstore.Verified{
			Authority: "fulcio", Statements: []sigstore.Statement{{Digests: []string{digest}}}, Payload: w.statement,
			SignedAt: st.Time, IssuedTo: issuedTo, IssuedBy: issuedBy,
			Claims: join(map[string]string{"predicateType": st.PredicateSign, "subject": digest}, certified, log(w.RekorV2, "5")),
		}},
		"message": {w.sign(theManifest).v1(), byFulcio(w.roots()), &sigstore.Verified{
			Authority: "fulcio", Statements: []sigstore.Statement{{Digests: []string{digest}}},
			SignedAt: st.Time, IssuedTo: issuedTo, IssuedBy: issuedBy,
			Claims: join(map[string]string{"messageDigest": digest}, certified, log(w.RekorV1, "1000")),
		}},
		"blob by PKI": {pki.blob(nil), byPKI(w), &sigstore.Verified{
			Authority: "pki", Statements: []sigstore.Statement{{Name: reference, Digests: []string{digest}}}, Payload: w.payload,
			ValidUntil: st.Time.AddDate(2, 0, 0), IssuedTo: sigstore.Entity{CommonName: st.Email, PublicKeyID: id.Fingerprint()}, IssuedBy: issuedBy,
			Claims: join(critical, map[string]string{"certificate.subject": st.Email, "certificate.subject.1": "signer.example.com"}),
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := authenticate(content(t, test.content), sigstore.Input{}, test.authority)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDigestsOfMessage expects the digests by all algorithms for a manifest whose bytes are known.
func TestDigestsOfMessage(t *testing.T) {
	w := newWorld(t)
	v, err := authenticate(content(t, w.sign(theManifest).v1()), sigstore.Input{Manifest: theManifest}, byFulcio(w.roots()))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"sha256:" + hexDigest()}
	for _, hash := range []crypto.Hash{crypto.SHA384, crypto.SHA512} {
		want = append(want, strings.ToLower(strings.Replace(hash.String(), "-", "", 1))+":"+hex.EncodeToString(st.Digest(hash, theManifest)))
	}
	if diff := cmp.Diff(want, v.Statements[0].Digests); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestValidUntil expects the end of the log's key where only the present time can be compared with it.
func TestValidUntil(t *testing.T) {
	w := newWorld(t)
	end := now.Add(time.Hour)
	roots := w.roots(func(doc any) { set(t, doc, "tlogs.1.publicKey.validFor.end", end.Format(time.RFC3339)) })
	s := w.envelope(w.statement)
	s.cert = nil
	timeless := content(t, s.bundle(s.material(w.RekorV2.Entry(t, s.body2()))))
	v, err := authenticate(timeless, sigstore.Input{}, w.byKey(roots))
	if err != nil || !v.ValidUntil.Equal(end) {
		t.Errorf("%+v, %v, want valid until %v", v, err, end)
	}
	_, err = authenticate(timeless, sigstore.Input{Now: end.Add(time.Second)}, w.byKey(roots))
	if err == nil || sigstore.AsError(err).Code != sigstore.UntrustedLog {
		t.Errorf("after the end: %v", err)
	}
}

// promise returns the annotation with a promise.
func promise(w *world, s *signed) string {
	return string(st.JSON(w.t, w.RekorV1.CosignBundle(w.t, s.body1())))
}

func stampedBlob(w *world) []byte {
	s := w.sign(w.payload)
	return s.blob(map[string]string{annStamp: string(st.JSON(w.t, st.Object{"SignedRFC3161Timestamp": st.Base64(w.TSA.Stamp(w.t, s.sig))}))})
}

// folded breaks the signature's base64 into lines, as openssl base64 does.
func folded(t *testing.T, blob []byte) []byte {
	t.Helper()
	const name = `dev.cosignproject.cosign/signature":"`
	before, after, ok := strings.Cut(string(blob), name)
	if !ok {
		t.Fatal("the blob has no signature")
	}
	return []byte(before + name + after[:64] + `\n` + after[64:128] + `\n` + after[128:])
}

// keyed is a signature over the manifest by a key.
func keyed(w *world, key crypto.Signer, hash crypto.Hash) *signed {
	s := &signed{w: w, key: key, message: theManifest}
	if s.sig = st.Sign(w.t, key, theManifest); hash != 0 {
		s.sig = st.SignHash(w.t, key, hash, theManifest)
	}
	return s
}

// ed25519ph is a bundle with a signature over a SHA-512 digest.
func ed25519ph(t *testing.T, w *world, key crypto.Signer) any {
	t.Helper()
	s := keyed(w, key, 0)
	s.sig = st.SignHash(t, key, crypto.SHA512, theManifest)
	doc := s.bundle(s.material())
	set(t, doc, "messageSignature.messageDigest.algorithm", "SHA2_512")
	return set(t, doc, "messageSignature.messageDigest.digest", st.Base64(st.Digest(crypto.SHA512, theManifest)))
}

func byPKI(w *world) *sigstore.Authority {
	return &sigstore.Authority{Name: "pki", PKI: &sigstore.PKI{
		Roots: []*x509.Certificate{w.Root.Certificate}, Intermediates: []*x509.Certificate{w.Intermediate.Certificate},
		Email: st.Email, Hostname: "SIGNER.example.com",
	}}
}

func isWorkflow(f *sigstore.Fulcio) {
	f.Subject = sigstore.Subject{URI: "https://github.com/org/repo/.github/workflows/build.yml@refs/heads/main"}
	f.Claims = map[string]string{"buildTrigger": "push", "githubWorkflowRef": "refs/heads/main"}
}

func isOfOrg(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{URIPrefix: "https://github.com/org/"} }

func isUser(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{Username: "user!example.com"} }

// usernameLeaf is the template of a certificate for a username, in a critical extension.
func usernameLeaf(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	leaf := st.Leaf()
	leaf.EmailAddresses = nil
	names := append([]byte{0xa0, byte(len(otherName(t, name)))}, otherName(t, name)...)
	value := append([]byte{0x30, byte(len(names))}, names...)
	leaf.ExtraExtensions = append(leaf.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: value})
	return leaf
}

func otherName(t testing.TB, name string) []byte {
	t.Helper()
	oid, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 7})
	if err != nil {
		t.Fatal(err)
	}
	text := append([]byte{0x0c, byte(len(name))}, name...)
	return append(oid, append([]byte{0xa0, byte(len(text))}, text...)...)
}

// join joins maps.
func join(maps ...map[string]string) map[string]string {
	all := make(map[string]string)
	for _, m := range maps {
		for name, value := range m {
			all[name] = value
		}
	}
	return all
}
