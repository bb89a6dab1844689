// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// entry is what the allowlist has for an image of the scenario.
func (s *scenario) entry(name string) string {
	return s.repository() + "@" + digest.FromString(name).String()
}

// entries returns the lines of the scenario's repository that a shard has.
func (s *scenario) entries(shard *corev1.ConfigMap) map[string]bool {
	found := map[string]bool{}
	for _, text := range shard.Data {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, s.repository()+"@") {
				found[line] = true
			}
		}
	}
	return found
}

// listed returns the entries of the scenario that all shards together have, and the number of
// shards.
func (s *scenario) listed(ctx context.Context) (found map[string]bool, shards int, err error) {
	var list corev1.ConfigMapList
	selector := client.MatchingLabels{allowlist.Label: allowlist.LabelValue}
	if err := admin.List(ctx, &list, client.InNamespace(manager.Namespace), selector); err != nil {
		return nil, 0, err
	}
	found = map[string]bool{}
	for i := range list.Items {
		for entry := range s.entries(&list.Items[i]) {
			found[entry] = true
		}
	}
	return found, len(list.Items), nil
}

// untilListed waits until the images are, or are not, on the allowlist.
func (s *scenario) untilListed(want bool, names ...string) {
	s.Helper()
	s.eventually(fmt.Sprintf("images on the allowlist: %v", want), func(ctx context.Context) (bool, string) {
		found, shards, err := s.listed(ctx)
		if err != nil || shards == 0 {
			return false, fmt.Sprintf("%d shards, %v", shards, err)
		}
		for _, name := range names {
			if found[s.entry(name)] != want {
				return false, fmt.Sprintf("%s is on the allowlist: %v", name, !want)
			}
		}
		return true, ""
	})
}
