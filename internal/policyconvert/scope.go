// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"fmt"
	"strings"

	"github.com/assay-project/assay/internal/imageref"
)

// maxScope is the longest scope that the API accepts, in bytes.
const maxScope = 512

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
	// Package identity compares hosts in lower case, on both sides.
	host, rest, hasPath := strings.Cut(text, "/")
	lower := strings.ToLower(host)
	if hasPath {
		lower += "/" + rest
	} else if strings.Contains(host, "@") || hasTag(host) {
		return "", "", fmt.Errorf("it applies to no image: %w", err)
	}
	if parsed, lowerErr := imageref.ParseScope(lower); lowerErr == nil {
		return parsed.String(), parsed.String(), nil
	}
	return "", "", fmt.Errorf("it applies to no image: %w", err)
}

// hasTag tells whether a name without a path ends in something that is no port.
func hasTag(host string) bool {
	_, port := trimPort(host)
	return strings.Trim(port, ":0123456789") != ""
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
