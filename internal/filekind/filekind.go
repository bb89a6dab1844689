// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package filekind

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"strings"
)

const (
	// maxLook is how much of a file is looked at, in bytes. Headers of formats come first, and a
	// member that names the format of a JSON document in its beginning.
	maxLook = 64 << 10

	// maxEntries bounds the entries of a tar archive that are looked at. An image has its index
	// within the first ones, or after its layers.
	maxEntries = 64

	// maxLayers bounds how often a file may be encoded in base64.
	maxLayers = 3
)

// NotAKey says what a file is that is not a file of public keys, and what to do; at most 256 bytes.
// It is empty if nothing is known about the file, and for public keys: whatever is wrong with them
// is for their parser to say.
func NotAKey(data []byte) string {
	found, layers := identify(data)
	switch {
	case found == nil:
		return ""
	case found == &empty:
		return "the file is empty"
	case found.key != "":
		return "the file is " + found.encoded(layers) + ", not a public key: " + found.key
	case layers > 0:
		return "the file is " + found.encoded(layers) + ": decode it (base64 -d); a Secret encodes once more what it holds"
	default:
		return ""
	}
}

// NotASignature says what content is that is not a signature in a format, Atomic or Sigstore, and
// what to do; at most 256 bytes. It is empty if nothing is known about the content, and for
// signatures of the format: whatever is wrong with them is for their parser to say.
func NotASignature(data []byte, format string) string {
	found, layers := identify(data)
	switch {
	case found == nil:
		return ""
	case found == &empty:
		return "the content is empty"
	case found.isSignatureOf == "":
		return "the content is " + found.encoded(layers) + ", not a signature of an image: " + found.signature
	case found.isSignatureOf != format:
		return "the content is " + found.encoded(layers) + ", whose type is " + found.isSignatureOf
	case layers > 0:
		return "the content is " + found.encoded(layers) + ": decode it (base64 -d)"
	default:
		return ""
	}
}

// NotAManifest says what a file is that is not the manifest of an image, and how to get one; at most
// 256 bytes. It is empty if nothing is known about the file, and for JSON.
func NotAManifest(data []byte) string {
	found, layers := identify(data)
	switch {
	case found == nil, layers == 0 && (found == &manifest || found == &jsonText):
		return ""
	case found == &empty:
		return "the file is empty"
	default:
		return "the file is " + found.encoded(layers) + ", not the manifest of an image: skopeo inspect --raw writes it"
	}
}

// Name says what a file is, with an article; empty if nothing is known about it.
func Name(data []byte) string {
	found, layers := identify(data)
	if found == nil || found == &empty {
		return ""
	}
	return found.encoded(layers)
}

// encoded names a file that is encoded in base64 a number of times. A bare signature is always
// written so.
func (k *kind) encoded(layers int) string {
	if k == &bare {
		return k.name
	}
	return strings.Repeat("base64 of ", layers) + k.name
}

// identify returns the kind of a file, nil if it is not known, and how often it is encoded in
// base64.
func identify(data []byte) (found *kind, layers int) {
	for layers < maxLayers {
		if found := kindOf(data); found != nil {
			return found, layers
		}
		decoded, ok := decode(data)
		if !ok {
			break
		}
		data = decoded
		layers++
	}
	return nil, 0
}

// decode decodes the beginning of base64, on one line or several.
func decode(data []byte) (decoded []byte, ok bool) {
	head := data[:min(len(data), maxLook)]
	text := bytes.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, head)
	if len(head) < len(data) {
		text = text[:len(text)/4*4]
	}
	const least = 16 // A short word is base64 of something as well.
	decoded = make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(decoded, text)
	return decoded[:n], err == nil && n >= least
}

// kindOf returns the kind of a file, nil if it is not known.
func kindOf(data []byte) *kind {
	head := data[:min(len(data), maxLook)]
	text := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\ufeff")))
	if len(text) == 0 {
		return &empty
	}
	for _, look := range []func(head, text []byte) *kind{byMagic, byMarkup, byJSON, byFirstWords, byLabel} {
		if found := look(head, text); found != nil {
			return found
		}
	}
	if found := archiveOf(data); found != nil {
		return found
	}
	return packetOf(head)
}

// byMagic knows formats by their first octets.
func byMagic(head, _ []byte) *kind {
	for _, magic := range []struct {
		octets string
		kind   *kind
	}{
		{"\x1f\x8b\x08", &compressed},              // gzip
		{"\xfd7zXZ\x00", &compressed},              // xz
		{"\x28\xb5\x2f\xfd", &compressed},          // zstd
		{"BZh", &compressed},                       // bzip2
		{"PK\x03\x04", &compressed},                // ZIP
		{"\xff\xfe", &utf16}, {"\xfe\xff", &utf16}, // Byte order marks.
		{"\x00sigstore-json\n", &blob},
	} {
		if bytes.HasPrefix(head, []byte(magic.octets)) {
			return magic.kind
		}
	}
	const keyboxMagic = 8 // In the header block of a keybox.
	if len(head) > keyboxMagic && bytes.HasPrefix(head[keyboxMagic:], []byte("KBXf")) {
		return &keybox
	}
	return bareSignature(head)
}

// bareSignature knows a DER sequence of two integers, an ECDSA signature, from other DER.
func bareSignature(head []byte) *kind {
	const sequence, integer, longForm = 0x30, 0x02, 0x80
	switch {
	case len(head) < 4 || head[0] != sequence:
		return nil
	case head[1] < longForm && head[2] == integer && int(head[1])+2 == len(head):
		return &bare
	case head[1] == longForm|1 || head[1] == longForm|2:
		return &der
	default:
		return nil
	}
}

// byMarkup knows HTML and XML.
func byMarkup(_, text []byte) *kind {
	start := bytes.ToLower(text[:min(len(text), 256)])
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body"} {
		if bytes.HasPrefix(start, []byte(tag)) {
			return &page
		}
	}
	if !bytes.HasPrefix(start, []byte("<?xml")) {
		return nil
	}
	if bytes.Contains(start, []byte("<html")) || bytes.Contains(start, []byte("<!doctype html")) {
		return &page
	}
	return &xml
}

// byLabel knows PEM and armor by the first label.
func byLabel(_, text []byte) *kind {
	_, after, ok := bytes.Cut(text, []byte("-----BEGIN "))
	if !ok {
		return nil
	}
	label, _, ok := bytes.Cut(after, []byte("-----"))
	switch found := labels[string(label)]; {
	case !ok:
		return nil
	case found != nil:
		return found
	case bytes.HasSuffix(label, []byte("PRIVATE KEY")):
		return &pemPrivate
	default:
		return &pemOther
	}
}

// byJSON knows JSON documents by what only they contain.
func byJSON(_, text []byte) *kind {
	if text[0] != '{' && text[0] != '[' {
		return nil
	}
	for _, mark := range []struct {
		text string
		kind *kind
	}{
		{"application/vnd.dev.sigstore.bundle", &bundle},
		{`"docker-manifest-digest"`, &payload},
		{`"apiVersion"`, &kubernetes},
		{`"payloadType"`, &envelope},
		{`"base64Signature"`, &legacyBundle},
		{`"schemaVersion"`, &manifest},
	} {
		if bytes.Contains(text, []byte(mark.text)) {
			return mark.kind
		}
	}
	return &jsonText
}

// byFirstWords knows text files by how they begin.
func byFirstWords(_, text []byte) *kind {
	for _, words := range []struct {
		text string
		kind *kind
	}{
		{"version https://git-lfs.github.com/spec/", &lfsPointer},
		{"untrusted comment:", &minisign},
		{"ssh-", &sshKey}, {"ecdsa-sha2-", &sshKey}, {"sk-ssh-", &sshKey}, {"sk-ecdsa-", &sshKey},
		{"apiVersion:", &kubernetes}, {"kind:", &kubernetes}, {"---\napiVersion:", &kubernetes},
	} {
		if bytes.HasPrefix(text, []byte(words.text)) {
			return words.kind
		}
	}
	return nil
}

// archiveOf knows tar archives, and those of images by a file that each of them has.
func archiveOf(data []byte) *kind {
	const magicAt, magic = 257, "ustar"
	if len(data) < magicAt || !bytes.HasPrefix(data[magicAt:], []byte(magic)) {
		return nil
	}
	archived := tar.NewReader(bytes.NewReader(data))
	for range maxEntries {
		entry, err := archived.Next()
		if err != nil {
			break
		}
		switch strings.TrimPrefix(entry.Name, "./") {
		case "manifest.json", "repositories", "oci-layout", "blobs/sha256/":
			return &archive
		}
	}
	return &tarball
}

// packetOf knows OpenPGP packets (RFC 9580 section 4.2) by the type of the first one, and a value
// that its first octet can have.
func packetOf(head []byte) *kind {
	if len(head) < 4 || head[0]&0x80 == 0 {
		return nil
	}
	tag, body := head[0]&0x3f, head[2:]
	switch {
	case head[0]&0x40 == 0: // The old format.
		tag = head[0] >> 2 & 0x0f
		lengths := [...]int{1, 2, 4, 0}
		body = head[min(len(head), 1+lengths[head[0]&3]):]
	case head[1] == 0xff:
		body = head[min(len(head), 6):]
	case head[1] >= 192 && head[1] < 224:
		body = head[3:]
	}
	if len(body) == 0 {
		return nil
	}
	return packetKind(tag, body[0])
}

// packetKind returns the kind of a file that begins with a packet of a type whose body begins with
// an octet.
func packetKind(tag, first byte) *kind {
	const (
		encryptedForKey, signature, encryptedForPassword, onePass = 1, 2, 3, 4
		secretKey, publicKey, compressedData                      = 5, 6, 8
		encryptedData                                             = 18
	)
	switch {
	case tag == publicKey && first >= 2 && first <= 6:
		return &openPGPKey
	case tag == secretKey && first >= 3 && first <= 6:
		return &openPGPPrivate
	case tag == signature && first >= 2 && first <= 6:
		return &openPGPDetached
	case tag == onePass && (first == 3 || first == 6), tag == compressedData && first <= 3:
		return &openPGPMessage
	case (tag == encryptedForKey || tag == encryptedForPassword) && first >= 3 && first <= 6, tag == encryptedData && first <= 2:
		return &openPGPEncrypted
	default:
		return nil
	}
}
