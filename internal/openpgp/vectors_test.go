// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testNow is the moment at which all vectors are judged; see testdata/vectors.
var testNow = time.Unix(1767225600, 0)

// messageVector is a file of testdata/messages; testdata/vectors says what is
// in it.
type messageVector struct {
	name        string
	expect      string
	keys        []string
	fingerprint string
	archive     bool
	content     []byte
}

func readVectors(t testing.TB) []messageVector {
	t.Helper()
	paths, err := filepath.Glob("testdata/messages/*.txt")
	if err != nil || len(paths) < 100 {
		t.Fatalf("%d vectors found, error %v: run go generate", len(paths), err)
	}
	var vectors []messageVector
	for _, path := range paths {
		vectors = append(vectors, readVector(t, path))
	}
	return vectors
}

func readVector(t testing.TB, path string) messageVector {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := messageVector{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	header, body, _ := strings.Cut(string(data), "\n\n")
	lines := bufio.NewScanner(strings.NewReader(header))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "Comment":
		case "Expect":
			v.expect = value
		case "Key":
			v.keys = append(v.keys, value)
		case "Fingerprint":
			v.fingerprint = value
		case "Archive":
			v.archive = value == "true"
		default:
			t.Fatalf("%s: unknown header %q", path, name)
		}
	}
	if v.content, err = base64.StdEncoding.DecodeString(body); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func readVectorNamed(t testing.TB, name string) messageVector {
	t.Helper()
	return readVector(t, "testdata/messages/"+name+".txt")
}

func readKeyFiles(t testing.TB, names ...string) []*KeyFile {
	t.Helper()
	var files []*KeyFile
	for _, name := range names {
		data, err := os.ReadFile("testdata/keys/" + name + ".asc")
		if err != nil {
			t.Fatal(err)
		}
		file, err := ParseKeyFile(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(file.Problems) > 0 {
			t.Fatalf("%s: %q", name, file.Problems)
		}
		files = append(files, file)
	}
	return files
}

func readKeys(t testing.TB, names ...string) []*Certificate {
	t.Helper()
	var certificates []*Certificate
	for _, file := range readKeyFiles(t, names...) {
		certificates = append(certificates, file.Certificates...)
	}
	return certificates
}

func (v messageVector) options() Options {
	return Options{Now: testNow, AcceptBeforeExpiry: v.archive}
}

// verify reads and verifies content.
func verify(k *Keyring, content []byte, o Options) (*Verified, error) {
	m, err := ParseMessage(content)
	if err != nil {
		return nil, err
	}
	return k.Verify(m, o)
}

func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			got, err := verify(NewKeyringFromFiles(readKeyFiles(t, v.keys...)...), v.content, v.options())
			var fault *Error
			switch {
			case err == nil:
				if v.expect != "Accept" || got.Fingerprint != v.fingerprint {
					t.Errorf("accepted as %s, want %s %s", got.Fingerprint, v.expect, v.fingerprint)
				}
			case !errors.As(err, &fault) || got != nil:
				t.Errorf("got %v and an error that is not an *Error: %v", got, err)
			case fault.Code.String() != v.expect:
				t.Errorf("got %v (%s), want %s", fault.Code, fault.Detail, v.expect)
			case fault.Detail == "" || len(fault.Detail) > 256:
				t.Errorf("the detail has %d bytes", len(fault.Detail))
			}
		})
	}
}

// TestVectorsInAnyKeyOrder adds all other keys, in both orders: what is not
// concerned must not change a verdict.
func TestVectorsInAnyKeyOrder(t *testing.T) {
	for _, v := range readVectors(t) {
		files := readKeyFiles(t, append(v.keys, "rsa4096", "p256", "v6-ed448", "eddsa")...)
		if slices.Contains([]string{"rsa4096", "p256", "v6-ed448", "eddsa"}, v.keys[0]) {
			continue
		}
		want, wantErr := verify(NewKeyringFromFiles(files...), v.content, v.options())
		slices.Reverse(files)
		got, gotErr := verify(NewKeyringFromFiles(files...), v.content, v.options())
		if diff := cmp.Diff(want, got) + cmp.Diff(wantErr, gotErr); diff != "" {
			t.Errorf("%s: the order of keys changes the verdict:\n%s", v.name, diff)
		}
	}
}

// TestEveryFlippedOctet changes each octet of a message. Nothing but the
// payload that was signed may ever be accepted.
func TestEveryFlippedOctet(t *testing.T) {
	for _, name := range []string{"ed25519", "rsa2048", "v6", "zip", "v3"} {
		v := readVectorNamed(t, name)
		ring := NewKeyring(readKeys(t, v.keys...)...)
		want, err := verify(ring, v.content, v.options())
		if err != nil {
			t.Fatal(err)
		}
		for i := range v.content {
			for _, change := range []byte{0x01, 0x02, 0x40, 0x80, 0xff} {
				changed := bytes.Clone(v.content)
				changed[i] ^= change
				got, err := verify(ring, changed, v.options())
				if err == nil && cmp.Diff(want, got) != "" {
					t.Errorf("%s: octet %d changed by %#x: %s", name, i, change, cmp.Diff(want, got))
				}
			}
		}
	}
}

// TestEveryTruncation cuts a message at each octet.
func TestEveryTruncation(t *testing.T) {
	for _, v := range readVectors(t) {
		if v.expect != "Accept" || len(v.content) > 4096 {
			continue
		}
		for n := range v.content {
			if _, err := ParseMessage(v.content[:n]); err == nil {
				t.Errorf("%s: accepted with %d of %d octets", v.name, n, len(v.content))
			}
		}
	}
}
