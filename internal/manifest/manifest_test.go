// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/manifest"
)

// vectors returns the content of every file in testdata.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no vectors in testdata")
	}
	contents := make(map[string][]byte)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		contents[strings.TrimSuffix(filepath.Base(file), ".json")] = content
	}
	return contents
}

// accepted maps vectors to their kind and digest, which were computed with sha256sum: of the file
// or, for a signed schema 1 manifest, of the signed document, which for two of them is another
// vector.
var accepted = map[string]manifest.Info{
	"accept-docker-list":                           {MediaType: manifest.MediaTypeDockerList, Digest: "sha256:d8ead3cebe8a75cdac0ad9d36759bbeaf0e84164e9a6049ea3e5c2eef0539bf5"},
	"accept-docker-manifest":                       {MediaType: manifest.MediaTypeDockerManifest, Digest: "sha256:2a92e55d749c27ed42ae234ec308cb31f9cc90198407517817263c1fb34ad7a5"},
	"accept-docker-manifest-no-media-type":         {MediaType: manifest.MediaTypeDockerManifest, Digest: "sha256:de82b717143b2a6ab652c90dc32e778d8a9bc5c1935d3c19e01eb060a35a9cf0"},
	"accept-oci-index":                             {MediaType: manifest.MediaTypeOCIIndex, Digest: "sha256:e9a503d0991d695c54b59aa668b3c31193389beef6b95482f4e19089e4caa666"},
	"accept-oci-index-no-media-type":               {MediaType: manifest.MediaTypeOCIIndex, Digest: "sha256:bedf178c703e2cc8d27859e1c19d7e91f89dcbe71859ec921ef29b40d2e1ab62"},
	"accept-oci-index-null-manifests":              {MediaType: manifest.MediaTypeOCIIndex, Digest: "sha256:529c6ab77d3c1159e2561b2ba2d8e2c77ec4808905c4209a6692811e5f9e34b1"},
	"accept-oci-index-null-platform":               {MediaType: manifest.MediaTypeOCIIndex, Digest: "sha256:07a27bd495b2f0c1a2506ab6a88413fa6359de0b16095853ef7f44c1c90e4ea4"},
	"accept-oci-manifest":                          {MediaType: manifest.MediaTypeOCIManifest, Digest: "sha256:8d1768f8b07c54ccc70497db0fa38659b61e0305557e1baf5568fa0b1cfc3511"},
	"accept-oci-manifest-artifact":                 {MediaType: manifest.MediaTypeOCIManifest, Digest: "sha256:1f2e3ede0862333834cbdd62bd39ac80640f728f5625b10193aa2d8730941e81"},
	"accept-oci-manifest-empty-media-type":         {MediaType: manifest.MediaTypeOCIManifest, Digest: "sha256:fdba013fbe1a6fb3e74a099c167f893f47e190064b35aff05a48b98048963029"},
	"accept-oci-manifest-no-media-type":            {MediaType: manifest.MediaTypeOCIManifest, Digest: "sha256:3fbb75faf9032899aec0bdbf749d0ed4d1f75ff59c943a3bcfab0666c0ce3614"},
	"accept-oci-manifest-null-layers":              {MediaType: manifest.MediaTypeOCIManifest, Digest: "sha256:b574872c58923063e6c5353f92565ebdd5ffa7e03992c3e9e73a5b1454add9aa"},
	"accept-oci-manifest-null-subject":             {MediaType: manifest.MediaTypeOCIManifest, Digest: "sha256:d8181bbcb0b921f83073022b5b70e6a7ffc384d5f8d03043d1094a925e4c37ab"},
	"accept-oci-manifest-trailing-line-feed":       {MediaType: manifest.MediaTypeOCIManifest, Digest: "sha256:9103e927e47d7af0a5c79807e1584c15180b398f92bdae74e2e3abfab6c4699b"},
	"accept-oci-manifest-unknown-members":          {MediaType: manifest.MediaTypeOCIManifest, Digest: "sha256:9bd1f13bc61818f2b64b700e0001355bf38178706916303ef2f25cccdac11b1f"},
	"accept-schema1":                               {MediaType: manifest.MediaTypeDockerSchema1, Digest: "sha256:5d963fb2dc548398fb6293fb8e481e3bbb362feac79b8dffa5b17300f2d4b7a5"},
	"accept-schema1-media-type":                    {MediaType: manifest.MediaTypeDockerSchema1, Digest: "sha256:d3ca50f2a83c12a717410ebea643177bf7ad49656fa5308ff704e3808a78e71d"},
	"accept-schema1-signed":                        {MediaType: manifest.MediaTypeDockerSchema1Signed, Digest: "sha256:5d963fb2dc548398fb6293fb8e481e3bbb362feac79b8dffa5b17300f2d4b7a5"},
	"accept-schema1-signed-compact":                {MediaType: manifest.MediaTypeDockerSchema1Signed, Digest: "sha256:d62d0c5bee55e08d27226ec3d47e2b19ba583e84cbfeb9e6b7013386c968fe6b"},
	"accept-schema1-signed-media-type":             {MediaType: manifest.MediaTypeDockerSchema1Signed, Digest: "sha256:d3ca50f2a83c12a717410ebea643177bf7ad49656fa5308ff704e3808a78e71d"},
	"accept-schema1-signed-media-type-signed":      {MediaType: manifest.MediaTypeDockerSchema1Signed, Digest: "sha256:5bf25cc9bb4672d7bacec8d7e6b064870ce6e54895ca47ef814604939427c1b6"},
	"accept-schema1-signed-twice":                  {MediaType: manifest.MediaTypeDockerSchema1Signed, Digest: "sha256:5d963fb2dc548398fb6293fb8e481e3bbb362feac79b8dffa5b17300f2d4b7a5"},
	"accept-schema1-signed-unknown-members":        {MediaType: manifest.MediaTypeDockerSchema1Signed, Digest: "sha256:5d963fb2dc548398fb6293fb8e481e3bbb362feac79b8dffa5b17300f2d4b7a5"},
	"accept-schema1-signed-white-space-in-payload": {MediaType: manifest.MediaTypeDockerSchema1Signed, Digest: "sha256:72df5bb0cf173135dea86e62620b508384966135beb7d8df4f7209273458799d"},
}

// refused maps vectors to the text of their error without the reason that the vector is named
// after.
var refused = map[string]string{
	"ambiguous-case-blob-sum":                         `some readers take its member "blobsum" for "blobSum"`,
	"ambiguous-case-digest-in-layer":                  `some readers take its member "Digest" for "digest"`,
	"ambiguous-case-in-platform":                      `some readers take its member "OS" for "os"`,
	"ambiguous-case-in-subject":                       `some readers take its member "Digest" for "digest"`,
	"ambiguous-case-layers":                           `some readers take its member "LAYERS" for "layers"`,
	"ambiguous-case-long-s":                           `some readers take its member "layer\u017f" for "layers"`,
	"ambiguous-case-manifests":                        `some readers take its member "Manifests" for "manifests"`,
	"ambiguous-case-media-type":                       `some readers take its member "mediatype" for "mediaType"`,
	"ambiguous-case-signatures":                       `some readers take its member "Signatures" for "signatures"`,
	"ambiguous-case-v1-compatibility":                 `some readers take its member "v1compatibility" for "v1Compatibility"`,
	"ambiguous-duplicate-after-unescaping":            `byte 398: duplicate member "layers"`,
	"ambiguous-duplicate-in-descriptor":               `byte 224: duplicate member "digest"`,
	"ambiguous-duplicate-in-unknown-member":           `byte 409: duplicate member "a"`,
	"ambiguous-duplicate-layers":                      `byte 398: duplicate member "layers"`,
	"ambiguous-duplicate-media-type":                  `byte 398: duplicate member "mediaType"`,
	"ambiguous-index-and-layers":                      `for an index it must not have layers`,
	"ambiguous-index-and-manifest":                    `for an index it must not have config, layers`,
	"ambiguous-index-called-docker-manifest":          `for an image manifest it must not have manifests`,
	"ambiguous-index-called-manifest":                 `for an image manifest it must not have manifests`,
	"ambiguous-list-and-schema1":                      `for an index it must not have fsLayers`,
	"ambiguous-manifest-and-index-no-media-type":      `for an index it must not have config, layers`,
	"ambiguous-manifest-and-index":                    `for an image manifest it must not have manifests`,
	"ambiguous-manifest-and-null-index":               `for an image manifest it must not have manifests`,
	"ambiguous-manifest-and-schema1":                  `for an image manifest it must not have fsLayers, history`,
	"ambiguous-manifest-called-index":                 `for an index it must not have config, layers`,
	"ambiguous-manifest-called-schema1-signed":        `mediaType "application/vnd.docker.distribution.manifest.v1+prettyjws" disagrees with schemaVersion 2`,
	"ambiguous-manifest-called-schema1":               `mediaType "application/vnd.docker.distribution.manifest.v1+json" disagrees with schemaVersion 2`,
	"ambiguous-manifest-version-of-schema1":           `for schemaVersion 1 it must not have config, layers`,
	"ambiguous-schema1-and-index":                     `for schemaVersion 1 it must not have manifests`,
	"ambiguous-schema1-and-manifest":                  `for schemaVersion 1 it must not have config, layers`,
	"ambiguous-schema1-called-manifest":               `mediaType "application/vnd.docker.distribution.manifest.v2+json" disagrees with schemaVersion 1`,
	"ambiguous-schema1-called-signed":                 `mediaType "application/vnd.docker.distribution.manifest.v1+prettyjws" disagrees with schemaVersion 1`,
	"ambiguous-schema1-version-of-manifest":           `for an image manifest it must not have fsLayers, history`,
	"ambiguous-signed-beyond-comma":                   `the signed document is not the manifest without its signatures: formatLength does not lead to the end of the member before`,
	"ambiguous-signed-first":                          `signatures is not the last member`,
	"ambiguous-signed-longer-than-manifest":           `the signed document is not the manifest without its signatures: formatLength does not lead to the end of the member before`,
	"ambiguous-signed-not-last":                       `signatures is not the last member`,
	"ambiguous-signed-prefix-only":                    `the signed document is not the manifest without its signatures: formatLength does not lead to the end of the member before`,
	"ambiguous-signed-shorter":                        `the signed document is not the manifest without its signatures: formatLength does not lead to the end of the member before`,
	"ambiguous-signed-tail-adds-member":               `the signed document is not the manifest without its signatures: formatTail does not just close the object`,
	"ambiguous-signed-tail-empty":                     `the signed document is not the manifest without its signatures: formatTail does not just close the object`,
	"ambiguous-signed-whole":                          `the signed document is not the manifest without its signatures: formatLength does not lead to the end of the member before`,
	"malformed-array":                                 `byte 0: an array where an object should be`,
	"malformed-byte-order-mark":                       `byte 0: no JSON value where an object should be`,
	"malformed-empty":                                 `byte 0: no JSON value where an object should be`,
	"malformed-media-type-null":                       `byte 31: null where a string should be`,
	"malformed-media-type-unknown":                    `mediaType "application/vnd.oci.artifact.manifest.v1+json" is unknown`,
	"malformed-not-utf8":                              `byte 403: the text is not UTF-8`,
	"malformed-nothing-essential":                     `for an image manifest it lacks config, layers`,
	"malformed-null":                                  `byte 0: null where an object should be`,
	"malformed-oci-index-no-manifests":                `for an index it lacks manifests`,
	"malformed-oci-manifest-config-media-type-number": `byte 98: a number where a string should be`,
	"malformed-oci-manifest-layer-string":             `byte 244: a string where an object should be`,
	"malformed-oci-manifest-layers-object":            `byte 243: an object where an array should be`,
	"malformed-oci-manifest-no-config":                `for an image manifest it lacks config`,
	"malformed-oci-manifest-no-layers":                `for an image manifest it lacks layers`,
	"malformed-oci-manifest-null-config":              `byte 85: null where an object should be`,
	"malformed-schema-version-3":                      `schemaVersion is neither 1 nor 2`,
	"malformed-schema-version-float":                  `schemaVersion is neither 1 nor 2`,
	"malformed-schema-version-missing":                `schemaVersion is missing`,
	"malformed-schema-version-string":                 `byte 17: a string where a number should be`,
	"malformed-schema1-history-string":                `byte 208: a string where an array should be`,
	"malformed-schema1-no-history":                    `for schemaVersion 1 it lacks history`,
	"malformed-too-deep":                              `byte 417: objects and arrays are nested more than 16 deep`,
	"malformed-too-many-members":                      `byte 37005: an object has more than 4096 members`,
	"malformed-trailing-object":                       `byte 398: there is more text after the value`,
	"malformed-truncated":                             `byte 397: a comma or the end of an object or array is missing`,
	"signatures-case-protected":                       `some readers take the member "Protected" for "protected"`,
	"signatures-element-string":                       `byte 1: a string where an object should be`,
	"signatures-header-string":                        `byte 11: a string where an object should be`,
	"signatures-length-float":                         `in a protected header: formatLength is not a number of bytes`,
	"signatures-length-huge":                          `in a protected header: formatLength is not a number of bytes`,
	"signatures-length-missing":                       `a protected header lacks formatLength or formatTail`,
	"signatures-length-negative":                      `in a protected header: formatLength is not a number of bytes`,
	"signatures-length-string":                        `in a protected header: byte 16: a string where a number should be`,
	"signatures-lengths-differ":                       `signatures differ in formatLength or formatTail`,
	"signatures-no-header":                            `a signature lacks its header, signature or protected member`,
	"signatures-no-protected":                         `a signature lacks its header, signature or protected member`,
	"signatures-no-signature":                         `a signature lacks its header, signature or protected member`,
	"signatures-none":                                 `there is no signature`,
	"signatures-null":                                 `byte 0: null where an array should be`,
	"signatures-number":                               `byte 0: a number where an array should be`,
	"signatures-protected-base64-standard":            `a protected header is not base64url-encoded`,
	"signatures-protected-case":                       `in a protected header: some readers take the member "FormatLength" for "formatLength"`,
	"signatures-protected-duplicate":                  `in a protected header: byte 39: duplicate member "formatLength"`,
	"signatures-protected-empty":                      `a signature lacks its header, signature or protected member`,
	"signatures-protected-line-feed":                  `a protected header is not base64url-encoded`,
	"signatures-protected-not-json":                   `in a protected header: byte 0: no JSON value where an object should be`,
	"signatures-protected-number":                     `byte 122: a number where a string should be`,
	"signatures-protected-padded":                     `a protected header is not base64url-encoded`,
	"signatures-protected-spare-bits":                 `a protected header is not base64url-encoded`,
	"signatures-protected-too-large":                  `in a protected header: byte 4096: the document is larger than 4096 bytes`,
	"signatures-signature-number":                     `byte 103: a number where a string should be`,
	"signatures-tail-missing":                         `a protected header lacks formatLength or formatTail`,
	"signatures-tail-number":                          `in a protected header: byte 33: a number where a string should be`,
	"signatures-tail-padded":                          `in a protected header: formatTail is not base64url-encoded`,
	"signatures-tails-differ":                         `signatures differ in formatLength or formatTail`,
	"signatures-too-many":                             `more than 64 signatures`,
}

// reasons maps the first word of a vector's name to the reason for refusing it.
var reasons = map[string]error{
	"malformed":  manifest.ErrMalformed,
	"ambiguous":  manifest.ErrAmbiguous,
	"signatures": manifest.ErrSignatures,
}

func TestInspectVectors(t *testing.T) {
	for name, content := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			got, err := manifest.Inspect(content)
			d, digestErr := manifest.Digest(content)
			if text, ok := refused[name]; ok {
				class, _, _ := strings.Cut(name, "-")
				checkRefused(t, err, reasons[class], text)
				checkRefused(t, digestErr, reasons[class], text)
				if !cmp.Equal(got, manifest.Info{}) || d != "" {
					t.Errorf("an error comes with %+v and digest %q", got, d)
				}
				return
			}
			if err != nil || digestErr != nil {
				t.Fatalf("Inspect: %v; Digest: %v", err, digestErr)
			}
			if diff := cmp.Diff(accepted[name], got, cmpopts.IgnoreFields(manifest.Info{}, "Children")); diff != "" {
				t.Errorf("Inspect (-want +got):\n%s", diff)
			}
			if d != got.Digest {
				t.Errorf("Digest = %s, Inspect says %s", d, got.Digest)
			}
		})
	}
	expected := append(slices.Collect(maps.Keys(accepted)), slices.Collect(maps.Keys(refused))...)
	slices.Sort(expected)
	if diff := cmp.Diff(expected, slices.Sorted(maps.Keys(vectors(t)))); diff != "" {
		t.Errorf("expectations and files in testdata differ (-expected +files):\n%s", diff)
	}
}

// checkRefused checks that an error has the reason, no other reason, and the text.
func checkRefused(t *testing.T, err, reason error, text string) {
	t.Helper()
	for _, other := range []error{manifest.ErrTooLarge, manifest.ErrMalformed, manifest.ErrAmbiguous, manifest.ErrSignatures} {
		if errors.Is(err, other) != (other == reason) {
			t.Errorf("errors.Is(%q, %q) = %v", err, other, other != reason)
		}
	}
	if err == nil || err.Error() != reason.Error()+": "+text {
		t.Errorf("error %v\nwant  %v: %s", err, reason, text)
	}
}

func TestTooLarge(t *testing.T) {
	plain := string(vectors(t)["accept-oci-manifest"])
	fits := plain + strings.Repeat(" ", manifest.MaxSize-len(plain))
	if got, err := manifest.Digest([]byte(fits)); err != nil || got != digest.FromString(fits) {
		t.Errorf("manifest of MaxSize: %s, %v", got, err)
	}
	_, err := manifest.Digest([]byte(fits + " "))
	checkRefused(t, err, manifest.ErrTooLarge, "more than 4194304 bytes")
}

func TestDigestAs(t *testing.T) {
	unsigned, signed := vectors(t)["accept-schema1"], vectors(t)["accept-schema1-signed"]
	for _, algorithm := range []digest.Algorithm{digest.SHA256, digest.SHA384, digest.SHA512} {
		want := algorithm.FromBytes(unsigned)
		for name, content := range map[string][]byte{"unsigned": unsigned, "signed": signed} {
			if got, err := manifest.DigestAs(algorithm, content); err != nil || got != want {
				t.Errorf("%s of the %s manifest = %s, %v; want %s", algorithm, name, got, err, want)
			}
		}
	}
	if got, err := manifest.DigestAs("md5", unsigned); got != "" || !errors.Is(err, digest.ErrDigestUnsupported) {
		t.Errorf("md5 = %q, %v", got, err)
	}
}

// TestManifestIsNotChanged checks that assembling the signed document does not modify the manifest.
func TestManifestIsNotChanged(t *testing.T) {
	content := vectors(t)["accept-schema1-signed"]
	before := string(content)
	if _, err := manifest.Digest(content); err != nil {
		t.Fatal(err)
	}
	if string(content) != before {
		t.Error("the manifest was changed")
	}
}
