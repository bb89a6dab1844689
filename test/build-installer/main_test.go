// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/test/kustomize"
)

const defaultDir = "../../config/default"

// TestWrite reads back what was written: the objects of the kustomization in its order.
func TestWrite(t *testing.T) {
	want, err := kustomize.Build(defaultDir)
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := write(out, defaultDir, ""); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(first.String(), second.String()); diff != "" {
		t.Errorf("writing it again gives another file (-first +second):\n%s", diff)
	}
	var got []*unstructured.Unstructured
	for document := range strings.SplitSeq(strings.TrimPrefix(first.String(), "---\n"), "\n---\n") {
		object := &unstructured.Unstructured{}
		text, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		if err := object.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		got = append(got, object)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestWriteNothingThere(t *testing.T) {
	if err := write(io.Discard, t.TempDir(), ""); err == nil {
		t.Error("a folder without a kustomization is written")
	}
}

func TestWriteImage(t *testing.T) {
	var plain, other bytes.Buffer
	const image = "registry.example.com:5000/assay@sha256:0123"
	if err := errors.Join(write(&plain, defaultDir, ""), write(&other, defaultDir, image)); err != nil {
		t.Fatal(err)
	}
	const old = "image: assay:v0.1.0\n"
	if n := strings.Count(plain.String(), old); n != 1 {
		t.Fatalf("%q occurs %d times, want once", old, n)
	}
	if diff := cmp.Diff(strings.Replace(plain.String(), old, "image: "+image+"\n", 1), other.String()); diff != "" {
		t.Errorf("with another image (-want +got):\n%s", diff)
	}
	var nothing bytes.Buffer
	if err := write(&nothing, "../../config/crd", image); err == nil || nothing.Len() > 0 {
		t.Errorf("an image without a Deployment: error %v, %d bytes written", err, nothing.Len())
	}
}
