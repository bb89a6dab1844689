// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

var (
	hostPattern = regexp.MustCompile(`^(?:` + reference.DomainRegexp.String() + `)$`)
	namePattern = regexp.MustCompile(`^(?:` + reference.NameRegexp.String() + `)$`)
	// wildcardPattern captures the domain and the port. The star stands for whole labels, and only for the first
	// ones.
	wildcardPattern = regexp.MustCompile(`^\*\.((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(:[0-9]+)?$`)
)

// Scope is a set of images that a policy is for: see the package comment. Scopes are comparable; the zero value
// covers no image.
type Scope struct{ text string }

// String returns the scope as it is written in a policy. ParseScope reads it back.
func (s Scope) String() string { return s.text }

// ParseScope reads a scope (containers-policy.json(5), "docker:"), which has one spelling only: names in full
// (docker.io/library/busybox), hosts in lower case, no scheme, no trailing slash, a tag or a digest but not both.
// The error says how to write a scope that is spelt otherwise.
//
// busybox:5000 is the registry of that name, as it is in busybox:5000/app, not the image on docker.io.
func ParseScope(s string) (Scope, error) {
	switch {
	case s == "":
		return Scope{}, errors.New("a scope is empty")
	case len(s) > MaxReference:
		return Scope{}, fmt.Errorf("a scope is longer than %d bytes", MaxReference)
	case strings.Contains(s, "://"):
		return Scope{}, fmt.Errorf("scope %s: leave out the scheme", quote(s))
	case strings.HasSuffix(s, "/"):
		return Scope{}, fmt.Errorf("scope %s: leave out the slash at the end; a namespace covers what is below it", quote(s))
	case strings.Contains(s, "*"):
		return parseWildcard(s)
	}
	want, err := spelling(s)
	if err != nil {
		return Scope{}, err
	}
	if want != s {
		return Scope{}, fmt.Errorf("scope %s: write it as %s", quote(s), quote(want))
	}
	return Scope{s}, nil
}

func parseWildcard(s string) (Scope, error) {
	m := wildcardPattern.FindStringSubmatch(s)
	// Addresses have no subdomains: *.0.0.1 would pick hosts by the last bytes of an address.
	if m == nil || isNumber(m[1][strings.LastIndex(m[1], ".")+1:]) {
		return Scope{}, fmt.Errorf("scope %s: a wildcard is written *.example.com, in lower case and without a path", quote(s))
	}
	return Scope{s}, nil
}

// spelling returns how to write a scope other than a wildcard, which may be as it is.
func spelling(s string) (string, error) {
	host, rest, hasPath := strings.Cut(s, "/")
	name := s
	if hasPath && isHost(host) {
		name = strings.ToLower(host) + "/" + rest
	} else if hostPattern.MatchString(s) && isHost(s) {
		name = strings.ToLower(s)
	}
	first, _, _ := strings.Cut(name, "/")
	hostIsValid := hostPattern.MatchString(first)
	switch full, short := fullName(name); {
	case !namePattern.MatchString(name) && (hasPath || !hostIsValid) || isHost(first) && !hostIsValid:
		return referenceSpelling(name) // not a host, a namespace or a repository
	case short:
		return full, nil
	default:
		return name, nil
	}
}

// referenceSpelling is spelling for a reference with a tag or a digest.
func referenceSpelling(s string) (string, error) {
	named, err := ParseImage(s)
	if err != nil {
		return "", fmt.Errorf("scope: %w", err)
	}
	if digested, ok := named.(reference.Digested); ok {
		// The digest alone decides what is pulled: a tag in front of it would make this scope miss the same image
		// without the tag.
		return named.Name() + "@" + digested.Digest().String(), nil
	}
	return named.String(), nil
}

// ScopesOf returns the text of every scope that covers image, the most specific first, so that a lookup costs as
// much as the reference is deep. The list is never empty.
func ScopesOf(image reference.Named) []string {
	host, path, _ := strings.Cut(image.Name(), "/")
	host = strings.ToLower(host)
	name := strings.TrimSuffix(host+"/"+path, "/")

	var scopes []string
	switch ref := image.(type) {
	case reference.Digested: // with or without a tag
		scopes = append(scopes, name+"@"+ref.Digest().String())
	case reference.Tagged:
		scopes = append(scopes, name+":"+ref.Tag())
	}
	for i := len(name); i >= 0; i = strings.LastIndexByte(name[:i], '/') {
		scopes = append(scopes, name[:i])
	}
	return append(scopes, wildcardsOf(host)...)
}

// wildcardsOf returns the wildcards that cover a host, each time with the host's port before the one for any port.
func wildcardsOf(host string) []string {
	if strings.HasPrefix(host, "[") {
		return nil // an IPv6 address
	}
	domain, port, hasPort := strings.Cut(host, ":")
	if isNumber(domain[strings.LastIndexByte(domain, '.')+1:]) {
		return nil // an IPv4 address
	}
	var scopes []string
	for {
		_, parent, ok := strings.Cut(domain, ".")
		if !ok {
			return scopes
		}
		if hasPort {
			scopes = append(scopes, "*."+parent+":"+port)
		}
		scopes = append(scopes, "*."+parent)
		domain = parent
	}
}

// isNumber tells whether a label has digits only, which no top-level domain has (RFC 3696 section 2).
func isNumber(label string) bool {
	return strings.Trim(label, "0123456789") == ""
}

// Index finds the values that are attached to the most specific scope of an image. The zero value is empty and
// ready to use. Lookups may run at the same time as each other, but not as Add.
type Index[T any] struct {
	values map[Scope][]T
}

// Add attaches a value to a scope, behind those that it already has.
func (x *Index[T]) Add(scope Scope, value T) {
	if x.values == nil {
		x.values = make(map[Scope][]T)
	}
	x.values[scope] = append(x.values[scope], value)
}

// Lookup returns the values of the most specific scope that covers image and has any, in the order in which they
// were added, and that scope. The order in which scopes were added does not matter. The values must not be changed.
func (x *Index[T]) Lookup(image reference.Named) (values []T, scope string, ok bool) {
	for _, text := range ScopesOf(image) {
		if values, ok := x.values[Scope{text}]; ok {
			return values, text, true
		}
	}
	return nil, "", false
}
