// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagejson"
)

const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2},"layers":[]}`

// full is an Image with every field.
var full = `{
  "kind": "Image", "apiVersion": "image.openshift.io/v1",
  "metadata": {
    "name": "sha256-1", "generateName": "g", "uid": "u-1", "resourceVersion": "17", "generation": 3, "selfLink": "/s",
    "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:04:05+02:00", "deletionGracePeriodSeconds": 0,
    "labels": {"a": "b", "assay.dev/discovered": "true"}, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"a\":1}", "assay.dev/recheck": "now"},
    "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}], "finalizers": ["example.com/keep"],
    "managedFields": [{"manager": "m", "operation": "Update", "time": "2026-01-02T03:04:05Z", "fieldsV1": {"f:signatures": {}}}]
  },
  "dockerImageReference": "registry.example.com/shop/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "dockerImageMetadata": {"Architecture": "amd64", "nested": [[[{}]]], "text": "}]\"\\"},
  "dockerImageMetadataVersion": "1.0",
  "dockerImageManifest": ` + quoted(manifest) + `,
  "dockerImageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
  "dockerImageManifests": [{"digest": "d", "mediaType": "m", "manifestSize": 1, "architecture": "a", "os": "linux"}],
  "dockerImageConfig": "{\"config\":{}}",
  "dockerImageLayers": [{"name": "n", "size": 1, "mediaType": "m"}],
  "dockerImageSignatures": ["YQ=="],
  "signatures": [
    {"type": "atomic", "content": "AAEC"},
    {
      "apiVersion": "image.openshift.io/v1", "kind": "ImageSignature",
      "metadata": {
        "name": "sha256-1@one", "generateName": "g", "namespace": "n", "uid": "u-2", "resourceVersion": "5", "generation": -2,
        "creationTimestamp": "2026-01-02T03:04:05Z", "labels": {"l": "\u00e9\ud83d\ude00"}, "annotations": {"a\/b": "\u003c"}, "finalizers": ["f"]
      },
      "type": "AtomicImageV1", "content": "//79",
      "conditions": [
        {"type": "Complete", "status": "True", "lastProbeTime": "2026-01-02T03:04:05Z", "lastTransitionTime": null, "reason": "Verified", "message": "signed"},
        {"type": "Failed", "status": "False"}
      ],
      "imageIdentity": "registry.example.com/shop/app:v1", "signedClaims": {"critical.type": "atomic container signature", "optional.creator": null},
      "created": "2026-01-02T03:04:05.678Z",
      "issuedBy": {"organization": "o", "commonName": "c"}, "issuedTo": {"organization": "p", "commonName": "d", "publicKeyID": "0xAB"}
    }
  ],
  "status": {
    "observedGeneration": 3,
    "conditions": [{"type": "Verified", "status": "True", "observedGeneration": 3, "lastTransitionTime": "2026-01-02T03:04:05Z", "reason": "Verified", "message": "m"}],
    "verified": "True", "reason": "Verified", "digest": "sha256:e3", "signatureSummary": "1/2", "lastHandledRecheckRequest": "now",
    "policies": [{"name": "p", "scope": "registry.example.com/shop", "status": "True"}],
    "import": {
      "result": "Imported", "lastTime": "2026-01-02T03:04:05Z", "configuration": "c", "lastHandledRecheckRequest": "now",
      "stores": [{"url": "https://registry.example.com/v2/shop/app", "result": "Imported", "signatures": 2, "message": "m"}, null]
    },
    "unusedSince": "2026-01-02T03:04:05Z", "tags": [{"name": "v1"}, null, {"name": "v2", "zone": 1}]
  }
}`

// byText compares errors. Other tests compare the size.
var byText = cmp.Options{
	cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }),
	cmpopts.IgnoreFields(imagejson.Entry{}, "Size"),
}

// images are Images that encoding/json reads, by what is special about them.
func images() map[string]string {
	return map[string]string{
		"full":              full,
		"empty":             `{}`,
		"nulls":             `{"metadata":null,"dockerImageReference":null,"dockerImageManifest":null,"signatures":null,"status":null}`,
		"nulls inside":      `{"metadata":{"name":null,"generation":null,"creationTimestamp":null,"finalizers":null,"annotations":null},"signatures":[null,{"metadata":null,"type":null,"content":null,"conditions":null,"signedClaims":null,"created":null,"issuedBy":null,"issuedTo":null}],"status":{"conditions":[null],"policies":null,"import":null,"unusedSince":null,"tags":null}}`,
		"empty inside":      `{"metadata":{"finalizers":[],"annotations":{}},"dockerImageManifest":"","signatures":[{"metadata":{"labels":{},"finalizers":[]},"content":"","conditions":[],"signedClaims":{},"issuedBy":{},"issuedTo":{}}],"status":{"conditions":[],"policies":[],"import":{"stores":[]},"tags":[]}}`,
		"no signatures":     `{"metadata":{"name":"a"},"signatures":[]}`,
		"unknown members":   `{"spec":{"a":[{}]},"metadata":{"name":"a","zone":1},"signatures":[{"content":"YQ==","verified":true,"metadata":{"x":[]}}]}`,
		"escaped names":     `{"met\u0061data":{"n\u0061me":"a","annotations":{"assay.dev\/recheck":"x"}}}`,
		"control escapes":   `{"dockerImageReference":"\b\f\n\r\t\"\\\/"}`,
		"lone surrogates":   `{"dockerImageReference":"\ud800 \udc00 \ud800\u0041 \ud83d\ude00"}`,
		"not UTF-8":         "{\"dockerImageReference\":\"\xff\xfe\xc3\xa9\xe2\x82\"}",
		"line breaks":       `{"signatures":[{"content":"YW\r\nJj\n"}]}`,
		"bad manifest":      `{"dockerImageManifest":"{}"}`,
		"other media type":  `{"dockerImageManifest":` + quoted(manifest) + `,"dockerImageManifestMediaType":"application/vnd.oci.image.index.v1+json"}`,
		"media type first":  `{"dockerImageManifestMediaType":"application/vnd.oci.image.manifest.v1+json","dockerImageManifest":` + quoted(manifest) + `}`,
		"largest integer":   `{"metadata":{"generation":9223372036854775807},"signatures":[{"metadata":{"generation":-9223372036854775808}}]}`,
		"zero time":         `{"metadata":{"creationTimestamp":"0001-01-01T00:00:00Z"},"signatures":[{"created":"0001-01-01T00:00:00Z"}]}`,
		"first writable":    `{"signatures":[{"created":"0000-01-01T00:00:00Z"},{"created":"0000-01-01T23:59:00+23:59"}]}`,
		"last writable":     `{"signatures":[{"created":"9999-12-31T23:59:59Z"},{"created":"9999-12-31T00:00:00-23:59"}]}`,
		"year out of range": `{"metadata":{"creationTimestamp":"0000-01-01T00:00:00+23:59"}}`,
	}
}

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// nested returns JSON of the given depth.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

// signatures returns the JSON of count signatures with size bytes of content each.
func signatures(count, size int) string {
	one := fmt.Sprintf(`{"type":"atomic","content":%q}`, base64.StdEncoding.EncodeToString(make([]byte, size)))
	return "[" + strings.TrimSuffix(strings.Repeat(one+",", count), ",") + "]"
}

// pieces returns the text a few bytes at a time.
type pieces struct {
	text []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.text[:min(p.size, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

// decodeInPieces is Decode by way of a watch that arrives a few bytes at a time.
func decodeInPieces(text []byte, size int) (imagejson.Entry, error) {
	text = []byte(`{"type":"ADDED","object":` + string(text) + `}`)
	w := imagejson.NewWatch(&pieces{text, max(1, size%100)}, recheck)
	event, err := w.Next()
	if err == nil {
		if _, end := w.Next(); end != io.EOF {
			return imagejson.Entry{}, fmt.Errorf("after the event: %w", end)
		}
	}
	return event.Entry, err
}

// checkWritable fails unless an Image can be written, and read again with the same result.
func checkWritable(t *testing.T, image imagev1.Image) {
	t.Helper()
	// The metadata is never written.
	image.ObjectMeta = metav1.ObjectMeta{}
	var written [2]imagejson.Entry
	for i := range written {
		text, err := json.Marshal(image)
		if err != nil {
			t.Fatalf("what Decode reads cannot be written: %v", err)
		}
		written[i], err = imagejson.Decode(text, recheck)
		if err != nil || written[i].Fault != nil {
			t.Fatalf("what was written cannot be read: %v, %v\n%s", err, written[i].Fault, text)
		}
		// Fractions of seconds and the zero time are lost the first time.
		image = written[i].Image
	}
	if diff := cmp.Diff(written[0], written[1], byText); diff != "" {
		t.Errorf("what is written changes (-first +second):\n%s", diff)
	}
}
