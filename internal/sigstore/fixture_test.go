// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

const (
	reference = "registry.example.com/team/app"
	annCert   = "dev.sigstore.cosign/certificate"
	annChain  = "dev.sigstore.cosign/chain"
	annBundle = "dev.sigstore.cosign/bundle"
	annStamp  = "dev.sigstore.cosign/rfc3161timestamp"
)

// now is a while after everything was signed, when the certificates are no longer valid.
var now = st.Time.Add(24 * time.Hour)

// theManifest is that of the image.
var theManifest = []byte(`{"schemaVersion":2}`)

func hexDigest() string { return hex.EncodeToString(st.Digest(crypto.SHA256, theManifest)) }

// world is an instance of sigstore with a signer and what the signer signs.
type world struct {
	*st.Instance
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert []byte

	payload, statement []byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Instance: st.New(t), t: t, key: st.NewKey(t, elliptic.P256())}
	w.cert = w.Certify(t, w.key, st.Leaf())
	w.payload = st.Payload(t, "sha256:"+hexDigest(), reference)
	w.statement = st.Statement(t, st.PredicateSign, hexDigest())
	return w
}

// roots returns the instance's trusted root, after changes to the document.
func (w *world) roots(changes ...func(doc any)) *sigstore.Roots {
	w.t.Helper()
	doc := tree(w.t, w.TrustedRoot(w.t))
	for _, change := range changes {
		change(doc)
	}
	roots, err := sigstore.ParseTrustedRoot(st.JSON(w.t, doc))
	if err != nil {
		w.t.Fatal(err)
	}
	return roots
}

// rekorRoots returns roots of PEM files.
func (w *world) rekorRoots() *sigstore.Roots {
	w.t.Helper()
	roots, err := sigstore.ParseRoots(st.CertificatePEM(w.Root.Certificate.Raw),
		append(st.PublicPEM(w.t, w.RekorV1.Key), st.PublicPEM(w.t, w.RekorV2.Key)...))
	if err != nil {
		w.t.Fatal(err)
	}
	return roots
}

// byKey accepts the signer's key.
func (w *world) byKey(log *sigstore.Roots, keys ...crypto.Signer) *sigstore.Authority {
	w.t.Helper()
	if len(keys) == 0 {
		keys = []crypto.Signer{w.key}
	}
	a := &sigstore.Authority{Name: "key", Log: log}
	for _, key := range keys {
		k, err := pubkey.New(key.Public())
		if err != nil {
			w.t.Fatal(err)
		}
		a.Keys = append(a.Keys, k)
	}
	return a
}

// byFulcio accepts the signer's certificate.
func byFulcio(roots *sigstore.Roots, changes ...func(*sigstore.Fulcio)) *sigstore.Authority {
	f := &sigstore.Fulcio{Roots: roots, Issuer: st.Issuer, Subject: sigstore.Subject{Email: st.Email}}
	for _, change := range changes {
		change(f)
	}
	return &sigstore.Authority{Name: "fulcio", Fulcio: f}
}

// signed is a signature in parts, from which a bundle or blob is made.
type signed struct {
	w       *world
	key     crypto.Signer
	cert    []byte // nil for a signature by key
	message []byte // what the signature is over
	dsse    bool
	sig     []byte
}

// sign signs with the world's certified key.
func (w *world) sign(message []byte) *signed {
	w.t.Helper()
	return &signed{w: w, key: w.key, cert: w.cert, message: message, sig: st.Sign(w.t, w.key, message)}
}

// envelope signs a statement.
func (w *world) envelope(statement []byte) *signed {
	w.t.Helper()
	s := w.sign(st.PAE(statement))
	s.dsse, s.message = true, statement
	return s
}

// byKeyAlone takes the certificate away.
func (s *signed) byKeyAlone() *signed {
	s.cert = nil
	return s
}

// verifierPEM returns the key or certificate as Rekor version 1 records it.
func (s *signed) verifierPEM() []byte {
	if s.cert == nil {
		return st.PublicPEM(s.w.t, s.key)
	}
	return st.CertificatePEM(s.cert)
}

// verifier returns the key or certificate as Rekor version 2 records it.
func (s *signed) verifier() (member string, der []byte) {
	if s.cert == nil {
		return "publicKey", st.SPKI(s.w.t, s.key)
	}
	return "x509Certificate", s.cert
}

// body1 returns an entry of Rekor version 1.
func (s *signed) body1() []byte {
	if s.dsse {
		return st.DSSE1(s.w.t, s.message, s.sig, s.verifierPEM())
	}
	return st.HashedRekord1(s.w.t, s.message, s.sig, s.verifierPEM())
}

// body2 returns an entry of Rekor version 2.
func (s *signed) body2() []byte {
	member, der := s.verifier()
	message := s.message
	if s.dsse {
		message = st.PAE(message)
	}
	return st.HashedRekord2(s.w.t, message, s.sig, member, der)
}

// material returns the verification material with entries and, for each message, a timestamp.
func (s *signed) material(entries ...st.Object) st.Object {
	m := st.Object{"tlogEntries": entries}
	if s.cert == nil {
		m["publicKey"] = st.Object{"hint": "key"}
	} else {
		m["certificate"] = st.Raw(s.cert)
	}
	return m
}

// stamped adds timestamps to verification material.
func (s *signed) stamped(m st.Object, stamps ...[]byte) st.Object {
	if len(stamps) == 0 {
		stamps = [][]byte{s.w.TSA.Stamp(s.w.t, s.sig)}
	}
	list := []st.Object{}
	for _, stamp := range stamps {
		list = append(list, st.Object{"signedTimestamp": st.Base64(stamp)})
	}
	m["timestampVerificationData"] = st.Object{"rfc3161Timestamps": list}
	return m
}

// bundle returns a bundle of version 0.3 with material.
func (s *signed) bundle(material st.Object) any {
	s.w.t.Helper()
	if s.dsse {
		return tree(s.w.t, st.Envelope(st.Bundle03, s.message, s.sig, material))
	}
	return tree(s.w.t, st.Message(st.Bundle03, s.message, s.sig, material))
}

// v1 returns a bundle with an entry of Rekor version 1.
func (s *signed) v1() any { return s.bundle(s.material(s.w.RekorV1.Entry(s.w.t, s.body1()))) }

// v2 returns a bundle with an entry of Rekor version 2 and a timestamp.
func (s *signed) v2() any {
	return s.bundle(s.stamped(s.material(s.w.RekorV2.Entry(s.w.t, s.body2()))))
}

// blob returns the form of containers/image, with a certificate where there is one.
func (s *signed) blob(annotations map[string]string) []byte {
	s.w.t.Helper()
	all := map[string]string{}
	if s.cert != nil {
		all[annCert] = string(st.CertificatePEM(s.cert))
		all[annChain] = string(st.CertificatePEM(s.w.Intermediate.Certificate.Raw)) + string(st.CertificatePEM(s.w.Root.Certificate.Raw))
		all[annBundle] = string(st.JSON(s.w.t, s.w.RekorV1.CosignBundle(s.w.t, s.body1())))
	}
	for name, value := range annotations {
		all[name] = value
		if value == "" {
			delete(all, name)
		}
	}
	return st.Blob(s.w.t, s.message, s.sig, all)
}

// tree turns a document into one of maps and slices of any.
func tree(t testing.TB, doc any) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(st.JSON(t, doc), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// gone is the value with which set removes a member.
var gone = struct{}{}

// set changes what a path such as a.0.b leads to.
func set(t testing.TB, doc any, path string, value any) any {
	t.Helper()
	steps := strings.Split(path, ".")
	at := doc
	for i, step := range steps {
		last := i == len(steps)-1
		switch v := at.(type) {
		case map[string]any:
			switch {
			case last && value == gone:
				if _, ok := v[step]; !ok {
					t.Fatalf("%s is not in the document", path)
				}
				delete(v, step)
			case last:
				v[step] = value
			}
			at = v[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(v) {
				t.Fatalf("%s is not in the document", path)
			}
			if last {
				v[n] = value
			}
			at = v[n]
		default:
			t.Fatalf("%s is not in the document", path)
		}
	}
	return doc
}

// get returns what a path leads to.
func get(t testing.TB, doc any, path string) any {
	t.Helper()
	for _, step := range strings.Split(path, ".") {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil {
				t.Fatal(err)
			}
			doc = v[n]
		}
	}
	if doc == nil {
		t.Fatalf("%s is not in the document", path)
	}
	return doc
}

// content encodes a document, or returns bytes as they are.
func content(t testing.TB, doc any) []byte {
	t.Helper()
	if b, ok := doc.([]byte); ok {
		return b
	}
	return st.JSON(t, doc)
}

// authenticate parses and authenticates.
func authenticate(content []byte, in sigstore.Input, authorities ...*sigstore.Authority) (*sigstore.Verified, error) {
	if in.Now.IsZero() {
		in.Now = now
	}
	s, err := sigstore.Parse(content)
	if err != nil {
		return nil, err
	}
	return s.Authenticate(authorities, in)
}

// pkiLeaf is the template of a certificate of a company's CA: without usage, with two names.
func pkiLeaf() *x509.Certificate {
	leaf := st.Leaf()
	leaf.ExtKeyUsage, leaf.ExtraExtensions = nil, nil
	leaf.DNSNames = []string{"signer.example.com"}
	leaf.NotAfter = st.Time.AddDate(2, 0, 0)
	return leaf
}

// parseJSON reads a document.
func parseJSON(t testing.TB, document []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// decode decodes base64.
func decode(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
