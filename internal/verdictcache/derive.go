// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verdictcache

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/manifest"
)

// Index is an image for several platforms, as its bytes state it.
type Index struct {
	// Name is <repository>@<digest> in canonical form, empty for what is no index. The caller has
	// compared the bytes with the digest: what an Image states of its children elsewhere does not
	// count, because anybody may write it.
	Name string
	// Children are those of manifest.Info.
	Children []manifest.Child
}

// isVerified reports whether a verdict lists its Image. An Image that was evaluated by another
// scope than the one that holds for its digest is not listed.
func (v *Verdict) isVerified(hasScope func(entry string) bool) bool {
	return v.Entry != "" && (v.Scope == v.Entry || !hasScope(v.Entry))
}

// derive returns the entries that follow from those of other Images:
//
//   - A verified index lists its children: its signature covers their digests.
//   - An index is listed when every child that a node may run is verified itself.
//
// Nothing follows from a derived entry, so an index in an index lists nothing by being listed.
// Nothing is derived from or for a digest that is a scope of its own, because other policies
// apply to it than to the rest of its repository.
func derive(verdicts map[string]Verdict, hasScope func(entry string) bool) []string {
	var entries []string
	var pending []*Index
	for _, verdict := range verdicts {
		index := &verdict.Index
		switch {
		case len(index.Children) == 0 || hasScope(index.Name):
		case verdict.Entry == index.Name:
			entries = index.appendChildren(entries, hasScope)
		default:
			pending = append(pending, index)
		}
	}
	if len(pending) == 0 {
		return entries
	}
	verified := make(map[string]bool, len(verdicts))
	for _, verdict := range verdicts {
		if verdict.Entry != "" && !hasScope(verdict.Entry) {
			verified[verdict.Entry] = true
		}
	}
	for _, index := range pending {
		if index.childrenAre(verified) {
			entries = append(entries, index.Name)
		}
	}
	return entries
}

// appendChildren appends the entries of the children.
func (x *Index) appendChildren(entries []string, hasScope func(entry string) bool) []string {
	repository := x.repository()
	for _, child := range x.Children {
		if !isSHA256(child.Digest) {
			continue // Admission knows no others.
		}
		if entry := repository + child.Digest.String(); !hasScope(entry) {
			entries = append(entries, entry)
		}
	}
	return entries
}

// childrenAre reports whether there is a child that a node may run, and all of them are verified.
func (x *Index) childrenAre(verified map[string]bool) bool {
	repository, runnable := x.repository(), 0
	for _, child := range x.Children {
		if child.IsAttestation {
			continue
		}
		if !isSHA256(child.Digest) || !verified[repository+child.Digest.String()] {
			return false
		}
		runnable++
	}
	return runnable > 0
}

// repository returns what the name begins with, with the "@".
func (x *Index) repository() string {
	return x.Name[:strings.IndexByte(x.Name, '@')+1]
}

func isSHA256(d digest.Digest) bool {
	return strings.HasPrefix(string(d), "sha256:")
}
