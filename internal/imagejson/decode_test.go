// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/verify"
)

// TestDecode compares with encoding/json what both read.
func TestDecode(t *testing.T) {
	for name, text := range images() {
		t.Run(name, func(t *testing.T) {
			want, err := generic([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := imagejson.Decode([]byte(text), recheck)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, byText); diff != "" {
				t.Errorf("encoding/json and Decode differ (-json +Decode):\n%s", diff)
			}
			checkWritable(t, got.Image)
			for size := 1; size < 100; size++ {
				got, err := decodeInPieces([]byte(text), size)
				if err != nil {
					t.Fatalf("in pieces of %d bytes: %v", size, err)
				}
				if diff := cmp.Diff(want, got, byText); diff != "" {
					t.Fatalf("in pieces of %d bytes, encoding/json and Decode differ (-json +Decode):\n%s", size, diff)
				}
			}
		})
	}
}

// TestDecodeEveryField checks that no field of what is written back is lost, with an Image in which
// every field of the types has a value. A field that is added to them is missed here.
func TestDecodeEveryField(t *testing.T) {
	var image imagev1.Image
	fill(reflect.ValueOf(&image.Signatures).Elem())
	fill(reflect.ValueOf(&image.Status).Elem())
	text, err := json.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	want, err := generic(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := imagejson.Decode(text)
	if diff := cmp.Diff(want, got, byText); err != nil || diff != "" {
		t.Errorf("error %v, encoding/json and Decode differ (-json +Decode):\n%s", err, diff)
	}
}

// fill gives every field of a value a value.
func fill(v reflect.Value) {
	if v.CanAddr() {
		if at, ok := v.Addr().Interface().(*metav1.Time); ok {
			*at = metav1.Unix(1_767_225_600, 0)
			return
		}
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"name": "text"}))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

// TestDecodeFaults checks that what cannot be read is a fault of the Image, which keeps its
// identity whatever stands before and behind, and loses its signatures.
func TestDecodeFaults(t *testing.T) {
	const (
		integer = "the value is not an integer of 64 bits"
		text    = "the value is not a string"
		object  = "the value is not an object"
		array   = "the value is not an array"
		instant = "the value is not a time as in RFC 3339"
		year    = "in UTC, the time has a year that RFC 3339 cannot write"
		twice   = "the member occurs twice"
		folded  = "a member has the same name in other case"
	)
	tests := map[string]struct{ member, field, detail string }{
		"integer with a point":      {`"signatures":[{"metadata":{"generation":1.0}}]`, "signatures[0].metadata.generation", integer},
		"integer with an exponent":  {`"signatures":[{"metadata":{"generation":1e2}}]`, "signatures[0].metadata.generation", integer},
		"integer of 20 digits":      {`"signatures":[{},{"metadata":{"generation":100000000000000000000}}]`, "signatures[1].metadata.generation", integer},
		"integer of 200 digits":     {`"signatures":[{"metadata":{"generation":1` + strings.Repeat("0", 200) + `}}]`, "signatures[0].metadata.generation", integer},
		"integer in quotes":         {`"signatures":[{"metadata":{"generation":"1"}}]`, "signatures[0].metadata.generation", integer},
		"no date":                   {`"signatures":[{"created":"2026-02-30T00:00:00Z"}]`, "signatures[0].created", instant},
		"lower-case time":           {`"signatures":[{"created":"2026-01-01t00:00:00z"}]`, "signatures[0].created", instant},
		"leap second":               {`"signatures":[{"created":"2016-12-31T23:59:60Z"}]`, "signatures[0].created", instant},
		"time with long fraction":   {`"signatures":[{"created":"2026-01-01T00:00:00.` + strings.Repeat("0", 300) + `Z"}]`, "signatures[0].created", instant},
		"year before 0000 in UTC":   {`"signatures":[{"metadata":{"creationTimestamp":"0000-01-01T00:00:00+23:59"}}]`, "signatures[0].metadata.creationTimestamp", year},
		"year after 9999 in UTC":    {`"signatures":[{"conditions":[{},{"lastProbeTime":"9999-12-31T23:59:59-00:01"}]}]`, "signatures[0].conditions[1].lastProbeTime", year},
		"content not base64":        {`"signatures":[{"content":"a"}]`, "signatures[0].content", "the value is not base64"},
		"content of URLs":           {`"signatures":[{"content":"_-__"}]`, "signatures[0].content", "the value is not base64"},
		"signatures are an object":  {`"signatures":{"0":{}}`, "signatures", array},
		"a signature is a text":     {`"signatures":["atomic"]`, "signatures[0]", object},
		"claims are nested":         {`"signatures":[{"signedClaims":{"a":{"b":"c"}}}]`, "signatures[0].signedClaims", text},
		"a claim twice":             {`"signatures":[{"signedClaims":{"a":"b","\u0061":"c"}}]`, "signatures[0].signedClaims", "a member occurs twice"},
		"signatures twice":          {`"signatures":[],"signatures":[{"type":"atomic"}]`, "signatures", twice},
		"signatures in upper case":  {`"SIGNATURES":[{"type":"atomic"}]`, "signatures", folded},
		"a folded long s":           {`"ſignatures":[{"type":"atomic"}]`, "signatures", folded},
		"content twice":             {`"signatures":[{"content":"YQ==","content":"Yg=="}]`, "signatures[0].content", twice},
		"the reference is a list":   {`"dockerImageReference":[]`, "dockerImageReference", text},
		"the manifest is an object": {`"dockerImageManifest":{}`, "dockerImageManifest", text},
		"the media type is true":    {`"dockerImageManifestMediaType":true`, "dockerImageManifestMediaType", text},
		"the reference is long":     {`"dockerImageReference":"` + strings.Repeat("a", 1025) + `"`, "", "a text of the metadata or the reference is longer than 1024 bytes"},
		"deep claims":               {`"signatures":[{"signedClaims":` + nested(100_000) + `}]`, "signatures[0].signedClaims", text},
		"deep signature":            {`"signatures":` + nested(100_000), "signatures", array},
	}
	const metadata = `"metadata":{"annotations":{"assay.dev/recheck":"x"},"generation":2,"name":"n","resourceVersion":"3","uid":"u"}`
	const status = `"status":{"digest":"sha256:a"}`
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{
				`{` + tt.member + `,` + metadata + `,` + status + `}`,
				`{` + status + `,` + metadata + `,` + tt.member + `}`,
			} {
				got, err := imagejson.Decode([]byte(text), recheck)
				if err != nil {
					t.Fatal(err)
				}
				want := imagejson.Entry{Fault: &imagejson.Fault{Kind: imagejson.Undecodable, Field: tt.field, Detail: tt.detail}}
				want.Image.Name, want.Image.UID, want.Image.ResourceVersion, want.Image.Generation = "n", "u", "3", 2
				want.Image.Annotations = map[string]string{recheck: "x"}
				want.Image.Status.Digest = "sha256:a"
				if diff := cmp.Diff(want, got, byText); diff != "" {
					t.Errorf("Decode (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestDecodeMetadataFaults checks that every part of the metadata is read in spite of a fault in
// another.
func TestDecodeMetadataFaults(t *testing.T) {
	for _, member := range []string{
		`"generation":"x"`, `"creationTimestamp":"x"`, `"deletionTimestamp":1`, `"finalizers":{}`, `"finalizers":[1]`,
		`"annotations":[]`, `"annotations":{"assay.dev/recheck":1}`, `"name":"n","name":"m"`, `"NAME":"m"`,
	} {
		text := `{"metadata":{` + member + `,"resourceVersion":"3","uid":"u","dockerImageReference":""}}`
		if !strings.Contains(member, `"name"`) {
			text = strings.Replace(text, `"uid"`, `"name":"n","uid"`, 1)
		}
		got, err := imagejson.Decode([]byte(text), recheck)
		if err != nil {
			t.Fatal(err)
		}
		if got.Fault == nil || got.Image.Name != "n" || got.Image.ResourceVersion != "3" || got.Image.UID != "u" {
			t.Errorf("%s: fault %v, name %q, resource version %q, UID %q", member, got.Fault, got.Image.Name, got.Image.ResourceVersion, got.Image.UID)
		}
	}
}

// TestDecodeSkips checks that what no verdict needs is no fault, whatever it is.
func TestDecodeSkips(t *testing.T) {
	deep := nested(1_000_000)
	for _, member := range []string{
		`"dockerImageMetadata":` + deep, `"dockerImageMetadata":` + strings.Repeat("[", 9998) + strings.Repeat("]", 9998),
		`"dockerImageMetadata":"text"`, `"dockerImageLayers":[{"size":1e400}]`, `"dockerImageManifests":[{"manifestSize":1.5}]`,
		`"dockerImageConfig":7`, `"dockerImageSignatures":["?"]`, `"metadata":{"name":"n","managedFields":[{"fieldsV1":` + deep + `}]}`,
		`"metadata":{"name":"n","managedFields":[{"time":"?"}],"labels":{"a":[]},"ownerReferences":0}`,
		`"other":` + deep,
	} {
		text := `{` + member + `,"signatures":[{"type":"atomic","content":"YQ=="}]}`
		got, err := imagejson.Decode([]byte(text))
		want := []imagev1.ImageSignature{{Type: "atomic", Content: []byte("a")}}
		if diff := cmp.Diff(want, got.Image.Signatures); err != nil || got.Fault != nil || diff != "" {
			t.Errorf("%.60s…: error %v, fault %v, signatures (-want +got):\n%s", member, err, got.Fault, diff)
		}
	}
}

// TestDecodeStatus checks that a status that cannot be read is empty, and no fault.
func TestDecodeStatus(t *testing.T) {
	for name, status := range map[string]string{
		"lower-case time": `{"digest":"sha256:a","conditions":[{"type":"Verified","lastTransitionTime":"2026-01-01t00:00:00z"}]}`,
		"unwritable time": `{"digest":"sha256:a","conditions":[{"type":"Verified","lastTransitionTime":"0000-01-01T00:00:00+23:59"}]}`,
		"integer":         `{"digest":"sha256:a","conditions":[{"observedGeneration":1e30}]}`,
		"large number":    `{"digest":"sha256:a","import":{"stores":[{"signatures":2147483648}]}}`,
		"no time":         `{"digest":"sha256:a","unusedSince":"yesterday"}`,
		"tags":            `{"digest":"sha256:a","tags":{"name":"v1"}}`,
		"a text":          `"sha256:a"`,
		"too large":       `{"digest":"sha256:a","conditions":[{"message":"` + strings.Repeat("a", imagejson.MaxStatus) + `"}]}`,
		"twice":           `{"digest":"sha256:a","digest":"sha256:b"}`,
		"deep":            `{"digest":` + nested(100_000) + `}`,
	} {
		got, err := imagejson.Decode([]byte(`{"status":` + status + `,"signatures":[{"type":"atomic"}]}`))
		want := imagejson.Entry{Image: imagev1.Image{Signatures: []imagev1.ImageSignature{{Type: "atomic"}}}}
		if diff := cmp.Diff(want, got, byText); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestDecodeBudgets(t *testing.T) {
	message := func(n int) string { return strings.Repeat("m", n) }
	condition := fmt.Sprintf(`{"type":"Complete","status":"True","reason":"Verified","message":%q}`, message(verify.MaxMessageLength))
	written := `{"type":"atomic","content":"` + strings.Repeat("YWFh", 300) + `","conditions":[` + condition + `,` + condition + `],` +
		`"imageIdentity":"` + message(255) + `","signedClaims":{"critical.image.docker-manifest-digest":"` + message(71) + `","optional.creator":"` + message(32) + `"},` +
		`"issuedBy":{"commonName":"` + message(64) + `"},"issuedTo":{"commonName":"` + message(64) + `","publicKeyID":"` + message(42) + `"}}`
	repeat := func(n int, element string) string { return `[` + strings.Repeat(element+",", n-1) + element + `]` }
	const (
		content = "signatures: their content takes more than 128 KiB"
		text    = "signatures: what they hold beside their content takes more than 384 KiB"
	)
	tests := map[string]struct{ signatures, fault string }{
		"as many as may be":      {signatures(imagejson.MaxSignatures, 1024), ""},
		"as Assay writes them":   {repeat(imagejson.MaxSignatures, written), ""},
		"one more":               {signatures(imagejson.MaxSignatures+1, 1), "signatures: there are more than 128"},
		"one of all the content": {signatures(1, imagejson.MaxSignatureContent), ""},
		"one byte more":          {signatures(1, imagejson.MaxSignatureContent+1), content},
		"one megabyte":           {signatures(1, 1_000_000), content},
		"content of two":         {signatures(2, imagejson.MaxSignatureContent/2+1), content},
		"one long message":       {`[{"conditions":[{"message":"` + message(imagejson.MaxSignatureText) + `"}]}]`, text},
		"many conditions":        {`[{"conditions":` + repeat(30_000, "{}") + `}]`, text},
		"many finalizers":        {`[{"metadata":{"finalizers":` + repeat(30_000, `""`) + `}}]`, text},
		"many claims":            {`[{"signedClaims":{` + manyMembers(30_000) + `}}]`, text},
		"a long name of a label": {`[{"metadata":{"labels":{"` + message(5000) + `":""}}}]`, "signatures[0].metadata.labels: the name of a member is longer than 4096 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := imagejson.Decode([]byte(`{"signatures":` + tt.signatures + `,"metadata":{"name":"n"}}`))
			if err != nil {
				t.Fatal(err)
			}
			fault := ""
			if got.Fault != nil {
				fault = got.Fault.Error()
			}
			if fault != tt.fault || got.Image.Name != "n" {
				t.Errorf("Decode of %q finds fault %q, want %q", got.Image.Name, fault, tt.fault)
			}
			if fault != "" && got.Image.Signatures != nil {
				t.Errorf("%d signatures are kept", len(got.Image.Signatures))
			}
		})
	}
}

// TestDecodeMemory checks what Images just within the bounds keep in memory, by the shapes that
// take most for the least text.
func TestDecodeMemory(t *testing.T) {
	const images, bound = 32, 768 << 10
	for name, signatures := range map[string]string{
		"content":    signatures(imagejson.MaxSignatures, 1024),
		"conditions": `[{"conditions":[` + strings.Repeat("{},", 3070) + `{}]}]`,
		"claims":     `[{"signedClaims":{` + manyMembers(2900) + `}}]`,
		"finalizers": `[{"metadata":{"finalizers":[` + strings.Repeat(`"",`, 3070) + `""]}}]`,
		"messages":   `[{"conditions":[{"message":"` + strings.Repeat("m", 390_000) + `"}]}]`,
	} {
		text := []byte(`{"signatures":` + signatures + `}`)
		kept := make([]imagejson.Entry, images)
		before := heap()
		for i := range kept {
			var err error
			if kept[i], err = imagejson.Decode(text); err != nil || kept[i].Fault != nil {
				t.Fatalf("%s: %v, %v", name, err, kept[i].Fault)
			}
		}
		each := (heap() - before) / images
		t.Logf("%s: %d KiB", name, each>>10)
		if each > bound {
			t.Errorf("%s: an Image keeps %d bytes, want at most %d", name, each, bound)
		}
		runtime.KeepAlive(kept)
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":"",`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// TestDecodeManifestTooLarge checks that a manifest beyond the bound has the same problem as it
// has for the reader of manifests.
func TestDecodeManifestTooLarge(t *testing.T) {
	for _, size := range []int{4<<20 + 1, 25 << 20} {
		got, err := imagejson.Decode([]byte(`{"dockerImageManifest":"` + strings.Repeat("a", size) + `"}`))
		want := imagejson.Entry{Manifest: verify.ParseManifest(make([]byte, size), "")}
		if diff := cmp.Diff(want, got, byText); err != nil || diff != "" {
			t.Errorf("%d bytes: error %v (-want +got):\n%s", size, err, diff)
		}
	}
}

// TestDecodeErrors checks that text that no API server sends is an error.
func TestDecodeErrors(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `{"`, `{"metadata`, `{"metadata"`, `{"metadata":`, `{"metadata":{`, `{"metadata":{}`, `{"metadata":{},}`, `{"metadata" {}}`,
		`{"dockerImageReference":"a`, `{"dockerImageReference":"a\`, `{"dockerImageReference":"\x"}`, "{\"dockerImageReference\":\"\n\"}",
		`{"dockerImageReference":"\u12"}`, `{"dockerImageReference":nul}`, `{"signatures":[}`, `{"signatures":[{},]}`, `{"signatures":[{} {}]}`,
		`{"metadata":{"generation":}}`, `{} {}`, `{}x`, `{"dockerImageMetadata":{"a":[`, `{"dockerImageMetadata":"\\\\`,
	} {
		if got, err := imagejson.Decode([]byte(text)); err == nil {
			t.Errorf("Decode(%q) = %+v and no error", text, got)
		}
	}
}
