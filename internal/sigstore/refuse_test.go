// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// refusal is a signature that is not accepted, with the reason.
type refusal struct {
	content   any
	authority *sigstore.Authority
	in        sigstore.Input
	code      sigstore.Code
	detail    string // part of it
}

func checkRefusals(t *testing.T, tests map[string]refusal) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := authenticate(content(t, test.content), test.in, test.authority)
			if err == nil {
				t.Fatalf("accepted: %+v", v)
			}
			e := sigstore.AsError(err)
			if v != nil || e.Code != test.code || !strings.Contains(e.Detail, test.detail) {
				t.Errorf("%s: %q, want %s: %q", e.Code, e.Detail, test.code, test.detail)
			}
			if len(e.Detail) > 512 {
				t.Errorf("the detail has %d bytes", len(e.Detail))
			}
		})
	}
}

func TestRefuseContent(t *testing.T) {
	w := newWorld(t)
	key := w.byKey(nil)
	blob := w.sign(w.payload).blob(nil)
	edit := func(old, replacement string) []byte {
		if !bytes.Contains(blob, []byte(old)) {
			t.Fatalf("%q is not in the blob", old)
		}
		return bytes.Replace(blob, []byte(old), []byte(replacement), 1)
	}
	bundle := func(path string, value any) any { return set(t, w.envelope(w.statement).v1(), path, value) }
	message := func(path string, value any) any { return set(t, w.sign(theManifest).v1(), path, value) }
	raw := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = map[string]any{"rawBytes": st.Base64(w.cert)}
		}
		return list
	}
	chain := func(mediaType string, certificates []any) any {
		doc := set(t, bundle("verificationMaterial.certificate", gone), "mediaType", mediaType)
		return set(t, doc, "verificationMaterial.x509CertificateChain", map[string]any{"certificates": certificates})
	}
	entry := get(t, w.envelope(w.statement).v1(), "verificationMaterial.tlogEntries.0")
	checkRefusals(t, map[string]refusal{
		"empty":                   {[]byte{}, key, sigstore.Input{}, sigstore.Malformed, "empty"},
		"too large":               {make([]byte, sigstore.MaxContent+1), key, sigstore.Input{}, sigstore.Malformed, "larger than 262144"},
		"other NUL":               {[]byte("\x00other"), key, sigstore.Input{}, sigstore.Malformed, "NUL"},
		"no line feed":            {bytes.Replace(blob, []byte("\n"), nil, 1), key, sigstore.Input{}, sigstore.Malformed, "NUL"},
		"not JSON":                {[]byte("\x00sigstore-json\nx"), key, sigstore.Input{}, sigstore.Malformed, "sigstore-json: byte 0"},
		"after the JSON":          {append(bytes.Clone(blob), 'x'), key, sigstore.Input{}, sigstore.Malformed, "more text"},
		"unknown member":          {edit(`"payload"`, `"x":1,"payload"`), key, sigstore.Input{}, sigstore.Malformed, "unknown member"},
		"duplicate member":        {edit(`"payload"`, `"payload":"","payload"`), key, sigstore.Input{}, sigstore.Malformed, "duplicate"},
		"other case":              {edit(`"payload"`, `"Payload"`), key, sigstore.Input{}, sigstore.Malformed, "unknown member"},
		"no payload":              {edit(`"payload":"`, `"payload":null,"mimeType_":"`), key, sigstore.Input{}, sigstore.Malformed, "unknown member"},
		"payload is null":         {[]byte("\x00sigstore-json\n" + `{"mimeType":"application/vnd.dev.cosign.simplesigning.v1+json","payload":null}`), key, sigstore.Input{}, sigstore.Malformed, "no payload"},
		"other attachment":        {edit("simplesigning", "other"), key, sigstore.Input{}, sigstore.NotASignature, "attachment"},
		"annotation is no string": {edit(`"annotations":{`, `"annotations":{"x":1,`), key, sigstore.Input{}, sigstore.Malformed, "a string should be"},
		"signature not base64":    {edit(`cosign/signature":"`, `cosign/signature":"*`), key, sigstore.Input{}, sigstore.Malformed, "not base64"},
		"no signature":            {edit(`dev.cosignproject.cosign/signature`, `x`), key, sigstore.Input{}, sigstore.Malformed, "1 to 1024"},

		"version 0.4":              {bundle("mediaType", "application/vnd.dev.sigstore.bundle.v0.4+json"), key, sigstore.Input{}, sigstore.UnsupportedVersion, "0.1 to 0.3"},
		"no version":               {bundle("mediaType", gone), key, sigstore.Input{}, sigstore.UnsupportedVersion, "0.1 to 0.3"},
		"bundle not JSON":          {[]byte("x"), key, sigstore.Input{}, sigstore.Malformed, "bundle: byte 0"},
		"unknown in bundle":        {bundle("x", 1), key, sigstore.Input{}, sigstore.Malformed, "unknown member"},
		"no content":               {bundle("dsseEnvelope", gone), key, sigstore.Input{}, sigstore.Malformed, "exactly one signature"},
		"two contents":             {bundle("messageSignature", get(t, w.sign(theManifest).v1(), "messageSignature")), key, sigstore.Input{}, sigstore.Malformed, "exactly one signature"},
		"no verifier":              {bundle("verificationMaterial.certificate", gone), key, sigstore.Input{}, sigstore.Malformed, "exactly one of certificate"},
		"two verifiers":            {bundle("verificationMaterial.publicKey", map[string]any{"hint": "x"}), key, sigstore.Input{}, sigstore.Malformed, "exactly one of certificate"},
		"chain in 0.3":             {chain(st.Bundle03, raw(1)), key, sigstore.Input{}, sigstore.Malformed, "no certificate chain"},
		"empty chain":              {chain(st.Bundle02, raw(0)), key, sigstore.Input{}, sigstore.Malformed, "chain is empty"},
		"long chain":               {chain(st.Bundle02, raw(5)), key, sigstore.Input{}, sigstore.Malformed, "more than 4"},
		"certificate empty":        {bundle("verificationMaterial.certificate.rawBytes", ""), key, sigstore.Input{}, sigstore.Malformed, "1 to 32768"},
		"certificate is no bytes":  {bundle("verificationMaterial.certificate.rawBytes", "*"), key, sigstore.Input{}, sigstore.Malformed, "not base64"},
		"long hint":                {set(t, bundle("verificationMaterial.certificate", gone), "verificationMaterial.publicKey", map[string]any{"hint": strings.Repeat("x", 1025)}), key, sigstore.Input{}, sigstore.Malformed, "hint is longer"},
		"no promise in 0.1":        {set(t, bundle("mediaType", st.Bundle01), "verificationMaterial.tlogEntries.0.inclusionPromise", gone), key, sigstore.Input{}, sigstore.Malformed, "0.1 needs"},
		"no proof in 0.2":          {set(t, bundle("mediaType", st.Bundle02), "verificationMaterial.tlogEntries.0.inclusionProof", gone), key, sigstore.Input{}, sigstore.Malformed, "from 0.2 on"},
		"no proof in 0.3":          {bundle("verificationMaterial.tlogEntries.0.inclusionProof", gone), key, sigstore.Input{}, sigstore.Malformed, "from 0.2 on"},
		"entry twice":              {bundle("verificationMaterial.tlogEntries", []any{entry, entry}), key, sigstore.Input{}, sigstore.Malformed, "occurs twice"},
		"many entries":             {bundle("verificationMaterial.tlogEntries", []any{entry, entry, entry, entry, entry, entry, entry, entry, entry}), key, sigstore.Input{}, sigstore.Malformed, "more than 8"},
		"negative index":           {bundle("verificationMaterial.tlogEntries.0.logIndex", "-1"), key, sigstore.Input{}, sigstore.Malformed, "negative"},
		"two signatures":           {bundle("dsseEnvelope.signatures", []any{map[string]any{"sig": ""}, map[string]any{"sig": ""}}), key, sigstore.Input{}, sigstore.Malformed, "exactly one signature"},
		"no signatures":            {bundle("dsseEnvelope.signatures", []any{}), key, sigstore.Input{}, sigstore.Malformed, "exactly one signature"},
		"envelope without payload": {bundle("dsseEnvelope.payload", gone), key, sigstore.Input{}, sigstore.Malformed, "must have a payload"},
		"long signature":           {bundle("dsseEnvelope.signatures.0.sig", st.Base64(make([]byte, 1025))), key, sigstore.Input{}, sigstore.Malformed, "1 to 1024"},
		"key beside certificate":   {bundle("dsseEnvelope.signatures.0.keyid", "x"), key, sigstore.Input{}, sigstore.Malformed, "names a key"},
		"other payload type":       {bundle("dsseEnvelope.payloadType", "text/plain"), key, sigstore.Input{}, sigstore.NotASignature, "no statement"},
		"other message digest":     {message("messageSignature.messageDigest.algorithm", "SHA3_256"), key, sigstore.Input{}, sigstore.Malformed, "message digest"},
		"short message digest":     {message("messageSignature.messageDigest.digest", "AAAA"), key, sigstore.Input{}, sigstore.Malformed, "message digest"},
		"message is no object":     {message("messageSignature", "x"), key, sigstore.Input{}, sigstore.Malformed, "an object should be"},
		"deep":                     {[]byte(strings.Repeat(`{"verificationMaterial":`, 20)), key, sigstore.Input{}, sigstore.Malformed, "bundle"},
	})
}

func TestRefuseKeys(t *testing.T) {
	w := newWorld(t)
	other, ed := st.NewKey(t, elliptic.P256()), st.NewEd25519(t)
	blob := w.sign(w.payload).blob(nil)
	unlogged := w.sign(w.payload).blob(map[string]string{annBundle: ""})
	mine := w.sign(w.payload)
	mine.cert = nil
	set256 := keyed(w, ed, 0)
	wrong := keyed(w, w.key, 0)
	wrong.sig = st.Sign(t, other, theManifest)
	named := set(t, w.envelope(w.statement).byKeyAlone().v1(), "dsseEnvelope.signatures.0.keyid", w.byKey(nil, other).Keys[0].SSHFingerprint())
	checkRefusals(t, map[string]refusal{
		"no authority":              {blob, &sigstore.Authority{}, sigstore.Input{}, sigstore.InvalidPolicy, "exactly one of keys"},
		"other key":                 {blob, w.byKey(nil, other, ed), sigstore.Input{}, sigstore.UntrustedKey, "not by a key"},
		"no log entry":              {unlogged, w.byKey(w.roots()), sigstore.Input{}, sigstore.NoLogEntry, "no entry"},
		"entry for the certificate": {blob, w.byKey(w.roots()), sigstore.Input{}, sigstore.LogEntryMismatch, "another key"},
		"entry is garbage":          {mine.blob(map[string]string{annBundle: "x"}), w.byKey(w.roots()), sigstore.Input{}, sigstore.InvalidLogEntry, annBundle},
		"digest needs the manifest": {set256.bundle(set256.material()), w.byKey(nil, ed), sigstore.Input{}, sigstore.ContentUnavailable, "over the manifest itself"},
		"needs it for one of two":   {wrong.bundle(wrong.material()), w.byKey(nil, ed, w.key), sigstore.Input{}, sigstore.ContentUnavailable, "over the manifest itself"},
		"digest by another key":     {wrong.bundle(wrong.material()), w.byKey(nil), sigstore.Input{}, sigstore.UntrustedKey, "not by a key"},
		"manifest by another key":   {wrong.bundle(wrong.material()), w.byKey(nil), sigstore.Input{Manifest: theManifest}, sigstore.UntrustedKey, "not by a key"},
		"bundle by a certificate":   {w.envelope(w.statement).v1(), w.byKey(nil), sigstore.Input{}, sigstore.UntrustedKey, "by a certificate"},
		"envelope of another key":   {named, w.byKey(nil, other, w.key), sigstore.Input{}, sigstore.UntrustedKey, "the envelope names the key"},
		"other manifest":            {w.sign(theManifest).byKeyAlone().v1(), w.byKey(nil), sigstore.Input{Manifest: []byte("x")}, sigstore.InvalidSignature, "another digest"},
	})
	if _, err := authenticate(blob, sigstore.Input{}); err == nil || sigstore.AsError(err).Code != sigstore.InvalidPolicy {
		t.Errorf("without a policy: %v", err)
	}
}

func TestRefuseLog(t *testing.T) {
	w := newWorld(t)
	fulcio := byFulcio(w.roots())
	s := w.envelope(w.statement)
	again := w.envelope(w.statement) // the same content, another signature
	otherContent := w.envelope(st.Statement(t, st.PredicateSign, strings.Repeat("0", 64)))
	otherContent.sig = s.sig
	logged := func(l *st.Log, body []byte) any { return s.bundle(s.stamped(s.material(l.Entry(t, body)))) }
	changed := func(path string, value any) any {
		return set(t, s.v1(), "verificationMaterial.tlogEntries.0."+path, value)
	}
	changed2 := func(path string, value any) any {
		return set(t, s.v2(), "verificationMaterial.tlogEntries.0."+path, value)
	}
	unknown := st.NewLog(t, st.NewKey(t, elliptic.P256()), "other.example.com - 1")
	message := w.sign(theManifest)
	proof := func(l *st.Log, body []byte) any { return l.Proof(t, body, 5, 8) }
	promised := st.Base64(w.RekorV1.Promise(t, s.body1()))
	short := func(doc any) {
		set(t, doc, "tlogs.0.publicKey.validFor.end", st.Time.Add(-time.Second).Format(time.RFC3339))
	}
	short2 := func(doc any) {
		set(t, doc, "tlogs.1.publicKey.validFor.end", st.Time.Add(-time.Second).Format(time.RFC3339))
	}
	noLogs := func(doc any) { set(t, doc, "tlogs", nil) }
	checkRefusals(t, map[string]refusal{
		"no logs in the root":        {s.v1(), byFulcio(w.roots(noLogs)), sigstore.Input{}, sigstore.RootsUnavailable, "no transparency log"},
		"no entry":                   {s.bundle(s.material()), fulcio, sigstore.Input{}, sigstore.NoLogEntry, "no entry"},
		"unknown log":                {logged(unknown, s.body1()), fulcio, sigstore.Input{}, sigstore.UntrustedLog, fmt.Sprintf("%x", unknown.ID)},
		"key no longer valid":        {s.v1(), byFulcio(w.roots(short)), sigstore.Input{}, sigstore.UntrustedLog, "when the log took"},
		"key of Rekor 2 not valid":   {s.v2(), byFulcio(w.roots(short2)), sigstore.Input{}, sigstore.UntrustedLog, "when the signature was made"},
		"another signature":          {logged(w.RekorV1, again.body1()), fulcio, sigstore.Input{}, sigstore.LogEntryMismatch, "another signature"},
		"another signature, Rekor 2": {logged(w.RekorV2, again.body2()), fulcio, sigstore.Input{}, sigstore.LogEntryMismatch, "another signature"},
		"other content":              {logged(w.RekorV1, otherContent.body1()), fulcio, sigstore.Input{}, sigstore.LogEntryMismatch, "other content"},
		"other content, Rekor 2":     {logged(w.RekorV2, otherContent.body2()), fulcio, sigstore.Input{}, sigstore.LogEntryMismatch, "other content"},
		"another certificate":        {logged(w.RekorV1, st.DSSE1(t, s.message, s.sig, st.CertificatePEM(w.Root.Certificate.Raw))), fulcio, sigstore.Input{}, sigstore.LogEntryMismatch, "another key"},
		"a key instead":              {logged(w.RekorV1, st.DSSE1(t, s.message, s.sig, st.PublicPEM(t, w.key))), fulcio, sigstore.Input{}, sigstore.LogEntryMismatch, "another key"},
		"another kind":               {logged(w.RekorV1, st.HashedRekord1(t, st.PAE(s.message), s.sig, s.verifierPEM())), fulcio, sigstore.Input{}, sigstore.LogEntryMismatch, "of a kind"},
		"envelope for a message":     {message.bundle(message.material(w.RekorV1.Entry(t, st.DSSE1(t, theManifest, message.sig, message.verifierPEM())))), fulcio, sigstore.Input{}, sigstore.LogEntryMismatch, "of a kind"},
		"promise of another time":    {changed("integratedTime", fmt.Sprint(st.Time.Unix()+1)), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "timestamp is not by the log"},
		"promise of another index":   {changed("logIndex", "7"), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "timestamp is not by the log"},
		"promise for another entry":  {changed("inclusionPromise.signedEntryTimestamp", st.Base64(w.RekorV1.Promise(t, again.body1()))), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "timestamp is not by the log"},
		"index in Rekor 2":           {changed2("logIndex", "6"), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "index of its proof"},
		"promise in Rekor 2":         {changed2("inclusionPromise", map[string]any{"signedEntryTimestamp": promised}), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "cannot have a promise"},
		"proof for another entry":    {changed("inclusionProof", proof(w.RekorV1, again.body1())), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "does not lead"},
		"proof by another log":       {changed("inclusionProof", proof(unknown, s.body1())), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "checkpoint is not signed"},
		"proof at another index":     {changed("inclusionProof.logIndex", "4"), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "does not lead"},
		"proof of another size":      {changed("inclusionProof.treeSize", "9"), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "another tree"},
		"proof of another root":      {changed("inclusionProof.rootHash", st.Base64(make([]byte, 32))), fulcio, sigstore.Input{}, sigstore.InvalidLogEntry, "another tree"},
		"proof without checkpoint":   {changed("inclusionProof.checkpoint", gone), fulcio, sigstore.Input{}, sigstore.Malformed, "no checkpoint"},
		"another version than said":  {changed("kindVersion.version", "0.0.2"), fulcio, sigstore.Input{}, sigstore.Malformed, "of another kind"},
	})
}

func TestRefuseTime(t *testing.T) {
	w := newWorld(t)
	fulcio := byFulcio(w.roots())
	s := w.envelope(w.statement)
	stamped := func(stamps ...[]byte) any {
		return set(t, s.bundle(s.stamped(s.material(w.RekorV2.Entry(t, s.body2())), stamps...)), "mediaType", st.Bundle03)
	}
	at := func(when time.Time) []byte { return w.TSA.Stamp(t, s.sig, func(x *st.Stamp) { x.Time = when }) }
	noTSA := func(doc any) { set(t, doc, "timestampAuthorities", gone) }
	over := func(doc any) {
		set(t, doc, "timestampAuthorities.0.validFor.end", st.Time.Add(-time.Second).Format(time.RFC3339))
	}
	caOver := func(doc any) {
		set(t, doc, "certificateAuthorities.0.validFor.end", st.Time.Add(-time.Second).Format(time.RFC3339))
	}
	noTime := func(doc any) any { return set(t, doc, "verificationMaterial.timestampVerificationData", gone) }
	late := set(t, s.v2(), "verificationMaterial.tlogEntries.0.integratedTime", fmt.Sprint(st.Time.Unix()+3600))
	checkRefusals(t, map[string]refusal{
		"no time":                {noTime(s.v2()), fulcio, sigstore.Input{}, sigstore.NoTrustedTime, "nothing that the policy trusts"},
		"no authority":           {s.v2(), byFulcio(w.roots(noTSA)), sigstore.Input{}, sigstore.RootsUnavailable, "no timestamp authority"},
		"unknown authority":      {stamped(st.NewTSA(t, serial).Stamp(t, s.sig)), fulcio, sigstore.Input{}, sigstore.NoTrustedTime, "nothing"},
		"authority not valid":    {s.v2(), byFulcio(w.roots(over)), sigstore.Input{}, sigstore.NoTrustedTime, "nothing"},
		"garbage":                {stamped([]byte("x")), fulcio, sigstore.Input{}, sigstore.InvalidTimestamp, "ASN.1"},
		"garbage beside":         {stamped(at(st.Time), []byte("x")), fulcio, sigstore.Input{}, sigstore.InvalidTimestamp, "ASN.1"},
		"for another signature":  {stamped(w.TSA.Stamp(t, []byte("x"))), fulcio, sigstore.Input{}, sigstore.InvalidTimestamp, "another signature"},
		"authority's is expired": {stamped(at(st.Time.AddDate(2, 0, 0))), fulcio, sigstore.Input{Now: st.Time.AddDate(3, 0, 0)}, sigstore.InvalidTimestamp, "not valid at the time"},
		"before the certificate": {stamped(at(st.Time.Add(-time.Hour))), fulcio, sigstore.Input{}, sigstore.CertificateExpired, "when the signature was made"},
		"after the certificate":  {stamped(at(st.Time.Add(time.Hour))), fulcio, sigstore.Input{}, sigstore.CertificateExpired, "when the signature was made"},
		"one time of two":        {s.bundle(s.stamped(s.material(w.RekorV1.Entry(t, s.body1())), at(st.Time.Add(time.Hour)))), fulcio, sigstore.Input{}, sigstore.CertificateExpired, "when the signature was made"},
		"unsigned time of 0.3":   {late, fulcio, sigstore.Input{}, sigstore.CertificateExpired, "that the log entry states"},
		"CA no longer trusted":   {s.v1(), byFulcio(w.roots(caOver)), sigstore.Input{}, sigstore.CertificateExpired, "no longer trusted"},
		"in the future":          {s.v1(), fulcio, sigstore.Input{Now: st.Time.Add(-time.Second)}, sigstore.SignedInFuture, "later than"},
		"annotation is garbage":  {w.sign(w.payload).blob(map[string]string{annStamp: "{"}), fulcio, sigstore.Input{}, sigstore.InvalidTimestamp, annStamp},
	})
	_, err := authenticate(content(t, s.v1()), sigstore.Input{Now: st.Time.Add(-time.Second)}, fulcio, w.byKey(nil, st.NewEd25519(t)))
	if e := sigstore.AsError(err); e.Code != sigstore.SignedInFuture || !e.RecheckAt.Equal(st.Time) || e.Authority != "fulcio" {
		t.Errorf("signed in the future: %+v", e)
	}
}

func serial(c *x509.Certificate) { c.SerialNumber.SetInt64(8) }

func TestRefuseCertificate(t *testing.T) {
	w := newWorld(t)
	fulcio := byFulcio(w.roots())
	leaf := func(change func(*x509.Certificate)) any {
		s := w.envelope(w.statement)
		template := st.Leaf()
		change(template)
		s.cert = w.Certify(t, w.key, template)
		return s.v1()
	}
	with := func(certificate []byte) any {
		s := w.envelope(w.statement)
		s.cert = certificate
		return s.v1()
	}
	extensions := func(all ...pkix.Extension) any {
		return leaf(func(c *x509.Certificate) { c.ExtraExtensions = all })
	}
	names := func(value string) any {
		return leaf(func(c *x509.Certificate) {
			c.EmailAddresses = nil
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: []byte(value)})
		})
	}
	weak := func() any {
		key := st.NewKey(t, elliptic.P224())
		s := w.envelope(w.statement)
		s.cert = w.Certify(t, key, st.Leaf())
		return s.bundle(s.material(w.RekorV1.Entry(t, s.body1())))
	}
	byAnother := st.New(t)
	noCT := func(doc any) { set(t, doc, "ctlogs", []any{}) }
	otherCT := func(doc any) { set(t, doc, "ctlogs.0.logId.keyId", st.Base64(make([]byte, 32))) }
	ctOver := func(doc any) {
		set(t, doc, "ctlogs.0.publicKey.validFor.end", st.Time.Add(-time.Second).Format(time.RFC3339))
	}
	noCA := func(doc any) { set(t, doc, "certificateAuthorities", gone) }
	sct := func(change func([]byte)) any {
		precert := w.Intermediate.Issue(t, w.key, st.Leaf())
		parsed, err := x509.ParseCertificate(precert)
		if err != nil {
			t.Fatal(err)
		}
		raw := w.CT.SCT(t, w.Intermediate.Certificate, parsed.RawTBSCertificate)
		change(raw)
		template := st.Leaf()
		template.ExtraExtensions = append(template.ExtraExtensions, st.SCTList(t, raw))
		return with(w.Intermediate.Issue(t, w.key, template))
	}
	list := func(value string) any {
		return with(w.Intermediate.Issue(t, w.key, func() *x509.Certificate {
			template := st.Leaf()
			template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: []byte(value)})
			return template
		}()))
	}
	blob := w.sign(w.payload)
	v1, v2 := st.RawExtension(1, st.Issuer), st.TextExtension(8, st.Issuer)
	checkRefusals(t, map[string]refusal{
		"no certificate":         {set(t, set(t, w.envelope(w.statement).v1(), "verificationMaterial.certificate", gone), "verificationMaterial.publicKey", map[string]any{}), fulcio, sigstore.Input{}, sigstore.NoCertificate, "no certificate"},
		"no CA in the root":      {w.envelope(w.statement).v1(), byFulcio(w.roots(noCA)), sigstore.Input{}, sigstore.RootsUnavailable, "no certificate authority"},
		"malformed":              {with([]byte("x")), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "malformed"},
		"of a CA":                {with(w.Intermediate.Certificate.Raw), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "that of a CA"},
		"weak key":               {weak(), fulcio, sigstore.Input{}, sigstore.WeakAlgorithm, "P-256"},
		"key for encryption":     {leaf(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "not for signatures"},
		"no usage":               {leaf(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "signing code"},
		"any usage":              {leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "signing code"},
		"two subjects":           {leaf(func(c *x509.Certificate) { c.EmailAddresses = []string{st.Email, "other@example.com"} }), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "more than one subject"},
		"no subject":             {leaf(func(c *x509.Certificate) { c.EmailAddresses = nil }), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "no subject"},
		"host as subject":        {leaf(func(c *x509.Certificate) { c.EmailAddresses, c.DNSNames = nil, []string{st.Email} }), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "not an email"},
		"empty names":            {names("\x30\x00"), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "malformed"},
		"empty name":             {names("\x30\x02\x81\x00"), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "malformed"},
		"other name of a kind":   {names("\x30\x09\xa0\x07\x06\x01\x2a\xa0\x02\x0c\x00"), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "malformed"},
		"two issuers":            {extensions(v1, st.TextExtension(8, "https://other.example.com")), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "two issuers"},
		"one issuer is empty":    {extensions(st.RawExtension(1, ""), v2), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "two issuers"},
		"no issuer":              {extensions(), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "no issuer"},
		"issuer is not encoded":  {extensions(st.RawExtension(8, st.Issuer)), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "extension of Fulcio"},
		"issuer and more":        {extensions(st.RawExtension(8, "\x0c\x01xx")), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "extension of Fulcio"},
		"issuer is not UTF-8":    {extensions(st.RawExtension(1, "\xff")), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "extension of Fulcio"},
		"by another CA":          {with(byAnother.Certify(t, w.key, st.Leaf())), fulcio, sigstore.Input{}, sigstore.UntrustedCertificate, "not issued"},
		"no CT log":              {w.envelope(w.statement).v1(), byFulcio(w.roots(noCT)), sigstore.Input{}, sigstore.RootsUnavailable, "certificate transparency"},
		"another CT log":         {w.envelope(w.statement).v1(), byFulcio(w.roots(otherCT)), sigstore.Input{}, sigstore.InvalidSCT, "in no certificate transparency"},
		"CT log not valid":       {w.envelope(w.statement).v1(), byFulcio(w.roots(ctOver)), sigstore.Input{}, sigstore.InvalidSCT, "in no certificate transparency"},
		"not recorded":           {with(w.Intermediate.Issue(t, w.key, st.Leaf())), fulcio, sigstore.Input{}, sigstore.InvalidSCT, "in no certificate transparency"},
		"SCT of another time":    {sct(func(b []byte) { b[40] ^= 1 }), fulcio, sigstore.Input{}, sigstore.InvalidSCT, "in no"},
		"SCT far in the future":  {sct(func(b []byte) { b[33] = 0xff }), fulcio, sigstore.Input{}, sigstore.InvalidSCT, "in no"},
		"SCT of version 2":       {sct(func(b []byte) { b[0] = 1 }), fulcio, sigstore.Input{}, sigstore.InvalidSCT, "in no"},
		"SCT with another hash":  {sct(func(b []byte) { b[43] = 2 }), fulcio, sigstore.Input{}, sigstore.InvalidSCT, "in no"},
		"SCT of another key":     {sct(func(b []byte) { b[len(b)-1] ^= 1 }), fulcio, sigstore.Input{}, sigstore.InvalidSCT, "in no"},
		"SCT list is garbage":    {list("x"), fulcio, sigstore.Input{}, sigstore.InvalidSCT, "in no"},
		"SCT list is cut":        {list("\x04\x04\x00\x02\x00\x09"), fulcio, sigstore.Input{}, sigstore.InvalidSCT, "in no"},
		"intermediate not named": {blob.blob(map[string]string{annChain: ""}), byFulcio(w.rekorRoots()), sigstore.Input{}, sigstore.UntrustedCertificate, "not issued"},
		"certificate is no PEM":  {blob.blob(map[string]string{annCert: "x"}), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, annCert},
		"two certificates":       {blob.blob(map[string]string{annCert: strings.Repeat(string(st.CertificatePEM(w.cert)), 2)}), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "more than 1"},
		"chain is no PEM":        {blob.blob(map[string]string{annChain: "x"}), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, annChain},
		"chain is garbage":       {blob.blob(map[string]string{annChain: string(st.CertificatePEM([]byte("x")))}), fulcio, sigstore.Input{}, sigstore.InvalidCertificate, "chain cannot be used"},
		"no certificate in blob": {blob.blob(map[string]string{annCert: ""}), fulcio, sigstore.Input{}, sigstore.NoCertificate, "no certificate"},
	})
}
