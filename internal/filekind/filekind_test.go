// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package filekind

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// maxSize is what the package promises for every message, in bytes.
const maxSize = 256

var testKey = pgp.Ed25519(4, 1704067200, "filekind")

func tarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, name := range names {
		content := []byte("content of " + name)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func pem(label string) string {
	return "-----BEGIN " + label + "-----\nAAAA\n-----END " + label + "-----\n"
}

// inBase64 encodes as base64(1) does: in lines.
func inBase64(data []byte) []byte {
	var lines bytes.Buffer
	for text := base64.StdEncoding.EncodeToString(data); text != ""; {
		n := min(len(text), 76)
		lines.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return lines.Bytes()
}

// TestKinds names one file of each kind, and says where it belongs.
func TestKinds(t *testing.T) {
	message := testKey.Message(testKey.Standard(pgp.TypeBinary, 1704067300), []byte("payload"))
	detached := pgp.Packet(pgp.TagSignature, testKey.Sign(testKey.Standard(pgp.TypeBinary, 1704067300), []byte("payload")))
	key := testKey.Simple("alice")
	der := append([]byte{0x30, 69, 0x02, 33, 0}, bytes.Repeat([]byte{1}, 66)...)
	bundleText := `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{}}`
	tests := map[string]struct {
		data           string
		name           string // Empty: not known.
		key, signature string // Parts of the messages; empty: none.
	}{
		"OpenPGP key":         {string(key), "an OpenPGP public key", "", "public keys go into a TrustPolicy"},
		"old packet format":   {string(pgp.OldPacket(pgp.TagPublicKey, 2, testKey.Body())), "an OpenPGP public key", "", "not a signature"},
		"long packet":         {string(pgp.Packet(pgp.TagPublicKey, append(testKey.Body(), make([]byte, 9000)...))), "an OpenPGP public key", "", "not a signature"},
		"two octets of size":  {string(pgp.Packet(pgp.TagPublicKey, append(testKey.Body(), make([]byte, 900)...))), "an OpenPGP public key", "", "not a signature"},
		"armored key":         {string(pgp.Armor("PGP PUBLIC KEY BLOCK", key)), "an OpenPGP public key", "", "not a signature"},
		"key with text":       {"pub ed25519\n" + string(pgp.Armor("PGP PUBLIC KEY BLOCK", key)), "an OpenPGP public key", "", "not a signature"},
		"private key":         {string(pgp.Packet(pgp.TagSecretKey, append(testKey.Body(), 0))), "an OpenPGP private key", "gpg --export", "take it for known"},
		"armored private key": {pem("PGP PRIVATE KEY BLOCK"), "an OpenPGP private key", "gpg --export", "take it for known"},
		"message":             {string(message), "a signed OpenPGP message", "signatures go into an Image", ""},
		"compressed message":  {string(pgp.Packet(pgp.TagCompressed, pgp.ZIP(message))), "a signed OpenPGP message", "not a public key", ""},
		"as GnuPG writes it":  {string(pgp.OldPacket(pgp.TagCompressed, 0, pgp.ZIP(message))), "a signed OpenPGP message", "not a public key", ""},
		"in parts":            {string(pgp.PartialPacket(pgp.TagCompressed, 4, pgp.ZIP(message))), "a signed OpenPGP message", "not a public key", ""},
		"armored message":     {pem("PGP MESSAGE"), "an armored OpenPGP message", "not a public key", "gpg --dearmor"},
		"detached":            {string(detached), "a detached OpenPGP signature", "the public key of its signer", "gpg --sign"},
		"armored detached":    {pem("PGP SIGNATURE"), "an armored detached OpenPGP signature", "the public key of its signer", "gpg --sign"},
		"cleartext":           {"-----BEGIN PGP SIGNED MESSAGE-----\n", "a cleartext signed OpenPGP message", "gpg --decrypt", "gpg --sign"},
		"encrypted":           {string(pgp.Packet(1, []byte{3, 0, 0, 0})), "an encrypted OpenPGP message", "not a public key", "decrypt"},
		"encrypted data":      {string(pgp.Packet(18, []byte{1, 0, 0, 0})), "an encrypted OpenPGP message", "not a public key", "decrypt"},
		"keybox":              {"\x00\x00\x00\x20\x01\x01\x00\x02KBXf....", "a GnuPG keybox", "gpg --export", "public keys go"},
		"PEM key":             {pem("PUBLIC KEY"), "a public key in PEM", "", "public keys go"},
		"certificate":         {pem("CERTIFICATE"), "a certificate in PEM", "openssl x509", "public keys go"},
		"cosign's key":        {pem("ENCRYPTED SIGSTORE PRIVATE KEY"), "a private key in PEM", "cosign public-key", "take it for known"},
		"other PEM":           {pem("CERTIFICATE REQUEST"), "PEM of another kind", "PUBLIC KEY", "not PEM"},
		"DER":                 {"\x30\x82\x01\x22\x30\x0d", "binary DER", "openssl pkey", "does not name an image"},
		"bare signature":      {string(der), "a bare signature without what it signs", "its signer", "cosign sign --bundle"},
		"bare, encoded":       {base64.StdEncoding.EncodeToString(der), "a bare signature without what it signs", "its signer", "cosign sign --bundle"},
		"SSH key":             {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA alice@example.com\n", "an SSH key", "OpenPGP or PEM", "public keys go"},
		"SSH signature":       {pem("SSH SIGNATURE"), "an SSH signature", "OpenPGP or PEM", "gpg, skopeo or cosign"},
		"minisign":            {"untrusted comment: minisign public key\nRWQ\n", "a file of minisign or signify", "OpenPGP or PEM", "cosign"},
		"bundle":              {bundleText, "a sigstore bundle", "signatures go into an Image", "whose type is sigstore"},
		"blob":                {"\x00sigstore-json\n{}", "a signature of sigstore as containers/image keeps it", "signatures go", "whose type is sigstore"},
		"old bundle":          {`{"base64Signature":"MEU=","cert":""}`, "a bundle of an old cosign", "signatures go", "--new-bundle-format"},
		"attestation":         {`{"payloadType":"application/vnd.in-toto+json","payload":""}`, "an attestation", "its signer", "cosign sign"},
		"payload":             {`{"critical":{"image":{"docker-manifest-digest":"sha256:"}}}`, "the unsigned payload of a signature", "not a public key", "gpg --sign"},
		"manifest":            {` {"schemaVersion":2,"config":{}}`, "the manifest of an image", "what signatures are about", "--manifest"},
		"Kubernetes JSON":     {`{"kind":"Secret","apiVersion":"v1"}`, "a Kubernetes object", "the key that it holds", "the signature that it holds"},
		"Kubernetes YAML":     {"---\napiVersion: v1\nkind: Secret\n", "a Kubernetes object", "the key that it holds", "the signature that it holds"},
		"JSON":                {"\ufeff{}", "a JSON document", "OpenPGP or PEM", "cosign"},
		"HTML":                {"\n<!DOCTYPE HTML><p>-----BEGIN PGP PUBLIC KEY BLOCK-----", "an HTML page", "get the file itself", "get the file itself"},
		"XHTML":               {`<?xml version="1.0"?><!DOCTYPE html>`, "an HTML page", "get the file itself", "get the file itself"},
		"XML":                 {`<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`, "an XML document, as stores answer with errors", "get the file", "get the file"},
		"UTF-16":              {"\xff\xfe-\x00-\x00", "text in UTF-16, as PowerShell writes it behind >", "gpg --output", "--output"},
		"gzip":                {"\x1f\x8b\x08\x00", "a compressed file", "unpack", "unpack"},
		"Git LFS":             {"version https://git-lfs.github.com/spec/v1\noid sha256:\n", "a pointer of Git LFS", "git lfs pull", "git lfs pull"},
		"docker save":         {string(tarOf(t, "blobs/sha256/aa", "manifest.json")), "an archive of an image (docker save, skopeo copy)", "what signatures are about", "lookaside store"},
		"OCI archive":         {string(tarOf(t, "./oci-layout", "index.json")), "an archive of an image (docker save, skopeo copy)", "not a public key", "not a signature"},
		"tar":                 {string(tarOf(t, "a", "b")), "a tar archive", "unpack", "unpack"},
		"empty":               {"\n", "", "the file is empty", "the content is empty"},
		"base64 of a key":     {string(inBase64(key)), "base64 of an OpenPGP public key", "base64 -d", "public keys go"},
		"twice":               {string(inBase64(inBase64(pgp.Armor("PGP PUBLIC KEY BLOCK", key)))), "base64 of base64 of an OpenPGP public key", "base64 -d", "public keys go"},
		"base64 of a message": {string(inBase64(message)), "base64 of a signed OpenPGP message", "signatures go", "decode it (base64 -d)"},
		"base64 of HTML":      {string(inBase64([]byte("<html><body>not found"))), "base64 of an HTML page", "get the file", "get the file"},
		"text":                {"root:x:0:0:root:/root:/bin/bash\n", "", "", ""},
		"a word":              {"AAAA", "", "", ""},
		"octets":              {"\xff\x00\x1b[J", "", "", ""},
		"accented text":       {"\xc3\xa9t\xc3\xa9", "", "", ""},
		"a packet header":     {"\x99\x01\x0d", "", "", ""},
		"a packet without":    {"\x9a\x00\x00\x00\x00", "", "", ""},
		"an odd tag":          {"\xcb\x04bxxx", "", "", ""},
		"a broken tar":        {strings.Repeat("a", 257) + "ustar", "a tar archive", "unpack", "unpack"},
		"a cut label":         {"-----BEGIN PGP", "", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			data := []byte(tt.data)
			if got := Name(data); got != tt.name {
				t.Errorf("the name is %q, want %q", got, tt.name)
			}
			check(t, NotAKey(data), tt.key)
			check(t, NotASignature(data, Atomic), tt.signature)
		})
	}
}

// check compares a message with a part of it.
func check(t *testing.T, got, want string) {
	t.Helper()
	if (got == "") != (want == "") || !strings.Contains(got, want) || len(got) > maxSize {
		t.Errorf("got %q, want %q in it", got, want)
	}
}

// TestEveryMessageIsBounded checks the messages of all kinds, encoded as often as is looked for.
func TestEveryMessageIsBounded(t *testing.T) {
	for label, k := range labels {
		data := []byte(pem(label))
		for range maxLayers - 1 {
			data = inBase64(data)
		}
		for _, message := range []string{NotAKey(data), NotASignature(data, Atomic), NotASignature(data, Sigstore)} {
			if message == "" || len(message) > maxSize || !strings.Contains(message, k.name) {
				t.Errorf("%s: %d bytes: %q", label, len(message), message)
			}
		}
	}
	if name := Name(inBase64(inBase64(inBase64([]byte(pem("PUBLIC KEY")))))); name != "" {
		t.Errorf("one layer more than is looked for is %q", name)
	}
}

// TestFormats checks that a signature of one format is told from one of the other.
func TestFormats(t *testing.T) {
	message := testKey.Message(testKey.Standard(pgp.TypeBinary, 1704067300), []byte("payload"))
	blob := []byte("\x00sigstore-json\n{}")
	for content, formats := range map[string][2]string{
		string(message): {"", "the content is a signed OpenPGP message, whose type is atomic"},
		string(blob):    {"the content is a signature of sigstore as containers/image keeps it, whose type is sigstore", ""},
	} {
		got := [2]string{NotASignature([]byte(content), Atomic), NotASignature([]byte(content), Sigstore)}
		if got != formats {
			t.Errorf("got %q, want %q", got, formats)
		}
	}
}

// TestNotAManifest checks what is said about files in place of a manifest.
func TestNotAManifest(t *testing.T) {
	for data, want := range map[string]string{
		"":                             "the file is empty",
		`{"schemaVersion":2}`:          "",
		`{"a":1}`:                      "",
		"text":                         "",
		string(tarOf(t, "oci-layout")): "the file is an archive of an image (docker save, skopeo copy), not the manifest of an image: skopeo inspect --raw writes it",
		string(inBase64([]byte(`{"schemaVersion":2}`))): "the file is base64 of the manifest of an image, not the manifest of an image: skopeo inspect --raw writes it",
	} {
		if got := NotAManifest([]byte(data)); got != want {
			t.Errorf("%.20q: got %q, want %q", data, got, want)
		}
	}
}

// FuzzIdentify checks that no file makes the package fail, and that its messages are bounded and
// the same each time.
func FuzzIdentify(f *testing.F) {
	f.Add([]byte(pem("PGP PUBLIC KEY BLOCK")))
	f.Add(inBase64([]byte(pem("PUBLIC KEY"))))
	f.Add(testKey.Simple("alice"))
	f.Add([]byte(fmt.Sprintf("%257s%s", "", "ustar")))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, signature := NotAKey(data), NotASignature(data, Sigstore)
		if len(key) > maxSize || len(signature) > maxSize || NotAKey(data) != key {
			t.Fatalf("%q, %q", key, signature)
		}
	})
}
