// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Bounds of names, as the API has them. Those of objects leave room for a number.
const (
	maxObjectName = 240
	maxKeyName    = 63
)

// objectName makes the name of an object out of a scope or a path: DNS labels in lower case.
func objectName(text string) string {
	text = strings.ReplaceAll(strings.ToLower(text), "*", "any")
	var labels []string
	for _, label := range strings.Split(dashed(text), ".") {
		if label = strings.Trim(label, "-"); label != "" {
			labels = append(labels, label)
		}
	}
	name := strings.Join(labels, ".")
	if name == "" {
		return "policy"
	}
	return name
}

// dashed replaces what no name may have.
func dashed(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, text)
}

// unique returns the name, or one with a number where it is taken. A name that is too long is
// truncated and gets a part of its digest, so that two of them stay different.
func unique(taken map[string]bool, name string, limit int) string {
	if len(name) > limit {
		sum := sha256.Sum256([]byte(name))
		suffix := "-" + hex.EncodeToString(sum[:4])
		name = strings.TrimRight(name[:limit-len(suffix)], ".-") + suffix
	}
	candidate := name
	for n := 2; taken[candidate]; n++ {
		suffix := fmt.Sprintf("-%d", n)
		candidate = strings.TrimRight(name[:min(len(name), limit-len(suffix))], ".-") + suffix
	}
	taken[candidate] = true
	return candidate
}
