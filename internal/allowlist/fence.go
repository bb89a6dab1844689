// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"strings"
)

// The fence: an API server may go on using a copy of a shard that no longer changes
// (kubernetes/kubernetes#130887). Each shard therefore has an epoch, and the policies ask the
// authorizer, whose informers never stop, whether the epoch still counts: whether
// FenceAccount may "use" the resource FenceName(shard, epoch) of allowlists.assay.dev. Every
// change that takes something away gives its shard a new epoch, and the old one is withdrawn.
const (
	// FenceAccount is the service account, in the operator's namespace, that the policies ask
	// about. It exists as a subject of RBAC alone: nothing authenticates as it.
	FenceAccount = "assay-allowlist"

	// keyEpoch is the key of a shard's epoch.
	keyEpoch = "epoch"
)

// FenceName is the resource name that stands for an epoch of a shard.
func FenceName(shard, epoch string) string { return shard + "." + epoch }

// Epoch returns the epoch of a stored shard, empty when it has none.
func Epoch(data map[string]string) string { return data[keyEpoch] }

// SetEpoch sets the epoch of the shard.
func (s *Shard) SetEpoch(epoch string) { s.Data[keyEpoch] = epoch }

// TakesAway reports whether the shard admits less than a stored one of the same name: an
// image is missing, or a scope was added or changed. Such a change takes a new epoch.
func (s *Shard) TakesAway(stored map[string]string) bool {
	for key, text := range s.Data {
		if strings.HasPrefix(key, keyScopes) && stored[key] != text {
			return true
		}
	}
	for key, before := range stored {
		switch {
		case key == keyValidUntil, key == keyEpoch, strings.HasPrefix(key, keyScopes):
		case key == keyFormat:
			if s.Data[key] != before {
				return true
			}
		case before != s.Data[key] && !containsLines(s.Data[key], before):
			return true
		}
	}
	return false
}

// containsLines reports whether every line of a framed text is a line of another. Both are in
// order.
func containsLines(text, lines string) bool {
	if strings.Trim(lines, "\n") == "" {
		return true
	}
	rest := strings.Split(strings.Trim(text, "\n"), "\n")
	for line := range strings.SplitSeq(strings.Trim(lines, "\n"), "\n") {
		for len(rest) > 0 && rest[0] < line {
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0] != line {
			return false
		}
	}
	return true
}
