// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref_test

import (
	"fmt"

	"github.com/assay-project/assay/internal/imageref"
)

// A signature for one tag of a repository covers an image that is pulled by digest, but not
// another tag.
func ExampleMatcher() {
	matcher, err := imageref.NewMatcher(imageref.Rule{Match: imageref.MatchRepoDigestOrExact})
	if err != nil {
		fmt.Println(err)
		return
	}
	const signed = "registry.example.com/team/app:v1"
	for _, image := range []string{
		"registry.example.com/team/app:v1",
		"registry.example.com/team/app:v2",
		"registry.example.com/team/app@sha256:f20c43161d73848408ef247f0ec7111b19fe58ffebc0cbcaa0d2c8bda4967268",
	} {
		named, err := imageref.ParseImage(image)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(matcher.Match(named, signed) == nil)
	}
	// Output:
	// true
	// false
	// true
}

// The most specific scope that covers an image selects its policies.
func ExampleIndex() {
	var policies imageref.Index[string]
	for text, policy := range map[string]string{
		"*.example.com":                    "domain",
		"registry.example.com/team":        "team",
		"registry.example.com/team/app:v1": "release",
	} {
		scope, err := imageref.ParseScope(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		policies.Add(scope, policy)
	}
	for _, image := range []string{
		"registry.example.com/team/app:v1",
		"registry.example.com/team/app:v2",
		"mirror.example.com/team/app:v1",
		"busybox",
	} {
		named, err := imageref.ParseImage(image)
		if err != nil {
			fmt.Println(err)
			return
		}
		names, scope, ok := policies.Lookup(named)
		fmt.Println(names, scope, ok)
	}
	// Output:
	// [release] registry.example.com/team/app:v1 true
	// [team] registry.example.com/team true
	// [domain] *.example.com true
	// []  false
}
