// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/trust"
)

// TestOvertaken checks that a worker whose write conflicts knows of the one that was faster, and takes
// nobody else for it.
func TestOvertaken(t *testing.T) {
	image := func(uid types.UID, version string) *imagev1.Image {
		i := &imagev1.Image{}
		i.Name, i.UID, i.ResourceVersion = "image", uid, version
		return i
	}
	snapshot := &trust.Snapshot{}
	var c reconciledImages
	c.record(image("u", "7"), imageState{}, snapshot, testNow, time.Hour)
	for name, tt := range map[string]struct {
		image *imagev1.Image
		want  bool
	}{
		"an older state":  {image("u", "5"), true},
		"that state":      {image("u", "7"), false},
		"a newer state":   {image("u", "8"), false},
		"another Image":   {image("v", "5"), false},
		"no such version": {image("u", "x"), false},
	} {
		if got := c.overtaken(&Subject{Image: tt.image, Trust: snapshot}); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	image2 := image("u", "5")
	image2.Name = "other"
	if c.overtaken(&Subject{Image: image2, Trust: snapshot}) {
		t.Error("an Image that nobody has reconciled is overtaken")
	}
}
