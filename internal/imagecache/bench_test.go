// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/watch"
	restwatch "k8s.io/client-go/rest/watch"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/verify"
)

// BenchmarkWatchEvent compares the time for one event of a watch, from the bytes of the
// connection to the digest of the manifest: by the decoder of typed clients, and by imagejson.
func BenchmarkWatchEvent(b *testing.B) {
	event, size := largeEvent(b)
	b.Run("typed", func(b *testing.B) {
		decoder := typedDecoder(b, io.NopCloser(&repeated{event: event}))
		b.SetBytes(size)
		for b.Loop() {
			eventType, obj, err := decoder.Decode()
			image, ok := obj.(*imagev1.Image)
			if err != nil || eventType != watch.Modified || !ok {
				b.Fatal(err, eventType)
			}
			if m := verify.ParseManifest([]byte(image.DockerImageManifest), image.DockerImageManifestMediaType); m.Digest == "" {
				b.Fatal(m.Err)
			}
		}
	})
	b.Run("imagejson", func(b *testing.B) {
		events := imagejson.NewWatch(&repeated{event: event})
		b.SetBytes(size)
		for b.Loop() {
			event, err := events.Next()
			if err != nil || event.Type != watch.Modified || event.Entry.Manifest.Digest == "" {
				b.Fatal(err, event.Type, event.Entry)
			}
		}
	})
}

// typedDecoder puts together what a rest.Request does for the watch of a typed client.
func typedDecoder(b *testing.B, body io.ReadCloser) watch.Decoder {
	b.Helper()
	scheme := runtime.NewScheme()
	if err := imagev1.AddToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	codecs := serializer.WithoutConversionCodecFactory{CodecFactory: serializer.NewCodecFactory(scheme)}
	info, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	if !ok {
		b.Fatal("no serializer for JSON")
	}
	stream := info.StreamSerializer
	frames := stream.Framer.NewFrameReader(body)
	return restwatch.NewDecoder(streaming.NewDecoder(frames, stream.Serializer), codecs.DecoderToVersion(info.Serializer, imagev1.GroupVersion))
}

// largeEvent is the event of an Image as bench/scale makes them, and its size: a manifest and a
// configuration of 17 KB each, one signature, and what Assay writes.
func largeEvent(tb testing.TB) (event []byte, size int64) {
	tb.Helper()
	const blob = 17 << 10
	var manifest strings.Builder
	manifest.WriteString(`{"schemaVersion":2,"config":{"digest":"sha256:0","mediaType":"application/vnd.oci.image.config.v1+json","size":7023},"layers":[`)
	for n := 0; n == 0 || manifest.Len() < blob; n++ {
		if n > 0 {
			manifest.WriteByte(',')
		}
		fmt.Fprintf(&manifest, `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%064x","size":%d}`, n, 1<<20+n)
	}
	manifest.WriteString("]}")
	const line = `{"created_by":"RUN /bin/sh -c make install","empty_layer":true}`
	now := metav1.Now().Rfc3339Copy()
	conditions := []imagev1.SignatureCondition{
		{Type: imagev1.SignatureComplete, Status: "True", LastProbeTime: now, LastTransitionTime: now, Reason: "Verified", Message: strings.Repeat("m", 120)},
		{Type: imagev1.SignatureFailed, Status: "False", LastProbeTime: now, LastTransitionTime: now, Reason: "Verified", Message: strings.Repeat("m", 120)},
	}
	fields := metav1.NewFieldsV1(`{"f:dockerImageConfig":{},"f:dockerImageManifest":{},"f:dockerImageReference":{},"f:signatures":{},"f:status":{".":{},"f:conditions":{".":{},"k:{\"type\":\"Verified\"}":{".":{},"f:message":{},"f:reason":{},"f:status":{}}}}}`)
	image := &imagev1.Image{
		TypeMeta: metav1.TypeMeta{APIVersion: "image.openshift.io/v1", Kind: "Image"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "sha256-" + strings.Repeat("0", 64), UID: "8f3c2b6e-0000-4000-8000-000000000000", ResourceVersion: "123456", Generation: 2, CreationTimestamp: now,
			Labels: map[string]string{"team": "shop"}, ManagedFields: []metav1.ManagedFieldsEntry{
				{Manager: "kubectl", Operation: "Update", Time: &now, FieldsType: "FieldsV1", FieldsV1: fields},
				{Manager: "assay-manager", Operation: "Update", Time: &now, FieldsType: "FieldsV1", FieldsV1: fields},
			},
		},
		DockerImageReference: "registry.example.com/shop/app:v1",
		DockerImageManifest:  manifest.String(),
		DockerImageConfig:    `{"os":"linux","history":[` + strings.Repeat(line+",", blob/len(line)) + line + `]}`,
		Signatures: []imagev1.ImageSignature{{
			SignatureMeta: imagev1.SignatureMeta{Name: "sha256-0@release"}, Type: imagev1.SignatureTypeAtomicImageV1, Content: make([]byte, 700),
			Conditions: conditions, ImageIdentity: "registry.example.com/shop/app:v1", Created: &now,
			SignedClaims: map[string]string{"critical.type": "atomic container signature", "optional.creator": "containers/image 5.42.0"},
			IssuedBy:     &imagev1.SignatureIssuer{SignatureGenericEntity: imagev1.SignatureGenericEntity{CommonName: "Release"}},
			IssuedTo:     &imagev1.SignatureSubject{PublicKeyID: "0x" + strings.Repeat("AB", 20)},
		}},
		Status: imagev1.ImageStatus{
			Conditions: []metav1.Condition{{Type: "Verified", Status: "True", LastTransitionTime: now, Reason: "Verified", Message: strings.Repeat("m", 120)}},
			Policies:   []imagev1.AppliedPolicy{{Name: "shop", Scope: "registry.example.com/shop", Status: "True"}},
		},
	}
	raw, err := json.Marshal(image)
	if err != nil {
		tb.Fatal(err)
	}
	event, err = json.Marshal(metav1.WatchEvent{Type: "MODIFIED", Object: runtime.RawExtension{Raw: raw}})
	if err != nil {
		tb.Fatal(err)
	}
	return append(event, '\n'), int64(len(event))
}

// repeated returns an event again and again, as a TLS connection does: 16 KiB at a time.
type repeated struct {
	event []byte
	next  int
}

func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), 16<<10)], r.event[r.next:])
	r.next = (r.next + n) % len(r.event)
	return n, nil
}
