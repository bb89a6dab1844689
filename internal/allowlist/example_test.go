// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist_test

import (
	"fmt"
	"strings"

	"github.com/assay-project/assay/internal/allowlist"
)

// Verified images are split over shards by the first two digits of their digests.
func ExampleSplit() {
	image := "registry.example.com/team/app@sha256:f20c43161d73848408ef247f0ec7111b19fe58ffebc0cbcaa0d2c8bda4967268"
	state := allowlist.State{
		Images: []string{image},
		Scopes: map[string]allowlist.Level{"registry.example.com/team": allowlist.Enforce},
	}
	shards, err := allowlist.Split(state, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, shard := range shards {
		// Lines begin and end with a line break, as the admission policies look for them.
		fmt.Println(shard.Name, strings.Contains(shard.Data["f2"], "\n"+image+"\n"))
	}
	fmt.Printf("%q\n", shards[1].Data["scopes-25"])
	// Output:
	// assay-allowlist-2-0 false
	// assay-allowlist-2-1 true
	// "\nregistry.example.com/team Enforce\n"
}
