// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package simplesigning_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/simplesigning"
)

// FuzzParse checks three properties of any payload. An error comes without a payload. encoding/json
// reads the same values from an accepted payload. An accepted payload that encoding/json writes
// again is accepted with the same claims.
func FuzzParse(f *testing.F) {
	for _, content := range vectors(f) {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := simplesigning.Parse(content)
		if err != nil {
			if got != nil {
				t.Fatal("an error comes with a payload")
			}
			if len(err.Error()) > 512 {
				t.Fatalf("error of %d bytes", len(err.Error()))
			}
			return
		}
		checkBounds(t, got)
		checkAgainstEncodingJSON(t, content, got)

		anew := rewrite(t, content)
		if len(anew) > simplesigning.MaxSize {
			return // encoding/json escapes more characters than necessary
		}
		again, err := simplesigning.Parse(anew)
		if err != nil {
			t.Fatalf("refused when written again: %v", err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("differs when written again (-first +again):\n%s", diff)
		}
	})
}

func checkAgainstEncodingJSON(t *testing.T, content []byte, got *simplesigning.Payload) {
	t.Helper()
	var other struct {
		Critical struct {
			Image    map[string]string `json:"image"`
			Identity map[string]string `json:"identity"`
			Type     string            `json:"type"`
		} `json:"critical"`
		Optional map[string]any `json:"optional"`
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber() // unused members may have numbers beyond the range of float64
	if err := d.Decode(&other); err != nil {
		t.Fatalf("encoding/json refuses what is accepted: %v", err)
	}
	if other.Critical.Type != "atomic container signature" ||
		other.Critical.Image["docker-manifest-digest"] != got.ManifestDigest.String() ||
		other.Critical.Identity["docker-reference"] != got.DockerReference {
		t.Errorf("encoding/json reads %+v, Parse %+v", other, got)
	}
	creator, ok := other.Optional["creator"]
	if ok != (got.Creator != nil) || ok && creator != *got.Creator {
		t.Errorf("creator: encoding/json reads %v, Parse %v", creator, got.Creator)
	}
	timestamp, ok := other.Optional["timestamp"].(json.Number)
	if ok != (got.Timestamp != nil) {
		t.Fatalf("timestamp: encoding/json reads %v, Parse %v", timestamp, got.Timestamp)
	}
	if !ok {
		return
	}
	if seconds, err := timestamp.Float64(); err != nil || seconds != float64(*got.Timestamp) {
		t.Errorf("timestamp: encoding/json reads %v (%v), Parse %v", seconds, err, *got.Timestamp)
	}
}

func rewrite(t *testing.T, content []byte) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
