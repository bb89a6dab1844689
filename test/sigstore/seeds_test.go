// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// seeds returns bundles of instances of sigstore in memory, and those of the corpus where that is beside the
// checkout.
func seeds(t testing.TB) []seed {
	t.Helper()
	return slices.Concat(own(t), private(t), byKey(t), conformance(t))
}

// content is what is signed.
var content = []byte("content")

// signed makes bundles with the signatures of one key.
type signed struct {
	t        testing.TB
	instance *st.Instance
	key      crypto.Signer
	member   string // certificate or publicKey
	verifier []byte // the certificate or key in DER
	pem      []byte
	stamp    func(*st.Stamp)
}

func newSigned(t testing.TB, instance *st.Instance, key crypto.Signer) *signed {
	t.Helper()
	return &signed{t, instance, key, "publicKey", st.SPKI(t, key), st.PublicPEM(t, key), func(*st.Stamp) {}}
}

func newCertified(t testing.TB, instance *st.Instance, key crypto.Signer) *signed {
	t.Helper()
	s := newSigned(t, instance, key)
	certificate := instance.Certify(t, key, st.Leaf())
	s.member, s.verifier, s.pem = "x509Certificate", certificate, st.CertificatePEM(certificate)
	return s
}

// material is the verification material of a bundle with a log entry, and a timestamp for its signature.
func (s *signed) material(signature []byte, entries ...st.Object) st.Object {
	m := s.bare()
	m["tlogEntries"] = entries
	m["timestampVerificationData"] = st.Object{
		"rfc3161Timestamps": []st.Object{{"signedTimestamp": st.Base64(s.instance.TSA.Stamp(s.t, signature, s.stamp))}},
	}
	return m
}

// bare is the verification material of a bundle without a log entry.
func (s *signed) bare() st.Object {
	if s.member == "publicKey" {
		return st.Object{"publicKey": st.Object{"hint": "key"}}
	}
	return st.Object{"certificate": st.Raw(s.verifier)}
}

func (s *signed) statement() []byte {
	return st.Statement(s.t, st.PredicateSign, hex.EncodeToString(st.Digest(crypto.SHA256, content)))
}

// envelope is a bundle with a statement, without a log entry.
func (s *signed) envelope() st.Object {
	return st.Envelope(st.Bundle03, s.statement(), st.Sign(s.t, s.key, st.PAE(s.statement())), s.bare())
}

// dsse is a bundle with a statement and an entry of Rekor version 1.
func (s *signed) dsse() st.Object {
	signature := st.Sign(s.t, s.key, st.PAE(s.statement()))
	entry := s.instance.RekorV1.Entry(s.t, st.DSSE1(s.t, s.statement(), signature, s.pem))
	return st.Envelope(st.Bundle03, s.statement(), signature, s.material(signature, entry))
}

// inToto is the same as older clients wrote it.
func (s *signed) inToto() st.Object {
	signature := st.Sign(s.t, s.key, st.PAE(s.statement()))
	entry := s.instance.RekorV1.Entry(s.t, st.InToto2(s.t, s.statement(), signature, s.pem))
	return st.Envelope(st.Bundle02, s.statement(), signature, s.material(signature, entry))
}

// dsse2 is a bundle with a statement and an entry of Rekor version 2.
func (s *signed) dsse2() st.Object {
	signature := st.Sign(s.t, s.key, st.PAE(s.statement()))
	entry := s.instance.RekorV2.Entry(s.t, st.HashedRekord2(s.t, st.PAE(s.statement()), signature, s.member, s.verifier))
	return st.Envelope(st.Bundle03, s.statement(), signature, s.material(signature, entry))
}

// message is a bundle over the content with an entry of Rekor version 1.
func (s *signed) message() st.Object {
	signature := st.Sign(s.t, s.key, content)
	entry := s.instance.RekorV1.Entry(s.t, st.HashedRekord1(s.t, content, signature, s.pem))
	return st.Message(st.Bundle01, content, signature, s.material(signature, entry))
}

// message2 is a bundle over the content with an entry of Rekor version 2.
func (s *signed) message2() st.Object {
	signature := st.Sign(s.t, s.key, content)
	entry := s.instance.RekorV2.Entry(s.t, st.HashedRekord2(s.t, content, signature, s.member, s.verifier))
	return st.Message(st.Bundle03, content, signature, s.material(signature, entry))
}

// prehashed is a bundle over a digest of the content, without a log entry.
func (s *signed) prehashed(algorithm string, hash crypto.Hash) st.Object {
	bundle := st.Message(st.Bundle03, content, st.SignHash(s.t, s.key, hash, content), s.bare())
	put(bundle["messageSignature"], "messageDigest", st.Object{"algorithm": algorithm, "digest": st.Base64(st.Digest(hash, content))})
	return bundle
}

// seed is a bundle that is for the content by a hash function.
func (s *signed) seed(name string, bundle st.Object, hash crypto.Hash, trusted trust) seed {
	return seed{name, st.JSON(s.t, bundle), st.Digest(hash, content), trusted}
}

// own returns bundles of all kinds.
func own(t testing.TB) []seed {
	t.Helper()
	instance := st.New(t)
	s := newCertified(t, instance, st.NewKey(t, elliptic.P256()))
	trusted := byIdentity(t, st.JSON(t, instance.TrustedRoot(t)), st.Issuer, st.Email)
	return []seed{
		s.seed("own dsse", s.dsse(), crypto.SHA256, trusted),
		s.seed("own intoto", s.inToto(), crypto.SHA256, trusted),
		s.seed("own envelope, 2", s.dsse2(), crypto.SHA256, trusted),
		s.seed("own message", s.message(), crypto.SHA256, trusted),
		s.seed("own message, 2", s.message2(), crypto.SHA256, trusted),
	}
}

// private returns bundles of instances that differ from the public one in what they consist of.
func private(t testing.TB) []seed {
	t.Helper()
	var all []seed

	// No timestamp authority: Rekor version 1 states the time. The signer's key is on a larger curve.
	small := st.New(t)
	document := small.TrustedRoot(t)
	delete(document, "timestampAuthorities")
	s := newCertified(t, small, st.NewKey(t, elliptic.P384()))
	all = append(all, s.seed("private, log alone", s.dsse(), crypto.SHA256, byIdentity(t, st.JSON(t, document), st.Issuer, st.Email)))

	// Two of everything, as after a rotation. Timestamps of the second authority bring its certificate.
	old, current := st.New(t), st.New(t)
	document = old.TrustedRoot(t)
	for name, list := range current.TrustedRoot(t) {
		if list, ok := list.([]st.Object); ok {
			document[name] = append(document[name].([]st.Object), list...)
		}
	}
	authorities := document["timestampAuthorities"].([]st.Object)
	authorities[1]["certChain"] = st.Object{"certificates": []st.Object{st.Raw(current.TSA.CA.Certificate.Raw)}}
	authorities[1]["uri"] = "https://new.example.com"
	trusted := byIdentity(t, st.JSON(t, document), st.Issuer, st.Email)
	for _, instance := range []*st.Instance{old, current} {
		s := newCertified(t, instance, st.NewKey(t, elliptic.P256()))
		name := "private, old, "
		if instance == current {
			name = "private, current, "
			s.stamp = func(stamp *st.Stamp) { stamp.Certificates = [][]byte{current.TSA.Certificate.Raw} }
		}
		all = append(all, s.seed(name+"1", s.dsse(), crypto.SHA256, trusted), s.seed(name+"2", s.dsse2(), crypto.SHA256, trusted))
	}

	// Files in PEM: CA certificates and the key of Rekor version 1.
	plain := st.New(t)
	s = newCertified(t, plain, st.NewKey(t, elliptic.P256()))
	trusted = byFiles(t, plain)
	return append(all,
		s.seed("private, PEM, dsse", s.dsse(), crypto.SHA256, trusted),
		s.seed("private, PEM, message", s.message(), crypto.SHA256, trusted))
}

// byKey returns bundles by public keys, with and without a log.
func byKey(t testing.TB) []seed {
	t.Helper()
	instance := st.New(t)
	document := st.JSON(t, instance.TrustedRoot(t))
	var all []seed
	keys := map[string]crypto.Signer{
		"P-256": st.NewKey(t, elliptic.P256()), "P-384": st.NewKey(t, elliptic.P384()), "P-521": st.NewKey(t, elliptic.P521()),
		"RSA": st.NewRSA(t, 2048), "Ed25519": st.NewEd25519(t),
	}
	for _, name := range []string{"P-256", "P-384", "P-521", "RSA", "Ed25519"} {
		s := newSigned(t, instance, keys[name])
		withLog, without := byPublicKey(t, s.pem, document, false), byPublicKey(t, s.pem, nil, false)
		name = "key, " + name + ", "
		all = append(all,
			s.seed(name+"dsse", s.envelope(), crypto.SHA256, without),
			s.seed(name+"entry beside it", s.dsse(), crypto.SHA256, without),
			s.seed(name+"log", s.dsse(), crypto.SHA256, withLog))
		if _, ok := s.key.(*ecdsa.PrivateKey); ok {
			all = append(all, s.seed(name+"log 2", s.dsse2(), crypto.SHA256, withLog))
		}
	}
	message := newSigned(t, instance, keys["P-256"])
	all = append(all, message.seed("key, older entry beside it", message.inToto(), crypto.SHA256, byPublicKey(t, message.pem, nil, false)))
	all = append(all,
		message.seed("key, message", message.message(), crypto.SHA256, byPublicKey(t, message.pem, nil, false)),
		message.seed("key, message, log", message.message(), crypto.SHA256, byPublicKey(t, message.pem, document, false)),
		message.seed("key, message, log 2", message.message2(), crypto.SHA256, byPublicKey(t, message.pem, document, false)))
	named := message.envelope()
	put(named["dsseEnvelope"].(st.Object)["signatures"].([]st.Object)[0], "keyid", fingerprint(t, message.key))
	all = append(all, message.seed("key, named", named, crypto.SHA256, byPublicKey(t, message.pem, nil, false)))
	larger, prehash := newSigned(t, instance, keys["P-384"]), newSigned(t, instance, keys["Ed25519"])
	return append(all,
		larger.seed("key, message, P-384", larger.prehashed("SHA2_384", crypto.SHA384), crypto.SHA384, byPublicKey(t, larger.pem, nil, false)),
		prehash.seed("key, message, Ed25519ph", prehash.prehashed("SHA2_512", crypto.SHA512), crypto.SHA512, byPublicKey(t, prehash.pem, nil, true)))
}

// fingerprint is the name of a key in envelopes.
func fingerprint(t testing.TB, key crypto.Signer) string {
	t.Helper()
	name, err := dsse.SHA256KeyID(key.Public())
	check(t, err)
	return name
}
