// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

var (
	// pathPattern matches paths of this repository, which have no blanks, placeholders,
	// variables or ports.
	pathPattern = regexp.MustCompile(`^[A-Za-z0-9_.*/-]+$`)
	// wordPattern splits code into what may be paths.
	wordPattern = regexp.MustCompile("[^\\s,;=\"'`()\\[\\]]+")
)

// changelog describes past versions, and may name what no longer exists.
const changelog = "CHANGELOG.md"

// checkPaths checks that paths in code exist.
func checkPaths(r *repository) ([]problem, error) {
	var problems []problem
	for _, d := range r.documents {
		if d.path == changelog {
			continue
		}
		for _, code := range d.code() {
			for _, word := range wordPattern.FindAllString(code.text, -1) {
				if name := r.asPath(word); name != "" && !r.exists(name) && !r.exists(path.Join(path.Dir(d.path), name)) {
					problems = append(problems, d.problem(code.line, fmt.Sprintf("path %s, which does not exist", word)))
				}
			}
		}
	}
	return problems, nil
}

// asPath returns the path that a word is, relative to the top, or "" if it is none.
func (r *repository) asPath(word string) string {
	if !pathPattern.MatchString(word) || strings.HasPrefix(word, "/") {
		return ""
	}
	// Three dots stand for all packages below.
	name := path.Clean(strings.TrimSuffix(strings.TrimRight(word, ".:"), "/..."))
	first, _, hasSlash := strings.Cut(name, "/")
	switch {
	case strings.HasPrefix(name, ".."):
		return ""
	case r.top[first] && (hasSlash || strings.HasSuffix(word, "/")):
		return name
	case strings.HasPrefix(word, "./") && name != ".":
		return name
	case path.Ext(name) == ".md" && name != ".md":
		return name
	case hasSlash && (path.Ext(name) == ".go" || path.Ext(name) == ".yaml" || path.Ext(name) == ".sh"):
		return name
	default:
		return ""
	}
}
