// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/test/admission/shards"
)

// deep is a repository ten components deep.
func deep(n int) string {
	return fmt.Sprintf("registry-%03d.prod.eu.example.com:5000/organisation/department/division/group/team/project/subproject/component/part/image-%03d", n%100, n%1000)
}

// large is a cluster with 50,000 verified images and 1,000 scopes of one length, which is the dearest case.
func large() shards.State {
	s := shards.State{Images: map[string]bool{}, Scopes: map[string]string{}}
	for n := range 50_000 {
		digest := fmt.Sprintf("%016x%048x", uint64(n)*0x9e3779b97f4a7c15, n)
		s.Images[deep(n)+"@sha256:"+digest] = true
	}
	for n := range 1000 {
		s.Scopes[deep(n)] = "Enforce"
	}
	return s
}

// TestCost evaluates Pods of 64 images in a large cluster, all of which one shard and one bucket have to check, within the
// budget of an API server. Pods beyond are refused.
func TestCost(t *testing.T) {
	p := mustCompile(t, loadPolicies(t, "../testdata/enforce")["image-verification"])
	state := large()
	all := params(shards.Encode(t, state, "assay-system", 16))
	byBucket := map[string][]string{}
	for image := range state.Images {
		bucket := image[len(image)-64:][:2]
		byBucket[bucket] = append(byBucket[bucket], image)
	}
	verified := byBucket["00"][:64]
	unverified := make([]string, 0, len(verified))
	for _, image := range verified {
		unverified = append(unverified, strings.Replace(image, "sha256:00", "sha256:00ff", 1)[:len(image)])
	}
	const half = wholeBudget / 2 // the message has what the decision left of the budget
	if message := p.validate(t, create(podWith(verified...)), half, all...); message != "" {
		t.Errorf("verified: %s", message)
	}
	message := p.validate(t, create(podWith(unverified...)), half, all...)
	if !strings.HasPrefix(message, "image "+unverified[0]+" is not verified") || !strings.HasSuffix(message, "and 63 other images likewise. See docs/admission.md#denied") {
		t.Errorf("not verified: %s", message)
	}
	many := []string{}
	for n := range 600 {
		many = append(many, fmt.Sprintf("%s:%d", deep(0), n))
	}
	// The most that is evaluated may cost more than there is, and more than that is not looked at.
	for n, want := range map[int]string{128: "cost", 600: "600 containers and image volumes are more than the 128"} {
		if message := p.validate(t, create(podWith(many[:n]...)), wholeBudget, all...); !strings.Contains(message, want) {
			t.Errorf("a Pod with %d images: %.400q", n, message)
		}
	}
}

// TestCostOfFullBucket evaluates Pods of 32 images that are in a bucket which somebody has filled: the Pods of others are not
// refused for what it costs.
func TestCostOfFullBucket(t *testing.T) {
	p := mustCompile(t, loadPolicies(t, "../testdata/enforce")["image-verification"])
	images := make([]string, 5000)
	for n := range images {
		images[n] = fmt.Sprintf("%s@sha256:00%062x", deep(n), n)
	}
	fitting, left, _ := allowlist.Fit(allowlist.State{Images: slices.Clone(images)}, nil, func(string) string { return "" })
	if left == 0 {
		t.Fatal("the bucket is not full")
	}
	state := shards.State{Images: map[string]bool{}, Scopes: large().Scopes}
	for _, image := range fitting.Images {
		state.Images[image] = true
	}
	all := params(shards.Encode(t, state, "assay-system", 1))
	const some = 32
	if message := p.validate(t, create(podWith(fitting.Images[:some]...)), wholeBudget, all...); message != "" {
		t.Errorf("verified: %s", message)
	}
	leftOut := images[len(images)-some:]
	if message := p.validate(t, create(podWith(leftOut...)), wholeBudget, all...); !strings.HasPrefix(message, "image "+leftOut[0]+" is not verified") {
		t.Errorf("not verified: %s", message)
	}
}

// BenchmarkVerified is the time that the policy for Enforce takes on a Pod of three verified images.
func BenchmarkVerified(b *testing.B) {
	p := mustCompile(b, loadPolicies(b, "../testdata/enforce")["image-verification"])
	state := large()
	all := params(shards.Encode(b, state, "assay-system", 8))
	var images []string
	for image := range state.Images {
		if images = append(images, image); len(images) == 3 {
			break
		}
	}
	pod := podWith(images...)
	for b.Loop() {
		if message := p.validate(b, create(pod), wholeBudget, all...); message != "" {
			b.Fatal(message)
		}
	}
}
