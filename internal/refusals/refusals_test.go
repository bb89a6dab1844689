// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package refusals

import (
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// refuse evaluates an Image whose signatures are all refused, with the memory of the cache.
func refuse(t *testing.T, c *Cache, name string, policies, signatures int) {
	t.Helper()
	matcher, err := imageref.NewMatcher(imageref.Rule{})
	if err != nil {
		t.Fatal(err)
	}
	in := verify.Input{
		Now: time.Unix(1767225600, 0), RevokedKeysID: 1,
		Image: verify.Image{Name: name, Reference: verify.ParseReference("a.example/app:v1"), Manifest: verify.Manifest{Digest: digest.FromString(name)}},
	}
	for i := range policies {
		in.Policies = append(in.Policies, verify.Policy{Name: fmt.Sprint(i), ID: uint64(i + 1), Identity: matcher})
	}
	for i := range signatures {
		in.Image.Signatures = append(in.Image.Signatures, verify.Signature{Type: "atomic", Content: fmt.Append(nil, "signature ", i)})
	}
	memory := c.Of(name)
	in.Refusals = memory
	if got := verify.New(signature.Formats()...).Check(in); got.Outcome == verify.Verified {
		t.Fatalf("%+v", got)
	}
	memory.Keep()
}

// check compares what a cache keeps with what it counts, and with its bounds.
func (c *Cache) check(t *testing.T, images int) {
	t.Helper()
	size := 0
	for name, known := range c.byName {
		one := 0
		for _, refusal := range known.refusals {
			one += refusal.Size()
		}
		if one != known.size || one > maxImage {
			t.Errorf("%s takes %d bytes, and %d are counted", name, one, known.size)
		}
		size += one
	}
	if size != c.size || size > maxAll {
		t.Errorf("%d bytes are kept, and %d counted", size, c.size)
	}
	if len(c.byName) != images {
		t.Errorf("%d Images are remembered, want %d", len(c.byName), images)
	}
}

func TestCache(t *testing.T) {
	c := &Cache{}
	refuse(t, c, "a", 1, 3)
	refuse(t, c, "b", 2, 1)
	c.check(t, 2)
	if got := c.Of("a").Len(); got != 3 {
		t.Errorf("%d refusals are remembered, want 3", got)
	}
	refuse(t, c, "a", 1, 2) // One signature is gone.
	c.check(t, 2)
	if got := c.Of("a").Len(); got != 2 {
		t.Errorf("%d refusals are remembered, want 2", got)
	}
	refuse(t, c, "a", 1, 0)
	c.check(t, 1)
	c.Forget("b")
	c.Forget("never there")
	c.check(t, 0)
	if c.size != 0 {
		t.Errorf("%d bytes are counted for nothing", c.size)
	}
}

// TestImageIsBounded: one Image with many signatures under many policies keeps what fits.
func TestImageIsBounded(t *testing.T) {
	c := &Cache{}
	refuse(t, c, "a", 64, 128)
	c.check(t, 1)
	if got := c.Of("a").Len(); got == 0 || got == 128 {
		t.Errorf("%d of 128 refusals are remembered, want some", got)
	}
}

// TestAllIsBounded: many Images forget one another, and those that are evaluated again and again
// are not all forgotten before that.
func TestAllIsBounded(t *testing.T) {
	c := &Cache{}
	const images = 2 * maxAll / maxImage
	for i := range images {
		refuse(t, c, fmt.Sprint(i), 64, 128)
	}
	remembered := 0
	for i := range images {
		if c.Of(fmt.Sprint(i)).Len() > 0 {
			remembered++
		}
		refuse(t, c, fmt.Sprint(i), 64, 128)
	}
	if remembered < images/8 {
		t.Errorf("%d of %d Images are remembered when their turn comes", remembered, images)
	}
	c.check(t, len(c.byName))
	if len(c.byName) < maxAll/maxImage-1 {
		t.Errorf("%d Images are remembered, less than there is room for", len(c.byName))
	}
}
