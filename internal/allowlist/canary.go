// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"regexp"
)

// The canary: how the operator learns which copy of the allowlist an API server has. It sends a
// dry-run request that creates the ConfigMap CanaryName. The policy allowlist-canary reads the
// same shards as the policies for Pods do, in the same way, and denies the request with a message
// about the shard that the request asks for. An API server reports one denial only, so each
// request asks for one shard.
const (
	// CanaryName is the name of the ConfigMap, and CanaryPolicy that of the policy.
	CanaryName   = "assay-allowlist-canary"
	CanaryPolicy = "allowlist-canary"

	// Values of the ConfigMap's data, by the name of a shard. A shard without one is denied like
	// one that is asked for: the request does not know it.
	canaryAsked = "asked"
	canaryKnown = "known"
)

// CanaryData returns the data of the ConfigMap that asks for one shard. The policy denies it when
// the API server has that shard, or one that is not known. Without any names it denies whatever
// shard the API server has.
func CanaryData(known []string, asked string) map[string]string {
	data := make(map[string]string, len(known)+1)
	for _, name := range known {
		data[name] = canaryKnown
	}
	if asked != "" {
		data[asked] = canaryAsked
	}
	return data
}

// Sighting is what an API server states about its copy of a shard.
type Sighting struct {
	// Shard is the name of the shard.
	Shard string
	// ResourceVersion is that of the copy, a number without leading zeros.
	ResourceVersion string
	// Counts reports whether the epoch of the copy counts, by the authorizer of the API server.
	Counts bool
	// Fenced reports whether an epoch that never was does not count.
	Fenced bool
}

// canaryPattern matches the message of the policy within that of the API server.
var canaryPattern = regexp.MustCompile(`canary=([a-z0-9.-]{1,253})/([1-9][0-9]{0,19})/(true|false)/(true|false);`)

// ParseSighting returns what the message of a denial states. It reports false for a message that
// is not the policy's.
func ParseSighting(message string) (Sighting, bool) {
	found := canaryPattern.FindStringSubmatch(message)
	if found == nil {
		return Sighting{}, false
	}
	return Sighting{Shard: found[1], ResourceVersion: found[2], Counts: found[3] == "true", Fenced: found[4] == "true"}, true
}
