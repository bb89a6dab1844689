// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"errors"
	"fmt"
	"strings"

	"github.com/assay-project/assay/internal/imageref"
)

// maxScope is the longest scope that the API accepts, in bytes.
const maxScope = 512

// errNoImage is why a scope is left out that the original does not apply to any image.
var errNoImage = errors.New("it applies to no image")

// readScope turns a scope of containers-policy.json(5) into one of a TrustPolicy. Scopes are compared there as text
// with the names of images in full, so one that is spelt otherwise applies to no image. To respell it would trust
// its keys where the original does not.
func readScope(text string) (scope, respelt string, err error) {
	if host, _, _ := strings.Cut(text, "/"); strings.HasPrefix(host, "*.") {
		if _, port := trimPort(host); port != "" {
			return "", "", fmt.Errorf("a wildcard with a port applies to no image in containers-policy.json(5); %s covers every port",
				quote(strings.TrimSuffix(host, port)))
		}
	}
	if len(text) > maxScope {
		return "", "", fmt.Errorf("it is longer than %d bytes", maxScope)
	}
	parsed, err := imageref.ParseScope(text)
	if err == nil {
		return parsed.String(), "", nil
	}
	if !appliesAsWritten(text) {
		return "", "", fmt.Errorf("%w: %w", errNoImage, err)
	}
	// The same images under all of their names: package imageref brings names into canonical form.
	if strings.HasPrefix(text, "*") {
		text = strings.ToLower(text)
	}
	if parsed, err = imageref.CanonicalScope(text); err != nil {
		return "", "", fmt.Errorf("no TrustPolicy can have it: %w", err)
	}
	return parsed.String(), parsed.String(), nil
}

// appliesAsWritten reports whether containers-policy.json(5) applies a scope to some image: as text, to names in full.
func appliesAsWritten(text string) bool {
	if strings.HasPrefix(text, "*.") {
		return !strings.Contains(text, "/")
	}
	reference := text
	if !strings.Contains(text, "/") {
		reference += "/x"
	}
	named, err := imageref.ParseImage(reference)
	if err != nil || named.String() != reference {
		return false
	}
	// Nothing has the identity of a reference with a tag and a digest.
	rest := strings.TrimPrefix(reference, named.Name())
	return !strings.HasPrefix(rest, ":") || !strings.Contains(rest, "@")
}

// parents returns the scopes that cover what a scope covers, the most specific first.
func parents(scope string) []string {
	if domain, ok := strings.CutPrefix(scope, "*."); ok {
		var wider []string
		for {
			_, parent, ok := strings.Cut(domain, ".")
			if !ok {
				return wider
			}
			wider = append(wider, "*."+parent)
			domain = parent
		}
	}
	name := scope
	if !strings.Contains(scope, "/") {
		name += "/x"
	}
	named, err := imageref.ParseImage(name)
	if err != nil {
		return nil
	}
	scopes := imageref.ScopesOf(named)
	for i, each := range scopes {
		if each == scope {
			return scopes[i+1:]
		}
	}
	return nil
}
