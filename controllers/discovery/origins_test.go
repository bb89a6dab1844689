// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An image is fetched for the namespace with the fewest images that are not verified of those that
// refer to it, and so are the children of an index. When another namespace began to refer to it does not
// count.
func TestOrigins(t *testing.T) {
	since := func(u usage, arrivals ...uint64) usage {
		u.arrivals = arrivals
		return u
	}
	in := &input{now: now, isComplete: true, images: imagesOf(fact("done", verified), fact("index", refused, indexOf("child")))}
	want := map[string]origin{
		entry("both"): {"shop", 7}, entry("index"): {"shop", 11}, entry("child"): {"shop", 11}, entry("twice"): {"shop", 9},
	}
	for n := range 10 {
		in.usages = append(in.usages, since(by(fmt.Sprint("flood", n), "flood"), uint64(n)))
		want[entry(fmt.Sprint("flood", n))] = origin{"flood", uint64(n)}
	}
	tag := since(by("twice", "shop"), 9)
	tag.tag = "registry.example.com/twice:v1"
	in.usages = append(in.usages,
		by("done", "shop"), since(by("both", "flood", "shop"), 20, 7), since(by("index", "shop"), 11), by("idle"),
		since(by("twice", "shop"), 8), tag)
	if diff := cmp.Diff(want, decide(in).origins, cmp.AllowUnexported(origin{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
