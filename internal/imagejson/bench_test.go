// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson_test

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/assay-project/assay/internal/imagejson"
)

// BenchmarkWatch reads events of 40 KB. See package imagecache for a comparison.
func BenchmarkWatch(b *testing.B) {
	event := []byte(`{"type":"MODIFIED","object":` + large(b) + "}\n")
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	w := imagejson.NewWatch(&repeated{event: event}, recheck)
	for b.Loop() {
		if event, err := w.Next(); err != nil || event.Entry.Fault != nil || event.Entry.Manifest.Digest == "" {
			b.Fatal(err, event.Entry.Fault, event.Entry.Manifest)
		}
	}
}

// large returns an Image of about 40 KB: a manifest of 20 KB and a configuration of nearly as
// much.
func large(tb testing.TB) string {
	tb.Helper()
	var image map[string]any
	if err := json.Unmarshal([]byte(full), &image); err != nil {
		tb.Fatal(err)
	}
	layers := bytes.TrimSuffix(bytes.Repeat([]byte(`{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1048577},`), 100), []byte(","))
	image["dockerImageManifest"] = string(bytes.Replace([]byte(manifest), []byte(`"layers":[`), append([]byte(`"layers":[`), layers...), 1))
	image["dockerImageConfig"] = `{"os":"linux","history":[` + string(bytes.Repeat([]byte(`{"created_by":"RUN /bin/sh -c make install","empty_layer":true},`), 200)) + `{}]}`
	text, err := json.Marshal(image)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// repeated returns an event again and again, as a TLS connection does: 16 KiB at a time.
type repeated struct {
	event []byte
	next  int
}

func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), 16<<10)], r.event[r.next:])
	r.next = (r.next + n) % len(r.event)
	if n == 0 {
		return 0, io.ErrNoProgress
	}
	return n, nil
}
