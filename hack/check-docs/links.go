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
	// linkPattern finds [text](target) and ![text](target "title").
	linkPattern = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?[^)]*\)`)
	// definitionPattern finds [text]: target.
	definitionPattern = regexp.MustCompile(`(?m)^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)`)
	schemePattern     = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	headingPattern    = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)
	// notInAnchor finds what an anchor leaves out of its heading.
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// checkLinks checks that relative links lead to files, and their anchors to headings.
func checkLinks(r *repository) ([]problem, error) {
	var problems []problem
	for _, d := range r.documents {
		for _, pattern := range []*regexp.Regexp{linkPattern, definitionPattern} {
			// Links in code are none.
			text := spanPattern.ReplaceAllStringFunc(d.prose, blank)
			for _, at := range pattern.FindAllStringSubmatchIndex(text, -1) {
				if wrong := r.followLink(d, text[at[2]:at[3]]); wrong != "" {
					problems = append(problems, d.problem(d.lineAt(at[2]), wrong))
				}
			}
		}
	}
	return problems, nil
}

// blank puts a blank in the place of every byte but line breaks, so that offsets stay.
func blank(text string) string {
	blanks := []byte(text)
	for i, c := range blanks {
		if c != '\n' {
			blanks[i] = ' '
		}
	}
	return string(blanks)
}

// followLink returns what is wrong with a link, empty for nothing.
func (r *repository) followLink(d *document, link string) string {
	if schemePattern.MatchString(link) {
		return ""
	}
	target, anchor, hasAnchor := strings.Cut(link, "#")
	file := d.path
	if target != "" {
		file = path.Join(path.Dir(d.path), target)
	}
	if strings.HasPrefix(target, "/") || strings.HasPrefix(file, "../") || !r.exists(file) {
		return fmt.Sprintf("link to %s, which does not exist", link)
	}
	if other := r.document(file); hasAnchor && (other == nil || !other.anchors()[anchor]) {
		return fmt.Sprintf("link to %s, where no heading has that anchor", link)
	}
	return ""
}

// anchors returns the anchors of the headings, made as GitHub does.
func (d *document) anchors() map[string]bool {
	anchors := map[string]bool{}
	for _, heading := range headingPattern.FindAllStringSubmatch(d.prose, -1) {
		base := strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")
		anchor := base
		for n := 1; anchors[anchor]; n++ {
			anchor = fmt.Sprintf("%s-%d", base, n)
		}
		anchors[anchor] = true
	}
	return anchors
}
