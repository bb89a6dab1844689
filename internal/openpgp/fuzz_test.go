// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseMessage: either a message or an error is returned, a message is within the bounds, and
// parsing is repeatable.
func FuzzParseMessage(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add(v.content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := ParseMessage(content)
		again, errAgain := ParseMessage(content)
		if diff := cmp.Diff(err, errAgain); diff != "" {
			t.Fatalf("reading is not repeatable: %s", diff)
		}
		if err != nil {
			if m != nil {
				t.Fatal("a message comes with an error")
			}
			checkError(t, err)
			return
		}
		if len(m.untrustedPayload) > max(maxDecompressedSize, len(content)) {
			t.Fatalf("the payload has %d bytes", len(m.untrustedPayload))
		}
		if m.UnverifiedIssuer() != again.UnverifiedIssuer() || len(m.UnverifiedIssuer()) > 2+64 {
			t.Fatalf("the issuer is %q", m.UnverifiedIssuer())
		}
		if m.signature.kind != typeBinary || !m.signature.digest.strong {
			t.Fatal("a message with a refused signature was read")
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	refusal := asError(t, err)
	if refusal.Code <= 0 || int(refusal.Code) >= len(codeNames) || refusal.Detail == "" || len(refusal.Detail) > 256 {
		t.Fatalf("not a proper error: %#v", err)
	}
}

// FuzzVerify: an accepted message has one of the vectors' payloads and comes from the certificate
// that signed it.
func FuzzVerify(f *testing.F) {
	ring := NewKeyring(readKeys(f, "alice", "rsa2048", "p256", "v6", "subkey", "ed448")...)
	signed := map[string]bool{}
	for _, v := range readVectors(f) {
		f.Add(v.content)
		if got, err := verify(ring, v.content, v.options()); err == nil {
			signed[got.Fingerprint+string(got.Payload)] = true
		}
	}
	if len(signed) == 0 {
		f.Fatal("no vector is accepted")
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := verify(ring, content, Options{Now: testNow})
		switch {
		case err != nil && got != nil:
			t.Fatal("a result comes with an error")
		case err != nil:
			checkError(t, err)
		case !signed[got.Fingerprint+string(got.Payload)]:
			t.Fatalf("accepted a payload that %s never signed: %q", got.Fingerprint, got.Payload)
		}
	})
}

// FuzzParseKeyFile: a file without an error has a certificate or a revocation, and one with an
// error has neither, but a cost within its bound; the report is bounded; the file contains each key
// that may sign; merging a certificate with itself changes nothing.
func FuzzParseKeyFile(f *testing.F) {
	paths, err := filepath.Glob("testdata/keys/*.asc")
	if err != nil || len(paths) < 20 {
		f.Fatalf("%d keys found, error %v: run go generate", len(paths), err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(keyBlocks(data)[0].data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseKeyFile(data)
		if err != nil {
			if diff := cmp.Diff(&KeyFile{Cost: file.Cost}, file, cmp.AllowUnexported(KeyFile{})); diff != "" {
				t.Fatalf("more than the cost comes with the error %v: %s", err, diff)
			}
			if file.Cost < 0 || file.Cost > maxKeyFileCost || len(err.Error()) > maxProblemSize {
				t.Fatalf("the cost is %d with the error %v", file.Cost, err)
			}
			return
		}
		certificates, revocations, problems := len(file.Certificates), len(file.revocations), len(file.Problems)
		if certificates+revocations == 0 || certificates > maxCertificates || revocations > maxRevocations || problems > maxProblems {
			t.Fatalf("%d certificates, %d revocations, %d problems", certificates, revocations, problems)
		}
		if text, err := Rearmor(data); err == nil {
			again := parse(t, text)
			file := *file
			file.Problems = again.Problems
			if diff := cmp.Diff(summaries(&file), summaries(again)); diff != "" {
				t.Fatalf("its copy holds something else: %s", diff)
			}
		}
		ring := NewKeyringFromFiles(file, file)
		if len(ring.Certificates()) != len(file.Certificates) {
			t.Fatal("a file has a certificate twice")
		}
		for i, c := range ring.Certificates() {
			checkCertificate(t, file.Certificates[i], c)
		}
	})
}

func checkCertificate(t *testing.T, c, merged *Certificate) {
	t.Helper()
	if len(c.UserID()) > maxUserIDSize || len(c.Fingerprint()) != 40 && len(c.Fingerprint()) != 64 {
		t.Fatalf("user ID %q, fingerprint %q", c.UserID(), c.Fingerprint())
	}
	if diff := cmp.Diff(c.Check(testNow), merged.Check(testNow)); diff != "" {
		t.Fatalf("merging it with itself changes it: %s", diff)
	}
	if err := c.Check(testNow); err != nil {
		checkError(t, err)
	} else if c.Revoked() || !c.Expires().IsZero() && !testNow.Before(c.Expires()) {
		t.Fatal("a revoked or expired key may sign")
	}
	if bytes.ContainsAny([]byte(c.UserID()), "\x00\n\r\x1b") {
		t.Fatalf("control characters in %q", c.UserID())
	}
}
