// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// genuine returns signatures of all forms, with the entries that accept them.
func genuine(w *world) (contents [][]byte, authorities []*sigstore.Authority) {
	pki := w.sign(w.payload)
	pki.cert = w.Intermediate.Issue(w.t, w.key, pkiLeaf())
	byKey := w.sign(w.payload)
	byKey.cert = nil
	for _, doc := range []any{
		w.sign(w.payload).blob(map[string]string{annChain: ""}), byKey.blob(map[string]string{annBundle: promise(w, byKey)}), pki.blob(map[string]string{annBundle: "", annChain: ""}),
		w.envelope(w.statement).v1(), w.envelope(w.statement).v2(), w.sign(theManifest).v1(), w.sign(theManifest).v2(),
	} {
		contents = append(contents, content(w.t, doc))
	}
	return contents, []*sigstore.Authority{w.byKey(w.rekorRoots()), byFulcio(w.roots()), byFulcio(w.rekorRoots()), byPKI(w)}
}

// FuzzAuthenticate expects a signature or an error, the same the second time, and no image but the one
// that was signed to be authenticated.
func FuzzAuthenticate(f *testing.F) {
	w := newWorld(f)
	contents, authorities := genuine(w)
	for _, c := range contents {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		in := sigstore.Input{Now: now}
		v, err := authenticate(content, in, authorities...)
		if (v == nil) != (err != nil) {
			t.Fatalf("%v and %v", v, err)
		}
		if err != nil {
			if again, twice := authenticate(content, in, authorities...); again != nil || twice == nil || twice.Error() != err.Error() {
				t.Errorf("%v, then %v", err, twice)
			}
			if e := sigstore.AsError(err); e.Code < sigstore.Malformed || e.Code > sigstore.MalformedPayload || len(e.Detail) > 512 {
				t.Errorf("%+v", e)
			}
			return
		}
		checkOwn(t, w, v)
	})
}

// checkOwn expects a result to be what the world's signer has signed.
func checkOwn(t *testing.T, w *world, v *sigstore.Verified) {
	t.Helper()
	signed := v.Payload == nil || bytes.Equal(v.Payload, w.payload) || bytes.Equal(v.Payload, w.statement)
	if !signed || len(v.Statements) != 1 || v.Statements[0].Digests[0] != "sha256:"+hexDigest() {
		t.Errorf("authenticated as %+v", v)
	}
	if len(v.Claims) > sigstore.MaxClaims {
		t.Errorf("there are %d claims", len(v.Claims))
	}
}

// FuzzParseTrustedRoot expects a root or an error.
func FuzzParseTrustedRoot(f *testing.F) {
	w := newWorld(f)
	f.Add(st.JSON(f, w.TrustedRoot(f)))
	f.Fuzz(func(t *testing.T, document []byte) {
		roots, err := sigstore.ParseTrustedRoot(document)
		if (roots == nil) != (err != nil) {
			t.Fatalf("%v and %v", roots, err)
		}
	})
}

// FuzzParseRoots expects roots or an error.
func FuzzParseRoots(f *testing.F) {
	w := newWorld(f)
	f.Add(st.CertificatePEM(w.Root.Certificate.Raw), st.PublicPEM(f, w.RekorV1.Key))
	f.Fuzz(func(t *testing.T, ca, rekor []byte) {
		roots, err := sigstore.ParseRoots(ca, rekor)
		if (roots == nil) != (err != nil) {
			t.Fatalf("%v and %v", roots, err)
		}
	})
}

// FuzzPayload expects what is signed to be read or refused, and what is read to be bounded.
func FuzzPayload(f *testing.F) {
	w := newWorld(f)
	f.Add(w.payload, false)
	f.Add(w.statement, true)
	f.Add([]byte(`{"critical":{"type":"cosign container image signature","image":{"docker-manifest-digest":"x"},"identity":{"docker-reference":"x"}},"optional":{"a":[{}]}}`), false)
	key := w.byKey(nil)
	f.Fuzz(func(t *testing.T, payload []byte, dsse bool) {
		w := *w
		w.t = t
		doc := any(w.sign(payload).blob(nil))
		if dsse {
			s := w.envelope(payload)
			s.cert = nil
			doc = s.bundle(s.material())
		}
		v, err := authenticate(content(t, doc), sigstore.Input{}, key)
		if err != nil {
			return
		}
		if !json.Valid(payload) || len(v.Statements) == 0 || len(v.Claims) > sigstore.MaxClaims {
			t.Errorf("%q is authenticated as %+v", payload, v)
		}
		for name, value := range v.Claims {
			if len(name) > sigstore.MaxClaimName || len(value) > sigstore.MaxClaimValue {
				t.Errorf("a claim has a name of %d and a value of %d bytes", len(name), len(value))
			}
		}
	})
}

// TestFlippedByte changes every seventh byte of genuine signatures. What is still accepted is what was signed:
// some bytes, such as hints and annotations that the entry has no use for, are not part of it.
func TestFlippedByte(t *testing.T) {
	w := newWorld(t)
	contents, authorities := genuine(w)
	for n, original := range contents {
		if _, err := authenticate(original, sigstore.Input{}, authorities...); err != nil {
			t.Fatalf("signature %d is not genuine: %v", n, err)
		}
		accepted := 0
		for i := n; i < len(original); i += 7 {
			changed := slices.Clone(original)
			changed[i] ^= 1
			if v, err := authenticate(changed, sigstore.Input{}, authorities...); err == nil {
				accepted++
				checkOwn(t, w, v)
			}
		}
		if accepted > len(original)/70 {
			t.Errorf("signature %d: %d of %d bytes can be changed", n, accepted, len(original)/7)
		}
	}
}

// TestFlippedSignedByte changes every third byte of what is signed, of the signature, and of what logs and
// CAs have signed, and expects none to be accepted.
func TestFlippedSignedByte(t *testing.T) {
	w := newWorld(t)
	root := byFulcio(w.roots())
	paths := map[string][]string{
		"v1": {"dsseEnvelope.payload", "dsseEnvelope.signatures.0.sig", "verificationMaterial.certificate.rawBytes",
			"verificationMaterial.tlogEntries.0.canonicalizedBody", "verificationMaterial.tlogEntries.0.inclusionPromise.signedEntryTimestamp",
			"verificationMaterial.tlogEntries.0.logId.keyId", "verificationMaterial.tlogEntries.0.inclusionProof.rootHash",
			"verificationMaterial.tlogEntries.0.inclusionProof.hashes.0"},
		"v2": {"dsseEnvelope.payload", "dsseEnvelope.signatures.0.sig", "verificationMaterial.certificate.rawBytes",
			"verificationMaterial.tlogEntries.0.canonicalizedBody", "verificationMaterial.tlogEntries.0.inclusionProof.hashes.1"},
	}
	bundles := map[string]func() any{
		"v1": func() any { return w.envelope(w.statement).v1() }, "v2": func() any { return w.envelope(w.statement).v2() },
	}
	for kind, all := range paths {
		doc := bundles[kind]()
		for _, path := range all {
			text := get(t, doc, path).(string)
			for i := 0; i < len(decode(t, text)); i += 3 {
				raw := decode(t, text)
				raw[i] ^= 0x10
				set(t, doc, path, st.Base64(raw))
				if _, err := authenticate(content(t, doc), sigstore.Input{}, root); err == nil {
					t.Errorf("%s: byte %d of %s can be changed", kind, i, path)
				}
			}
			set(t, doc, path, text)
		}
		if _, err := authenticate(content(t, doc), sigstore.Input{}, root); err != nil {
			t.Errorf("%s is not genuine: %v", kind, err)
		}
	}
}
