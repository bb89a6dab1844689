// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/cli"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// appImage returns the expected Image for the image of the tests with the given signatures.
func appImage(contents ...[]byte) *imagev1.Image {
	image := &imagev1.Image{DockerImageReference: appReference, DockerImageManifest: appManifest}
	image.APIVersion, image.Kind = "image.openshift.io/v1", "Image"
	image.Name = strings.Replace(appDigest, ":", "-", 1)
	image.DockerImageManifestMediaType = "application/vnd.oci.image.manifest.v1+json"
	for _, content := range contents {
		signature := imagev1.ImageSignature{Type: "AtomicImageV1", Content: content}
		if content[0] == 0 || content[0] == '{' {
			signature.Type = "sigstore"
		}
		signature.Name = fmt.Sprintf("%s@%x", image.Name, sha256.Sum256(content))
		image.Signatures = append(image.Signatures, signature)
	}
	return image
}

func createImage(t *testing.T, stdin []byte, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Main(append([]string{"image", "create"}, args...), bytes.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

func TestImageCreate(t *testing.T) {
	dir, _ := files(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	first, second := sign(alice, payload(appDigest, appReference)), sign(bob, payload(appDigest, appReference))
	store := writeStore(t, "team/app@"+strings.Replace(appDigest, ":", "=", 1), first, second)
	manifest := in("manifest.json")
	attachment := newAttachment(t)
	for name, content := range map[string][]byte{"bundle.json": attachment.bundle, "blob": attachment.blobs[0]} {
		if err := os.WriteFile(in(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	byDigest := func(i *imagev1.Image) *imagev1.Image {
		i.DockerImageReference, i.DockerImageManifest, i.DockerImageManifestMediaType = appReference+"@"+appDigest, "", ""
		return i
	}
	named := func(i *imagev1.Image) *imagev1.Image {
		for s := range i.Signatures {
			i.Signatures[s].Name = strings.Replace(i.Signatures[s].Name, i.Name, "app", 1)
		}
		i.Name = "app"
		return i
	}
	for name, c := range map[string]struct {
		args  []string
		stdin []byte
		want  *imagev1.Image
	}{
		"a file and the manifest":    {[]string{appReference, "--signature", in("app.sig"), "--manifest", manifest}, nil, appImage(first)},
		"standard input":             {[]string{appReference, "--signature", "-", "--manifest", manifest}, second, appImage(second)},
		"a name":                     {[]string{appReference, "--signature", "-", "--manifest", manifest, "--name", "app"}, second, named(appImage(second))},
		"a digest":                   {[]string{appReference + "@" + appDigest, "--signature", in("app.sig")}, nil, byDigest(appImage(first))},
		"a store":                    {[]string{appReference, "--lookaside", store, "--manifest", manifest}, nil, appImage(first, second)},
		"a store's address":          {[]string{appReference, "--lookaside", "file://" + store, "--manifest", manifest}, nil, appImage(first, second)},
		"both, and nothing twice":    {[]string{appReference, "--signature", "-", "--lookaside", store, "--manifest", manifest}, second, appImage(second, first)},
		"a bundle":                   {[]string{appReference, "--signature", in("bundle.json"), "--manifest", manifest}, nil, appImage(attachment.bundle)},
		"a blob":                     {[]string{appReference, "--signature", in("blob"), "--manifest", manifest}, nil, appImage(attachment.blobs[0])},
		"an attachment":              {[]string{appReference, "--cosign-attachment", attachment.directory, "--manifest", manifest}, nil, appImage(attachment.blobs...)},
		"of each type":               {[]string{appReference, "--signature", in("app.sig"), "--signature", in("blob"), "--cosign-attachment", attachment.directory, "--manifest", manifest}, nil, appImage(append([][]byte{first}, attachment.blobs...)...)},
		"JSON":                       {[]string{appReference, "--signature", in("app.sig"), "--manifest", manifest, "-o", "json"}, nil, appImage(first)},
		"the digest twice, the same": {[]string{appReference + "@" + appDigest, "--signature", in("app.sig"), "--manifest", manifest}, nil, withReference(appImage(first), appReference+"@"+appDigest)},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := createImage(t, c.stdin, c.args...)
			if code != cli.ExitOK || stderr != "" {
				t.Fatalf("exit status %d: %s", code, stderr)
			}
			got := &imagev1.Image{}
			if err := yaml.UnmarshalStrict([]byte(stdout), got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(stdout, "status") || strings.Contains(stdout, "creationTimestamp") {
				t.Errorf("fields that the cluster sets are present:\n%s", stdout)
			}
			if _, again, _ := createImage(t, c.stdin, c.args...); again != stdout {
				t.Error("the second run prints another Image")
			}
		})
	}
}

func withReference(i *imagev1.Image, reference string) *imagev1.Image {
	i.DockerImageReference = reference
	return i
}

func TestImageCreateRefuses(t *testing.T) {
	dir, _ := files(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	folder := "team/app@" + strings.Replace(appDigest, ":", "=", 1)
	good := sign(alice, payload(appDigest, appReference))
	many := make([][]byte, 129)
	for i := range many {
		many[i] = sign(alice, payload(appDigest, fmt.Sprintf("%s-%d", appReference, i)))
	}
	large := make([][]byte, 5)
	for i := range large {
		large[i] = sign(alice, bytes.Repeat([]byte{' ', byte(i)}, 15<<10))
	}
	escaping := writeStore(t, folder)
	if err := os.Symlink(in("app.sig"), filepath.Join(escaping, folder, "signature-1")); err != nil {
		t.Fatal(err)
	}
	directory := writeStore(t, folder)
	if err := os.Mkdir(filepath.Join(directory, folder, "signature-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("armored.sig"), pgp.Armor("PGP MESSAGE", good), 0o600); err != nil {
		t.Fatal(err)
	}
	huge := fmt.Appendf(nil, `{"schemaVersion":2,"config":{},"layers":[],"annotations":{"a":%q}}`, strings.Repeat("a", 2<<20))
	if err := os.WriteFile(in("large.json"), huge, 0o600); err != nil {
		t.Fatal(err)
	}
	reference := appReference + "@" + appDigest
	attached := func(change func(a *attachment)) string {
		a := newAttachment(t)
		change(a)
		return a.directory
	}
	if err := os.WriteFile(in("attestation"), []byte("\x00sigstore-json\n"+`{"mimeType":"text/spdx+json","payload":"e30=","annotations":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string // Part of the message.
	}{
		"no bundle":               {[]string{reference, "--signature", in("manifest.json")}, "the content is the manifest of an image, not a signature"},
		"another attachment":      {[]string{reference, "--signature", in("attestation")}, "not an image signature"},
		"no attachment":           {[]string{reference, "--cosign-attachment", in("gone")}, "--cosign-attachment: "},
		"no manifest in it":       {[]string{reference, "--cosign-attachment", attached(func(a *attachment) { a.remove("manifest.json") })}, "manifest.json"},
		"no JSON in it":           {[]string{reference, "--cosign-attachment", attached(func(a *attachment) { a.write("manifest.json", "<html>") })}, "is not an image manifest"},
		"no layers in it":         {[]string{reference, "--cosign-attachment", attached(func(a *attachment) { a.write("manifest.json", "{}") })}, "no layers"},
		"a layer's digest":        {[]string{reference, "--cosign-attachment", attached(func(a *attachment) { a.write("manifest.json", `{"layers":[{"digest":"sha256:../../etc/passwd"}]}`) })}, "layer 1 of "},
		"a layer of another":      {[]string{reference, "--cosign-attachment", attached(func(a *attachment) { a.replace("manifest.json", "simplesigning", "other") })}, "not an image signature"},
		"no reference":            {[]string{"--signature", in("app.sig")}, "one image reference is needed"},
		"two references":          {[]string{reference, reference, "--signature", in("app.sig")}, "one image reference is needed"},
		"no digest":               {[]string{appReference, "--signature", in("app.sig")}, "use " + appReference + "@sha256:<digest> or --manifest"},
		"another algorithm":       {[]string{"a@sha512:" + strings.Repeat("0", 128), "--signature", in("app.sig")}, "images are identified by sha256"},
		"no reference but a name": {[]string{"A/B", "--signature", in("app.sig")}, "upper-case"},
		"a terminal's commands":   {[]string{"a\x1b[2J", "--signature", in("app.sig")}, `"a\x1b[2J"`},
		"another manifest":        {[]string{reference, "--signature", in("app.sig"), "--manifest", in("other.json")}, "the reference has " + appDigest},
		"no manifest":             {[]string{reference, "--signature", in("app.sig"), "--manifest", in("text")}, "--manifest: "},
		"a manifest too large":    {[]string{appReference, "--signature", in("app.sig"), "--manifest", in("large.json")}, "larger than 1.5 MiB"},
		"a name that is none":     {[]string{reference, "--signature", in("app.sig"), "--name", "sha256:1"}, "--name is not the name of an object"},
		"a format that is none":   {[]string{reference, "--signature", in("app.sig"), "-o", "xml"}, "--output must be"},
		"a file that is not":      {[]string{reference, "--signature", in("gone")}, "gone"},
		"a directory":             {[]string{reference, "--signature", dir}, "directory"},
		"a huge file":             {[]string{reference, "--signature", in("huge")}, "larger than 8 MiB"},
		"an empty file":           {[]string{reference, "--signature", in("empty")}, "the content is empty"},
		"garbage":                 {[]string{reference, "--signature", in("binary")}, "binary is left out: the content is not a signed message\nassay: none of the files is a signature"},
		"a key":                   {[]string{reference, "--signature", in("alice.asc")}, "the content is an OpenPGP public key, not a signature of an image"},
		"garbage in the store":    {[]string{reference, "--lookaside", writeStore(t, folder, []byte("garbage"))}, "none of the files is a signature"},
		"much garbage":            {[]string{reference, "--lookaside", writeStore(t, folder, make([][]byte, 129)...)}, "an Image has at most 128 signatures, and the store has more"},
		"more than is verified":   {[]string{reference, "--lookaside", writeStore(t, folder, large...)}, "the signatures of an Image have at most 128 KiB together"},
		"a key as the manifest":   {[]string{appReference, "--signature", in("app.sig"), "--manifest", in("alice.asc")}, "the file is an OpenPGP public key, not the manifest of an image: skopeo inspect --raw"},
		"armor":                   {[]string{reference, "--signature", in("armored.sig")}, "gpg --dearmor"},
		"no store":                {[]string{reference, "--lookaside", in("gone")}, "--lookaside: "},
		"nothing in the store":    {[]string{reference, "--lookaside", writeStore(t, "other")}, "no signature of the image was found"},
		"too many in the store":   {[]string{reference, "--lookaside", writeStore(t, folder, many...)}, "an Image has at most 128 signatures, and the store has more"},
		"a link out of the store": {[]string{reference, "--lookaside", escaping}, "escapes"},
		"a directory in it":       {[]string{reference, "--lookaside", directory}, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := createImage(t, nil, c.args...)
			if code != cli.ExitError || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("exit status %d, %q, %q", code, stdout, stderr)
			}
		})
	}
}

// attachment is one of cosign, as skopeo copies it to a directory.
type attachment struct {
	t         *testing.T
	directory string
	layers    []string
	blobs     [][]byte // As an Image has its signatures.
	bundle    []byte   // Another signature.
}

func newAttachment(t *testing.T) *attachment {
	t.Helper()
	a := &attachment{t: t, directory: t.TempDir()}
	key := st.NewEd25519(t)
	var layers []st.Object
	for _, name := range []string{"registry.example.com/team/app", "registry.example.com/team/mirror"} {
		payload := st.Payload(t, appDigest, name)
		signature := st.Sign(t, key, payload)
		layer := fmt.Sprintf("%x", sha256.Sum256(payload))
		a.layers = append(a.layers, layer)
		a.write(layer, string(payload))
		a.blobs = append(a.blobs, fmt.Appendf([]byte("\x00sigstore-json\n"),
			`{"mimeType":"application/vnd.dev.cosign.simplesigning.v1+json","payload":%q,"annotations":{"dev.cosignproject.cosign/signature":%q}}`,
			st.Base64(payload), st.Base64(signature)))
		layers = append(layers, st.Object{
			"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": "sha256:" + layer, "size": len(payload),
			"annotations": st.Object{"dev.cosignproject.cosign/signature": st.Base64(signature)},
		})
	}
	a.write("manifest.json", string(st.JSON(t, st.Object{"schemaVersion": 2, "layers": layers})))
	a.write("version", "Directory Transport Version: 1.1\n")
	statement := st.Statement(t, st.PredicateSign, strings.TrimPrefix(appDigest, "sha256:"))
	a.bundle = st.JSON(t, st.Envelope(st.Bundle03, statement, st.Sign(t, key, st.PAE(statement)), st.Object{"publicKey": st.Object{"hint": "a"}}))
	return a
}

func (a *attachment) write(name, content string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.directory, name), []byte(content), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *attachment) remove(name string) {
	a.t.Helper()
	if err := os.Remove(filepath.Join(a.directory, name)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *attachment) replace(name, from, to string) {
	a.t.Helper()
	content, err := os.ReadFile(filepath.Join(a.directory, name))
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name, strings.ReplaceAll(string(content), from, to))
}

// TestImageCreateCarriesTheRest checks that a file that is no signature hides none of the others,
// and that each is named on standard error.
func TestImageCreateCarriesTheRest(t *testing.T) {
	dir, _ := files(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	folder := "team/app@" + strings.Replace(appDigest, ":", "=", 1)
	first, second := sign(alice, payload(appDigest, appReference)), sign(bob, payload(appDigest, appReference))
	store := writeStore(t, folder, first, []byte("<!DOCTYPE html><title>404</title>"), nil, second)
	linked := writeStore(t, folder, []byte("a"), second)
	name := filepath.Join(linked, folder, "signature-1")
	if err := errors.Join(os.Remove(name), os.Symlink("gone", name)); err != nil {
		t.Fatal(err)
	}
	key := st.NewKey(t, elliptic.P256())
	cosign := st.Payload(t, appDigest, "registry.example.com/team/app")
	blob := st.Blob(t, cosign, st.Sign(t, key, cosign), nil)
	otherDigest := digest.FromString("other").String()
	other, elsewhere := sign(alice, payload(otherDigest, appReference)), sign(alice, payload(appDigest, "mirror.internal/app:v1"))
	noPayload := sign(alice, []byte("{}"))
	missing, altered := newAttachment(t), newAttachment(t)
	missing.remove(missing.layers[0])
	altered.write(altered.layers[1], "{}")
	manifest := in("manifest.json")
	for name, c := range map[string]struct {
		args  []string
		stdin []byte
		exit  int
		want  []foundSignature
		notes []string
	}{
		"HTML and nothing in a store": {
			[]string{"--lookaside", store}, nil, cli.ExitOK, openPGP(first, second),
			[]string{store + " has a file signature-2 that is a web page; it is left out"},
		},
		"a layer that is missing": {
			[]string{"--cosign-attachment", missing.directory}, nil, cli.ExitOK, []foundSignature{{"sigstore", missing.blobs[1]}},
			[]string{"layer 1 of " + missing.directory + " is left out", "no such file"},
		},
		"a layer that was altered": {
			[]string{"--cosign-attachment", altered.directory}, nil, cli.ExitOK, []foundSignature{{"sigstore", altered.blobs[0]}},
			[]string{"layer 2 of " + altered.directory + " is left out: the file does not have the digest sha256:"},
		},
		"a link to nothing": {[]string{"--lookaside", linked}, nil, cli.ExitOK, openPGP(second), []string{"signature-1 that cannot be read: no such file or directory; it is left out"}},
		"a key that was named": {
			[]string{"--signature", in("alice.asc"), "--signature", in("app.sig")}, nil, cli.ExitRefused, openPGP(first),
			[]string{"--signature: " + in("alice.asc") + " is left out: the content is an OpenPGP public key"},
		},
		"a signature of sigstore": {
			[]string{"--signature", "-", "--signature", in("app.sig")}, blob, cli.ExitOK,
			append([]foundSignature{{"sigstore", blob}}, openPGP(first)...), nil,
		},
		"a signature compressed by BZIP2": {[]string{"--signature", "-"}, bzip2Signature(t), cli.ExitOK, openPGP(bzip2Signature(t)), []string{
			"- is for another image", `-: the signature is for "example.com/app:1"`}},
		"for another image": {
			[]string{"--signature", "-"}, other, cli.ExitOK, openPGP(other),
			[]string{"--signature: - is for another image: " + otherDigest + ", and this is " + appDigest},
		},
		"under another name": {
			[]string{"--signature", "-"}, elsewhere, cli.ExitOK, openPGP(elsewhere),
			[]string{`--signature: -: the signature is for "mirror.internal/app:v1", but`, "a TrustPolicy with another rule in signedIdentity may accept it"},
		},
		"without a payload": {[]string{"--signature", "-"}, noPayload, cli.ExitOK, openPGP(noPayload), []string{"--signature: - cannot be verified for any image"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := createImage(t, c.stdin, append([]string{appReference, "--manifest", manifest}, c.args...)...)
			got := &imagev1.Image{}
			if err := yaml.UnmarshalStrict([]byte(stdout), got); err != nil || code != c.exit {
				t.Fatalf("exit status %d, want %d: %v, %s", code, c.exit, err, stderr)
			}
			var found []foundSignature
			for _, s := range got.Signatures {
				found = append(found, foundSignature{s.Type, s.Content})
			}
			if diff := cmp.Diff(c.want, found); diff != "" {
				t.Errorf("signatures (-want +got):\n%s", diff)
			}
			if (stderr == "") != (c.notes == nil) {
				t.Errorf("standard error %q", stderr)
			}
			for _, note := range c.notes {
				if !strings.Contains(stderr, note) {
					t.Errorf("standard error %q, want %q in it", stderr, note)
				}
			}
		})
	}
}

// foundSignature is the type and the content of a signature in an Image.
type foundSignature struct {
	Type    string
	Content []byte
}

func openPGP(contents ...[]byte) (found []foundSignature) {
	for _, content := range contents {
		found = append(found, foundSignature{"AtomicImageV1", content})
	}
	return found
}

// bzip2Signature is a message that takes long to read.
func bzip2Signature(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../openpgp/testdata/messages/bzip2.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(data, []byte("\n\n"))
	content, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestImageCreateHintsAtServerSide checks the hint about an Image that kubectl apply would refuse
// without --server-side, and that smaller ones have none.
func TestImageCreateHintsAtServerSide(t *testing.T) {
	dir, _ := files(t)
	for size, want := range map[int]bool{100 << 10: false, 300 << 10: true} {
		manifest := fmt.Appendf(nil, `{"schemaVersion":2,"config":{},"layers":[],"annotations":{"a":%q}}`, strings.Repeat("a", size))
		name := filepath.Join(dir, "manifest")
		if err := os.WriteFile(name, manifest, 0o600); err != nil {
			t.Fatal(err)
		}
		signature := sign(alice, payload(digest.FromBytes(manifest).String(), appReference))
		code, stdout, stderr := createImage(t, signature, appReference, "--manifest", name, "--signature", "-")
		if code != cli.ExitOK || stdout == "" || strings.Contains(stderr, "add --server-side") != want {
			t.Errorf("%d bytes: exit status %d, %q", size, code, stderr)
		}
	}
}

// writeStore writes a lookaside store with the signatures of one image.
func writeStore(t *testing.T, folder string, contents ...[]byte) string {
	t.Helper()
	store := t.TempDir()
	if err := os.MkdirAll(filepath.Join(store, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, content := range contents {
		if err := os.WriteFile(filepath.Join(store, folder, fmt.Sprintf("signature-%d", i+1)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return store
}
