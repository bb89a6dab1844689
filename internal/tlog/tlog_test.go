// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/strictjson"
	"github.com/assay-project/assay/internal/tlog"
)

// fixture is a log of each version with an entry for a signature by a key.
type fixture struct {
	v1, v2       *st.Log
	message, sig []byte
	key          *pubkey.Key
	body1, body2 []byte
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	signer := st.NewKey(t, elliptic.P256())
	f := &fixture{
		v1:      st.NewLog(t, st.NewKey(t, elliptic.P256()), "rekor.example.com - 4242"),
		v2:      st.NewLog(t, st.NewEd25519(t), "log.example.com"),
		message: []byte("message"),
	}
	f.sig = st.Sign(t, signer, f.message)
	f.key = mustKey(t, signer)
	f.body1 = st.HashedRekord1(t, f.message, f.sig, st.PublicPEM(t, signer))
	f.body2 = st.HashedRekord2(t, f.message, f.sig, "publicKey", st.SPKI(t, signer))
	return f
}

func mustKey(t testing.TB, signer crypto.Signer) *pubkey.Key {
	t.Helper()
	key, err := pubkey.New(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// trusted returns a log with the ID that it states.
func trusted(t testing.TB, l *st.Log) *tlog.Log {
	t.Helper()
	id, err := tlog.ParseID(l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return &tlog.Log{ID: id, Key: mustKey(t, l.Key)}
}

// parseEntry reads an entry of a bundle.
func parseEntry(document []byte) (e *tlog.Entry, err error) {
	limits := strictjson.Limits{Size: 1 << 20, Depth: 8, Members: 64}
	err = strictjson.Parse(document, limits, func(d *strictjson.Decoder) error {
		e, err = tlog.ParseEntry(d)
		return err
	})
	return e, err
}

// change returns an entry with a member replaced, or removed if value is nil.
func change(t testing.TB, entry st.Object, path string, value any) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(st.JSON(t, entry), &doc); err != nil {
		t.Fatal(err)
	}
	at := doc
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		at = at[step].(map[string]any)
	}
	if last := steps[len(steps)-1]; value == nil {
		delete(at, last)
	} else {
		at[last] = value
	}
	return st.JSON(t, doc)
}

func TestVerify(t *testing.T) {
	f := newFixture(t)
	first, second := f.v1.Entry(t, f.body1), f.v2.Entry(t, f.body2)
	derived := tlog.NewLog(mustKey(t, f.v2.Key))
	rsa := st.NewLog(t, st.NewRSA(t, 2048), "rsa.example.com - 1")
	p384 := st.NewLog(t, st.NewKey(t, elliptic.P384()), "p384.example.com - 1")
	tests := map[string]struct {
		entry []byte
		log   *tlog.Log
		time  time.Time
		err   error
	}{
		"version 1":            {st.JSON(t, first), trusted(t, f.v1), st.Time, nil},
		"version 2":            {st.JSON(t, second), trusted(t, f.v2), time.Time{}, nil},
		"version 2, by key":    {st.JSON(t, second), derived, time.Time{}, nil},
		"version 1, by key":    {st.JSON(t, first), tlog.NewLog(mustKey(t, f.v1.Key)), st.Time, nil},
		"RSA":                  {st.JSON(t, rsa.Entry(t, f.body1)), trusted(t, rsa), st.Time, nil},
		"P-384":                {st.JSON(t, p384.Entry(t, f.body1)), trusted(t, p384), st.Time, nil},
		"promise alone":        {change(t, first, "inclusionProof", nil), trusted(t, f.v1), st.Time, nil},
		"proof alone":          {change(t, first, "inclusionPromise", nil), trusted(t, f.v1), time.Time{}, nil},
		"empty promise":        {change(t, first, "inclusionPromise.signedEntryTimestamp", ""), trusted(t, f.v1), time.Time{}, nil},
		"neither":              {st.JSON(t, st.Object{"logId": first["logId"], "logIndex": 1, "kindVersion": first["kindVersion"], "canonicalizedBody": first["canonicalizedBody"]}), trusted(t, f.v1), time.Time{}, tlog.ErrNoEvidence},
		"2 without proof":      {change(t, second, "inclusionProof", nil), trusted(t, f.v2), time.Time{}, tlog.ErrV2Proof},
		"2 with promise":       {change(t, second, "inclusionPromise", st.Object{"signedEntryTimestamp": "AAAA"}), trusted(t, f.v2), time.Time{}, tlog.ErrV2Promise},
		"promise of others":    {change(t, first, "integratedTime", "1"), trusted(t, f.v1), time.Time{}, tlog.ErrPromise},
		"checkpoint of others": {st.JSON(t, first), trusted(t, rsa), time.Time{}, tlog.ErrCheckpoint},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := parseEntry(test.entry)
			if err != nil {
				t.Fatal(err)
			}
			at, err := e.Verify(test.log)
			if !errors.Is(err, test.err) || !at.Equal(test.time) {
				t.Errorf("%v, %v, want %v, %v", at, err, test.time, test.err)
			}
			if found := tlog.Find([]*tlog.Log{trusted(t, p384), test.log}, e.LogID, e.Origin()); err == nil && (found == nil || found.ID != test.log.ID) {
				t.Errorf("the log of the entry is %v", found)
			}
		})
	}
	e, err := parseEntry(st.JSON(t, second))
	if err != nil {
		t.Fatal(err)
	}
	if tlog.Find([]*tlog.Log{derived}, e.LogID, "") != nil || tlog.Find([]*tlog.Log{derived}, e.LogID, "other.example.com") != nil {
		t.Error("a key is found for another origin")
	}
}

func TestParseEntryRefuses(t *testing.T) {
	f := newFixture(t)
	entry := f.v1.Entry(t, f.body1)
	hashes := make([]string, 64)
	tests := map[string]struct {
		document []byte
		want     string
	}{
		"unknown member":     {change(t, entry, "x", 1), "unknown member"},
		"index is negative":  {change(t, entry, "logIndex", "-1"), "negative"},
		"index is no number": {change(t, entry, "logIndex", "x"), "not an integer"},
		"no index":           {change(t, entry, "logIndex", nil), "no index"},
		"time is negative":   {change(t, entry, "integratedTime", "-1"), "out of range"},
		"time is too late":   {change(t, entry, "integratedTime", "253402300800"), "out of range"},
		"no log ID":          {change(t, entry, "logId", nil), "32 bytes"},
		"no kind":            {change(t, entry, "kindVersion", nil), "another kind"},
		"long promise":       {change(t, entry, "inclusionPromise.signedEntryTimestamp", st.Base64(make([]byte, 1025))), "larger than 1024"},
		"no body":            {change(t, entry, "canonicalizedBody", nil), "log entry: byte 0"},
		"no checkpoint":      {change(t, entry, "inclusionProof.checkpoint", nil), "no checkpoint"},
		"bad checkpoint":     {change(t, entry, "inclusionProof.checkpoint.envelope", "x"), "not a signed note"},
		"no root":            {change(t, entry, "inclusionProof.rootHash", nil), "hash of the proof"},
		"short hash":         {change(t, entry, "inclusionProof.hashes", []string{"AAAA"}), "hash of the proof"},
		"hash is no string":  {change(t, entry, "inclusionProof.hashes", []int{1}), "a string should be"},
		"many hashes":        {change(t, entry, "inclusionProof.hashes", hashes), "hash of the proof"},
		"proof is a number":  {change(t, entry, "inclusionProof", 1), "an object should be"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if e, err := parseEntry(test.document); err == nil || e != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v, want %q", e, err, test.want)
			}
		})
	}
	first := f.v1.Entry(t, f.body1)
	first["inclusionProof"] = f.v1.Proof(t, f.body1, 0, 1)
	delete(first, "logIndex")
	if _, err := parseEntry(st.JSON(t, first)); err != nil {
		t.Errorf("the first entry of a log, whose index is left out: %v", err)
	}
}

func TestParsePromise(t *testing.T) {
	f := newFixture(t)
	annotation := f.v1.CosignBundle(t, f.body1)
	e, err := tlog.ParsePromise(st.JSON(t, annotation))
	if err != nil {
		t.Fatal(err)
	}
	if at, err := e.Verify(trusted(t, f.v1)); err != nil || !at.Equal(st.Time) || e.Index != 1000 {
		t.Errorf("%v, %v", at, err)
	}
	loose := bytes.ReplaceAll(st.JSON(t, annotation), []byte(`,"`), []byte(" ,\n\t\""))
	if e, err := tlog.ParsePromise(loose); err != nil {
		t.Errorf("JSON that is not canonical: %v", err)
	} else if _, err := e.Verify(trusted(t, f.v1)); err != nil {
		t.Errorf("JSON that is not canonical: %v", err)
	}
	tests := map[string]struct {
		path  string
		value any
		want  string
	}{
		"unknown":              {"x", 1, "unknown member"},
		"unknown in payload":   {"Payload.x", 1, "unknown member"},
		"no promise":           {"SignedEntryTimestamp", nil, "a member is missing"},
		"empty promise":        {"SignedEntryTimestamp", "", "a member is missing"},
		"no time":              {"Payload.integratedTime", nil, "a member is missing"},
		"no index":             {"Payload.logIndex", nil, "a member is missing"},
		"index in a string":    {"Payload.logIndex", "1000", "a number should be"},
		"fraction":             {"Payload.logIndex", 1.5, "not an integer"},
		"log ID in upper case": {"Payload.logID", strings.ToUpper(fmt.Sprintf("%x", f.v1.ID)), "lower-case"},
		"log ID is short":      {"Payload.logID", "00", "32 bytes"},
		"log ID is no hex":     {"Payload.logID", "x", "lower-case"},
		"body is no base64":    {"Payload.body", "*", "not base64"},
		"other kind":           {"Payload.body", st.Base64([]byte(`{"kind":"rekord","apiVersion":"0.0.1","spec":{}}`)), "entries are"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if e, err := tlog.ParsePromise(change(t, annotation, test.path, test.value)); e != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v, want %q", e, err, test.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	f := newFixture(t)
	certificate := st.NewCA(t, "ca", nil).Certificate.Raw
	payload := []byte("payload")
	pem := st.CertificatePEM(certificate)
	bodies := map[string][]byte{
		"hashedrekord 1": st.HashedRekord1(t, f.message, f.sig, pem), "hashedrekord 2": st.HashedRekord2(t, f.message, f.sig, "x509Certificate", certificate),
		"dsse 1": st.DSSE1(t, payload, f.sig, pem), "dsse 2": st.DSSE2(t, payload, f.sig, "x509Certificate", certificate),
		"intoto 2": st.InToto2(t, payload, f.sig, pem),
	}
	byKey := map[string][]byte{"hashedrekord 1": f.body1, "hashedrekord 2": f.body2}
	digest := digestOf
	message := tlog.Signed{Digest: digest(f.message), Signature: f.sig, Certificate: certificate}
	envelope := message
	envelope.Payload = payload
	with := func(s tlog.Signed, change func(*tlog.Signed)) *tlog.Signed {
		change(&s)
		return &s
	}
	key := with(message, func(s *tlog.Signed) { s.Certificate, s.Key = nil, f.key })
	tests := map[string]struct {
		body   []byte
		signed *tlog.Signed
		want   error
	}{
		"hashedrekord 1":              {bodies["hashedrekord 1"], &message, nil},
		"hashedrekord 2":              {bodies["hashedrekord 2"], &message, nil},
		"hashedrekord 2 of envelope":  {bodies["hashedrekord 2"], &envelope, nil},
		"dsse 1":                      {bodies["dsse 1"], &envelope, nil},
		"dsse 2":                      {bodies["dsse 2"], &envelope, nil},
		"intoto 2":                    {bodies["intoto 2"], &envelope, nil},
		"by key":                      {byKey["hashedrekord 1"], key, nil},
		"by key, 2":                   {byKey["hashedrekord 2"], key, nil},
		"hashedrekord 1 of envelope":  {bodies["hashedrekord 1"], &envelope, tlog.ErrOtherKind},
		"dsse 1 of message":           {bodies["dsse 1"], &message, tlog.ErrOtherKind},
		"dsse 2 of message":           {bodies["dsse 2"], &message, tlog.ErrOtherKind},
		"other content":               {bodies["hashedrekord 1"], with(message, func(s *tlog.Signed) { s.Digest = digest(payload) }), tlog.ErrOtherDigest},
		"unknown content":             {bodies["hashedrekord 1"], with(message, func(s *tlog.Signed) { s.Digest = func(crypto.Hash) []byte { return nil } }), tlog.ErrOtherDigest},
		"other payload":               {bodies["intoto 2"], with(envelope, func(s *tlog.Signed) { s.Payload = f.message }), tlog.ErrOtherDigest},
		"other signature":             {bodies["dsse 1"], with(envelope, func(s *tlog.Signed) { s.Signature = nil }), tlog.ErrOtherSignature},
		"other certificate":           {bodies["dsse 2"], with(envelope, func(s *tlog.Signed) { s.Certificate = pem }), tlog.ErrOtherKey},
		"key and not certificate":     {bodies["hashedrekord 1"], key, tlog.ErrOtherKey},
		"certificate and not key":     {byKey["hashedrekord 1"], &message, tlog.ErrOtherKey},
		"neither key nor certificate": {byKey["hashedrekord 1"], with(*key, func(s *tlog.Signed) { s.Key = nil }), tlog.ErrOtherKey},
		"other key":                   {byKey["hashedrekord 2"], with(*key, func(s *tlog.Signed) { s.Key = mustKey(t, f.v1.Key) }), tlog.ErrOtherKey},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := tlog.ParseBody(test.body)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Match(test.signed); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

func TestParseBodyRefuses(t *testing.T) {
	f := newFixture(t)
	good := string(f.body1)
	edit := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the entry", old)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	tests := map[string]struct{ body, want string }{
		"large":             {strings.Repeat(" ", tlog.MaxBody+1), "larger than"},
		"not JSON":          {"x", "log entry: byte 0"},
		"no kind":           {edit(`"kind":"hashedrekord",`, ""), "entries are"},
		"no spec":           {`{"kind":"hashedrekord","apiVersion":"0.0.1"}`, "log entry: byte 0"},
		"unknown version":   {edit("0.0.1", "0.0.3"), "entries are"},
		"unknown algorithm": {edit(`"sha256"`, `"sha1"`), "no digest"},
		"short digest":      {edit(`"value":"`, `"value":"00`), "no digest"},
		"digest is no hex":  {edit(`"value":"`, `"value":"x`), "log entry"},
		"digest is number":  {edit(`"algorithm":"sha256"`, `"algorithm":1`), "a string should be"},
		"no signature":      {edit(`"content":"`+st.Base64(f.sig)+`",`, ""), "no signature"},
		"no key":            {edit(`"publicKey"`, `"x"`), "no key"},
		"key is number":     {edit(`"publicKey":{"content":"`, `"publicKey":{"content":1,"x":"`), "a string should be"},
		"key is garbage":    {edit(`"publicKey":{"content":"`, `"publicKey":{"content":"AAAA","x":"`), "neither one certificate"},
		"intoto no base64":  {`{"kind":"intoto","apiVersion":"0.0.2","spec":{"content":{"envelope":{"signatures":[{"sig":"*"}]}}}}`, "not base64"},
		"intoto once":       {`{"kind":"intoto","apiVersion":"0.0.2","spec":{"content":{"envelope":{"signatures":[{"sig":"AAAA"}]}}}}`, "log entry"},
		"dsse twice":        {`{"kind":"dsse","apiVersion":"0.0.1","spec":{"signatures":[{},{}]}}`, "more than 1"},
		"both verifiers":    {`{"kind":"hashedrekord","apiVersion":"0.0.2","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"` + strings.Repeat("A", 43) + `="},"signature":{"content":"AAAA","verifier":{"x509Certificate":{"rawBytes":"AAAA"},"publicKey":{"rawBytes":"AAAA"}}}}}}`, "or both"},
		"2 with more":       {`{"kind":"dsse","apiVersion":"0.0.2","spec":{"dsseV002":{},"x":1}}`, "unknown member"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if b, err := tlog.ParseBody([]byte(test.body)); b != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v, want %q", b, err, test.want)
			}
		})
	}
}

func TestPeriod(t *testing.T) {
	p := tlog.Period{Start: st.Time, End: st.Time.Add(time.Hour)}
	for at, want := range map[time.Duration]bool{-1: false, 0: true, time.Hour: true, time.Hour + 1: false} {
		if got := p.Contains(st.Time.Add(at)); got != want {
			t.Errorf("%v after the start: %t", at, got)
		}
	}
	if !(tlog.Period{}).Contains(st.Time) {
		t.Error("a period without ends has an end")
	}
}

// digestOf returns the digests of a message.
func digestOf(message []byte) func(crypto.Hash) []byte {
	return func(hash crypto.Hash) []byte { return st.Digest(hash, message) }
}
