// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/imagecache"
)

// TestReader checks that a reader finds the whole Image, also a hostile one, where a cache has left
// out the signatures.
func TestReader(t *testing.T) {
	reader, err := imagecache.NewReader(testConfig, nil)
	if err != nil {
		t.Fatal(err)
	}
	if image, err := reader.Read(t.Context(), "there-is-none"); image != nil || err != nil {
		t.Errorf("got %v, %v for an Image that does not exist", image, err)
	}
	const name = "to-be-read"
	if err := create(t.Context(), name, signature(`"content":"AAAA"`)+`,"dockerImageReference":"registry.example.com/app:v1"`); err != nil {
		t.Fatal(err)
	}
	whole, err := reader.Read(t.Context(), name)
	if err != nil || whole == nil || len(whole.Signatures) != 1 || whole.Omitted != nil || whole.Name != name {
		t.Fatalf("got %+v, %v", whole, err)
	}
	if deep, err := reader.Read(t.Context(), "deep-by-apply"); err != nil || deep == nil {
		t.Errorf("got %v, %v for an Image of many levels", deep, err)
	}

	c := startCacheOf(t, imagecache.Within(0), cache.Options{}, listings["streamed"])
	var cached imagecache.Image
	eventually(t, func() error { return c.Get(t.Context(), client.ObjectKey{Name: name}, &cached) })
	if cached.Signatures != nil || cached.Omitted == nil || !cached.Omitted.Small {
		t.Fatalf("without room, %d signatures are kept, and omitted is %+v", len(cached.Signatures), cached.Omitted)
	}
	if cached.Omitted.Inputs != imagecache.InputsOf(whole.Signatures) || cached.Omitted.State != imagecache.StateOf(whole.Signatures) {
		t.Error("the signatures that are left out are identified as others")
	}
	cached.Omitted, cached.Signatures, cached.Size = nil, whole.Signatures, whole.Size
	if diff := cmp.Diff(whole, &cached); diff != "" {
		t.Errorf("the rest differs (-read +cached):\n%s", diff)
	}
}
